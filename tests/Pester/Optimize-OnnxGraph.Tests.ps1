BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Optimize-OnnxGraph' {
    It 'gives a new graph and leaves its input as it was' {
        $before = $graph.Nodes.Count
        $optimized = $graph | Optimize-OnnxGraph
        $optimized | Should -Not -Be $graph
        $graph.Nodes.Count | Should -Be $before
        $optimized.Nodes.Count | Should -BeLessOrEqual $before
    }

    It 'keeps names of inputs and outputs, and the dynamic batch' {
        $optimized = $graph | Optimize-OnnxGraph
        $optimized.Outputs.Name | Should -Be 'logits'
        $optimized.Inputs[0].SymbolicShape[0] | Should -Be 'batch'
    }

    It 'writes itself into the history' {
        ($graph | Optimize-OnnxGraph).History[-1].Transformation | Should -Match 'Optimize'
    }

    It 'runs only the passes named by -Pass' {
        ($graph | Optimize-OnnxGraph -Pass remove-dead-nodes).Nodes.Count | Should -Be $graph.Nodes.Count
    }

    It 'checks each pass with -Verify' {
        ($graph | Optimize-OnnxGraph -Verify).Nodes.Count | Should -Be ($graph | Optimize-OnnxGraph).Nodes.Count
    }

    It 'takes several graphs' {
        @(Import-OnnxGraph $digits, $digits | Optimize-OnnxGraph).Count | Should -Be 2
    }

    It 'turns an input into a constant with -InputValue' {
        $model = Get-SharedModel silero-vad-v6
        $pinned = Import-OnnxGraph $model | Optimize-OnnxGraph -InputValue @{ sr = 16000 }
        $pinned.Inputs.Name | Should -Not -Contain 'sr'
        $pinned.Nodes.OpType | Should -Not -Contain 'If'
    }

    It 'names a pass that does not exist' {
        { $graph | Optimize-OnnxGraph -Pass no-such-pass -ErrorAction Stop } | Should -Throw -ErrorId 'PassUnknown,TrtTools.Cmdlets.OptimizeOnnxGraphCommand'
    }

    It 'names an input that does not exist' {
        { $graph | Optimize-OnnxGraph -InputValue @{ nothing = 1 } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.OptimizeOnnxGraphCommand'
    }
}
