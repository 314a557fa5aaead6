BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Test-WeightSparsity' {
    It 'does not pass a name that is mistyped' {
        $weight = ($graph | Test-WeightSparsity)[0].Weight
        { $graph | Test-WeightSparsity -Quiet -Name "${weight}x" -ErrorAction Stop } | Should -Throw "*Did you mean '$weight'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.TestWeightSparsityCommand'
        @($graph | Test-WeightSparsity -Name 'nothing*').Count | Should -Be 0
    }

    It 'gives one record for each weight' {
        $found = @($graph | Test-WeightSparsity)
        $found.Count | Should -Be @($graph.Nodes | Where-Object OpType -In 'Conv', 'Gemm', 'MatMul').Count
        $found.IsSparse | Should -Not -Contain $true
        $found[0].Reason | Should -Match 'no multiple of 4'
        $found[-1].DenseGroupCount | Should -BeGreaterThan 0
    }

    It 'takes wildcards' {
        $one = @($graph | Test-WeightSparsity)[0]
        ($graph | Test-WeightSparsity -Name $one.Weight).NodeName | Should -Be $one.NodeName
        $graph | Test-WeightSparsity -Name 'no such*' | Should -BeNullOrEmpty
    }

    It 'says no with -Quiet' {
        $graph | Test-WeightSparsity -Quiet | Should -BeFalse
    }
}
