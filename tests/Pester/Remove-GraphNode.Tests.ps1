BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Remove-GraphNode' {
    It 'lets readers read what the node read' {
        $new = $graph | Remove-GraphNode /Relu_1 -Reconnect
        $new.Nodes.Count | Should -Be ($graph.Nodes.Count - 1)
        ($new | Get-GraphNode /residual/Add).Inputs[0] | Should -Be '/down/down.1/BatchNormalization_output_0'
        $new.History[-1].Transformation | Should -Be 'Remove-GraphNode'
    }

    It 'removes all nodes of an operator' {
        ($graph | Remove-GraphNode -OpType Relu -Reconnect).Nodes.OpType | Should -Not -Contain 'Relu'
    }

    It 'removes what Get-GraphNode finds' {
        $found = $graph | Get-GraphNode -OpType BatchNormalization
        $new = $graph | Remove-GraphNode $found -Reconnect
        $new.Nodes.OpType | Should -Not -Contain 'BatchNormalization'
        $new.Initializers.Name | Should -Not -Contain 'stem.1.running_mean'
    }

    It 'puts an input in the place of a node' {
        $new = $graph | Remove-GraphNode /GlobalAveragePool -Stub Input
        $new.Inputs.Name | Should -Contain '/GlobalAveragePool_output_0'
        $new.Nodes.Count | Should -Be 2
    }

    It 'puts zeros in the place of a node' {
        $new = $graph | Set-GraphInput image -Shape 1, 1, 8, 8 | Remove-GraphNode /GlobalAveragePool -Stub Zero
        ($new | Get-GraphInitializer /GlobalAveragePool_output_0).Data.Length | Should -Be 64
    }

    It 'refuses a node that is read, when nothing takes its place' {
        { $graph | Remove-GraphNode /Relu -ErrorAction Stop } | Should -Throw '*-Reconnect*' -ErrorId 'ChangeRefused,TrtTools.Cmdlets.RemoveGraphNodeCommand'
    }

    It 'refuses two ways at once' {
        { $graph | Remove-GraphNode /Relu -Reconnect -Stub Input -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.RemoveGraphNodeCommand'
    }

    It 'gives the nearest names of an unknown node' {
        { $graph | Remove-GraphNode /Relu_9 -ErrorAction Stop } | Should -Throw "*'/Relu_*" -ErrorId 'NodeNotFound,TrtTools.Cmdlets.RemoveGraphNodeCommand'
    }

    It 'goes on with the next graph after an error' {
        $fused = $graph | Invoke-LayerFusion
        @($fused, $graph | Remove-GraphNode /GlobalAveragePool -Stub Input -ErrorAction SilentlyContinue).Count | Should -BeGreaterThan 0
    }

    It 'completes node names' {
        $line = '$graph | Remove-GraphNode /GlobalA'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain "'/GlobalAveragePool'"
    }
}
