BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Select-OnnxSubgraph' {
    It 'takes out what lies between two tensors' {
        $part = $graph | Select-OnnxSubgraph /Relu_1_output_0 /residual/Relu_1_output_0
        $part.Nodes.Count | Should -Be 7
        $part.Inputs[0].SymbolicShape | Should -Be 'batch', '64', '4', '4'
        $part | Test-OnnxGraph -Quiet | Should -BeTrue
    }

    It 'takes the way from the inputs, and the way to the outputs' {
        ($graph | Select-OnnxSubgraph -OutputTensor /Relu_output_0).Nodes.Count | Should -Be 3
        ($graph | Select-OnnxSubgraph -InputTensor /Relu_3_output_0).Outputs.Name | Should -Be 'logits'
    }

    It 'gives inputs other shapes' {
        $part = $graph | Select-OnnxSubgraph /Relu_3_output_0 -InputShape @{ '/Relu_3_output_0' = 'n', 64, 5, 5 }
        $part.Outputs[0].SymbolicShape[0] | Should -Be 'n'
    }

    It 'runs' {
        $engine = $graph | Select-OnnxSubgraph -OutputTensor /Flatten_output_0 | Build-Engine -Device Cpu
        ($engine | Invoke-Engine -InputData @{ image = New-Image }).'/Flatten_output_0'.Shape[0] | Should -Be 1
    }

    It 'says what else is needed' {
        { $graph | Select-OnnxSubgraph /residual/conv2/conv2.1/BatchNormalization_output_0 /residual/Relu_1_output_0 -ErrorAction Stop } | Should -Throw "*'image'*" -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SelectOnnxSubgraphCommand'
    }

    It 'gives the nearest names of an unknown tensor' {
        { $graph | Select-OnnxSubgraph imag logits -ErrorAction Stop } | Should -Throw "*'image'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.SelectOnnxSubgraphCommand'
        { $graph | Select-OnnxSubgraph -DataType @{ image = 'Float33' } -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.SelectOnnxSubgraphCommand'
    }
}
