BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Invoke-GraphPattern' {
    It 'finds, whatever the order of inputs' {
        $match = $graph | Invoke-GraphPattern 'Relu(Add(BatchNormalization(y), x))'
        $match.Name | Should -Be '/residual/Relu_1'
        $match.Nodes.OpType | Should -Be 'BatchNormalization', 'Add', 'Relu'
        $match.Tensor.x.Name | Should -Be '/Relu_1_output_0'
        $graph | Invoke-GraphPattern 'Sigmoid(x)' | Should -BeNullOrEmpty
    }

    It 'replaces by an expression' {
        $new = $graph | Invoke-GraphPattern 'Relu(x)' 'Mul(Add(Abs(x), x), 0.5)'
        $new.Nodes.OpType | Should -Not -Contain 'Relu'
        $new | Test-OnnxGraph -Quiet | Should -BeTrue
        $image = New-Image
        $expected = ($graph | Build-Engine -Device Cpu | Invoke-Engine -InputData @{ image = $image }).logits.Data
        $actual = ($new | Build-Engine -Device Cpu | Invoke-Engine -InputData @{ image = $image }).logits.Data
        for ($i = 0; $i -lt 10; $i++) { [Math]::Abs($actual[$i] - $expected[$i]) | Should -BeLessThan 1e-3 }
    }

    It 'replaces by a node with weights' {
        $new = $graph | Invoke-GraphPattern 'Relu(x)' @{ OpType = 'PRelu'; InputTensor = 'x', 'leak'; Initializer = @{ leak = [float[]] (0.1) } }
        ($new | Get-GraphNode -OpType PRelu).Count | Should -Be ($graph | Get-GraphNode -OpType Relu).Count
        @($new | Get-GraphInitializer 'leak*').Count | Should -Be 1
    }

    It 'asks a script block, which may leave a match' {
        $new = $graph | Invoke-GraphPattern 'Relu(x)' { if ($_.Name -eq '/Relu') { 'LeakyRelu(x){alpha=0.1}' } }
        ($new | Get-GraphNode /Relu).Attributes.alpha | Should -BeGreaterThan 0.09
        ($new | Get-GraphNode -OpType Relu).Count | Should -Be (($graph | Get-GraphNode -OpType Relu).Count - 1)
        $new.History[-1].Parameters | Should -BeLike '*1 of 6 replaced*'
    }

    It 'says what is wrong' {
        { $graph | Invoke-GraphPattern 'Relu(x' -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.InvokeGraphPatternCommand'
        { $graph | Invoke-GraphPattern 'Relu(x)' 'Neg(' -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.InvokeGraphPatternCommand'
        { $graph | Invoke-GraphPattern 'Relu(x)' 'Neg(z)' -ErrorAction Stop } | Should -Throw "*'x'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.InvokeGraphPatternCommand'
        { $graph | Invoke-GraphPattern 'Relu(x)' { throw 'no' } -ErrorAction Stop } | Should -Throw '*no*' -ErrorId 'OptionInvalid,TrtTools.Cmdlets.InvokeGraphPatternCommand'
        { $graph | Invoke-GraphPattern 'Relu(x)' { 5 } -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.InvokeGraphPatternCommand'
        { $graph | Invoke-GraphPattern 'Relu(x)' @{ Operator = 'Neg' } -ErrorAction Stop } | Should -Throw "*'Operator'*" -ErrorId 'OptionInvalid,TrtTools.Cmdlets.InvokeGraphPatternCommand'
        { $graph | Invoke-GraphPattern 'Relu(x)' 'Not(x)' -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.InvokeGraphPatternCommand'
    }
}
