BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Add-GraphNode' {
    It 'puts a node behind a tensor, and leaves its input as it was' {
        $before = $graph.Nodes.Count
        $new = $graph | Add-GraphNode Sigmoid -InsertAfter /Relu_output_0 -OutputTensor gate -Name gate
        $graph.Nodes.Count | Should -Be $before
        ($new | Get-GraphNode gate).Inputs | Should -Be '/Relu_output_0'
        ($new | Get-GraphNode -InputTensor gate).Name | Should -Be '/down/down.0/Conv'
        $new | Test-OnnxGraph -Quiet | Should -BeTrue
    }

    It 'keeps the name of an output' {
        $new = $graph | Add-GraphNode Softmax -InsertAfter logits -Attribute @{ axis = -1 }
        $new.Outputs.Name | Should -Be 'logits'
        ($new | Get-GraphNode -OutputTensor logits).OpType | Should -Be 'Softmax'
        $new.History[-1].Transformation | Should -Be 'Add-GraphNode'
    }

    It 'brings weights along' {
        $new = $graph | Add-GraphNode Mul -InsertAfter image -InputTensor image, factor -Initializer @{ factor = 0.5 }
        ($new | Get-GraphInitializer factor).Data | Should -Be 0.5
        ($new | Get-GraphNode -InputTensor factor).Inputs | Should -Be 'image', 'factor'
    }

    It 'serves only the consumers named' {
        $new = $graph | Add-GraphNode Neg -InsertAfter /Relu_1_output_0 -OutputTensor negative -Consumer /residual/Add
        ($new | Get-GraphNode -InputTensor negative).Name | Should -Be '/residual/Add'
        ($new | Get-GraphNode -InputTensor /Relu_1_output_0).Count | Should -Be 2
    }

    It 'takes tensors and nodes as well as names' {
        $tensor = $graph | Get-GraphTensor logits
        ($graph | Add-GraphNode Neg -InsertAfter $tensor).Nodes.Count | Should -Be ($graph.Nodes.Count + 1)
    }

    It 'takes several graphs' {
        @($graph, $graph | Add-GraphNode Neg -InsertAfter logits).Count | Should -Be 2
    }

    It 'gives the nearest names of an unknown tensor' {
        { $graph | Add-GraphNode Neg -InsertAfter logit -ErrorAction Stop } | Should -Throw "*'logits'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.AddGraphNodeCommand'
    }

    It 'refuses what would break the graph' {
        { $graph | Add-GraphNode Not -InsertAfter logits -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.AddGraphNodeCommand'
        { $graph | Add-GraphNode Neg -InputTensor logits -OutputTensor image -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.AddGraphNodeCommand'
        { $graph | Add-GraphNode Neg -InputTensor logits -Consumer /residual/Add -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.AddGraphNodeCommand'
    }

    It 'completes operators and tensors of the graph' {
        $line = '$graph | Add-GraphNode -OpType Sigm'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain 'Sigmoid'
        $line = '$graph | Add-GraphNode Relu -InsertAfter logi'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain 'logits'
        $line = '$graph | Add-GraphNode Relu -InsertAfter /Relu_1'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain "'/Relu_1_output_0'"
    }
}
