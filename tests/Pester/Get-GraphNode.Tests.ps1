BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Get-GraphNode' {
    It 'gives the nodes in the order they run' {
        ($graph | Get-GraphNode).Name | Should -Be $graph.Nodes.Name
    }

    It 'finds by name, pattern and operator' {
        ($graph | Get-GraphNode /Relu).OpType | Should -Be 'Relu'
        ($graph | Get-GraphNode '/Relu*').Count | Should -Be 4
        ($graph | Get-GraphNode -OpType relu, gemm).Count | Should -Be 7
        $graph | Get-GraphNode 'nothing*' | Should -BeNullOrEmpty
    }

    It 'shows the name to ask for where a node has none of its own' {
        $unnamed = Import-OnnxGraph (Get-SharedModel polygraphy-residual-block)
        $unnamed.Nodes[3].Name | Should -BeNullOrEmpty
        ($unnamed.Nodes[3] | Out-String) | Should -Match '(?m)^gpu_0/pool1_1 +MaxPool'
        ($unnamed | Get-GraphTensor gpu_0/pool1_1 | Out-String) | Should -Match 'gpu_0/pool1_1.*gpu_0/pool1_1'
    }

    It 'finds by tensor' {
        ($graph | Get-GraphNode -InputTensor image).OpType | Should -Be 'Conv'
        ($graph | Get-GraphNode -OutputTensor logits).OpType | Should -Be 'Gemm'
    }

    It 'walks up and down the stream' {
        ($graph | Get-GraphNode -UpstreamOf logits).Count | Should -Be $graph.Nodes.Count
        ($graph | Get-GraphNode -UpstreamOf logits -Depth 2).Name | Should -Be '/Flatten', '/classifier/Gemm'
        ($graph | Get-GraphNode -DownstreamOf /Relu_3).OpType | Should -Be 'GlobalAveragePool', 'Flatten', 'Gemm'
    }

    It 'looks into subgraphs' {
        $vad = Import-OnnxGraph (Get-SharedModel silero-vad-v6)
        ($vad | Get-GraphNode -Recurse).Count | Should -BeGreaterThan ($vad | Get-GraphNode).Count
        ($vad | Get-GraphNode -Recurse | Where-Object Scope).Count | Should -BeGreaterThan 0
    }

    It 'gives the nearest names of an unknown node' {
        { $graph | Get-GraphNode /Relo -ErrorAction Stop } | Should -Throw "*'/Relu'*" -ErrorId 'NodeNotFound,TrtTools.Cmdlets.GetGraphNodeCommand'
    }

    It 'completes names and operators of the graph' {
        $line = '$graph | Get-GraphNode -OpType Glo'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'GlobalAveragePool'
        $line = 'Get-GraphNode -Graph $graph -UpstreamOf logi'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain 'logits'
    }
}

Describe 'Lists of a graph' {
    It 'take an index' {
        $new = $graph | Set-GraphOutput /Relu_output_0 -Add
        $new.Outputs[1].Name | Should -Be '/Relu_output_0'
        $new.Outputs[-1].Name | Should -Be '/Relu_output_0'
        $new.Initializers[0].Name | Should -Be 'stem.0.weight'
        $new.Nodes[0].GetConsumers()[0].OpType | Should -Be 'BatchNormalization'
    }
}
