BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Get-GraphTensor' {
    It 'gives inputs, outputs, weights and what is between' {
        ($graph | Get-GraphTensor -Kind Input).Name | Should -Be 'image'
        ($graph | Get-GraphTensor -Kind Output).Name | Should -Be 'logits'
        ($graph | Get-GraphTensor -Kind Initializer).Count | Should -Be $graph.Initializers.Count
        ($graph | Get-GraphTensor -Kind Intermediate).Count | Should -Be ($graph.Nodes.Count - 1)
    }

    It 'infers what the file does not state' {
        ($graph | Get-GraphTensor /Relu_output_0).SymbolicShape | Should -Be 'batch', '32', '8', '8'
    }

    It 'knows who gives a tensor and who reads it' {
        $tensor = $graph | Get-GraphTensor /Relu_1_output_0
        $tensor.Producer.Name | Should -Be '/Relu_1'
        $tensor.GetConsumers().Name | Should -Be '/residual/conv1/conv1.0/Conv', '/residual/Add'
    }

    It 'finds by producer, consumer and type' {
        ($graph | Get-GraphTensor -Producer Gemm).Name | Should -Be 'logits'
        ($graph | Get-GraphTensor -Consumer /classifier/Gemm -Kind Initializer).Count | Should -Be 2
        $graph | Get-GraphTensor -DataType Bool | Should -BeNullOrEmpty
    }

    It 'gives the nearest names of an unknown tensor' {
        { $graph | Get-GraphTensor logit -ErrorAction Stop } | Should -Throw "*'logits'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.GetGraphTensorCommand'
    }
}
