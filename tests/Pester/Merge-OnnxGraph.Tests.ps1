BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Merge-OnnxGraph' {
    It 'lets one graph read what the other gives' {
        $front, $back = $graph | Split-OnnxGraph /Relu_1_output_0
        $joined = $front | Merge-OnnxGraph $back
        $joined.Nodes.Count | Should -Be $graph.Nodes.Count
        $joined.Outputs.Name | Should -Be 'logits'
        $joined.Inputs.Name | Should -Be 'image'
        $front.Outputs.Name | Should -Be '/Relu_1_output_0'
    }

    It 'goes by a map, gives names a prefix and keeps outputs' {
        $head = $graph | Select-OnnxSubgraph /Flatten_output_0
        $joined = $graph | Merge-OnnxGraph $head @{ '/Flatten_output_0' = '/Flatten_output_0' } -Prefix 'second/' -KeepOutput
        $joined.Outputs.Name | Should -Be 'logits', 'second/logits'
        $joined | Test-OnnxGraph -Quiet | Should -BeTrue
    }

    It 'refuses graphs that do not fit' {
        { $graph | Merge-OnnxGraph $graph @{ logits = 'image' } -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.MergeOnnxGraphCommand'
        { $graph | Merge-OnnxGraph $graph @{ logits = 'imag' } -ErrorAction Stop } | Should -Throw "*'image'*" -ErrorId 'InputNotFound,TrtTools.Cmdlets.MergeOnnxGraphCommand'
        { $graph | Merge-OnnxGraph $digits -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.MergeOnnxGraphCommand'
    }
}
