BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Set-GraphOutput' {
    It 'makes a tensor an output, with its type' {
        $new = $graph | Set-GraphOutput /Relu_output_0 -Add
        $new.Outputs.Name | Should -Be 'logits', '/Relu_output_0'
        $new.Outputs[1].SymbolicShape | Should -Be 'batch', '32', '8', '8'
        $graph.Outputs.Count | Should -Be 1
    }

    It 'makes every tensor an output, and the model runs' {
        $new = $graph | Set-GraphOutput -All -Exclude /Flatten_output_0
        $new.Outputs.Count | Should -Be ($graph.Nodes.Count - 1)
        ($new | Build-Engine -Device Cpu | Invoke-Engine -InputData @{ image = New-Image }).Count | Should -Be $new.Outputs.Count
    }

    It 'keeps what is named alone, and what leads to it' {
        $new = $graph | Set-GraphOutput /Relu_output_0 -Only
        $new.Outputs.Name | Should -Be '/Relu_output_0'
        $new.Nodes.Count | Should -Be 3
        ($graph | Set-GraphOutput /Relu_output_0 -Only -KeepUnused).Nodes.Count | Should -Be $graph.Nodes.Count
    }

    It 'takes an output away' {
        ($graph | Set-GraphOutput /Relu_output_0 -Add | Set-GraphOutput logits -Remove).Outputs.Name | Should -Be '/Relu_output_0'
    }

    It 'declares symbols' {
        ($graph | Set-GraphOutput logits -Shape n, 10).Outputs[0].SymbolicShape | Should -Be 'n', '10'
    }

    It 'refuses a declaration that is not true, and a graph without outputs' {
        { $graph | Set-GraphOutput logits -Shape n, 11 -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphOutputCommand'
        { $graph | Set-GraphOutput logits -DataType Int64 -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphOutputCommand'
        { $graph | Set-GraphOutput logits -Remove -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphOutputCommand'
        { $graph | Set-GraphOutput logit -Add -ErrorAction Stop } | Should -Throw "*'logits'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.SetGraphOutputCommand'
    }
}
