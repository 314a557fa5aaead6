BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Get-GraphInitializer' {
    It 'gives weights with their content' {
        $bias = $graph | Get-GraphInitializer classifier.bias
        $bias | Should -BeOfType ([TrtTools.Tensors.Tensor])
        $bias.Data.Length | Should -Be 10
        ($graph | Get-GraphInitializer).Count | Should -Be $graph.Initializers.Count
    }

    It 'finds by pattern, consumer and type' {
        ($graph | Get-GraphInitializer 'classifier.*').Name | Should -Be 'classifier.weight', 'classifier.bias'
        ($graph | Get-GraphInitializer -Consumer Conv).Count | Should -Be ($graph | Get-GraphNode -OpType Conv).Count
        $graph | Get-GraphInitializer -DataType Int64 | Should -BeNullOrEmpty
    }

    It 'gives what Constant nodes hold, when asked' {
        $vad = Import-OnnxGraph (Get-SharedModel silero-vad-v6)
        $vad | Get-GraphInitializer -Recurse | Should -BeNullOrEmpty
        ($vad | Get-GraphInitializer -Recurse -ConstantNode).Count | Should -BeGreaterThan 10
    }

    It 'says what is no weight' {
        { $graph | Get-GraphInitializer logits -ErrorAction Stop } | Should -Throw -ErrorId 'TensorNotFound,TrtTools.Cmdlets.GetGraphInitializerCommand'
    }
}
