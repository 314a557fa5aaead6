BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Split-OnnxGraph' {
    It 'cuts in two' {
        $front, $back = $graph | Split-OnnxGraph /Relu_1_output_0
        $front.Outputs.Name | Should -Be '/Relu_1_output_0'
        $back.Inputs.Name | Should -Be '/Relu_1_output_0'
        $front.Nodes.Count + $back.Nodes.Count | Should -Be $graph.Nodes.Count
        $front.Name | Should -Be 'digits-1'
    }

    It 'cuts in as many parts as asked, which joined compute the same' {
        $parts = @($graph | Split-OnnxGraph -PartCount 3)
        $parts.Count | Should -Be 3
        $joined = $parts[0] | Merge-OnnxGraph $parts[1] | Merge-OnnxGraph $parts[2]
        $image = New-Image
        $expected = ($graph | Build-Engine -Device Cpu | Invoke-Engine -InputData @{ image = $image }).logits.Data
        ($joined | Build-Engine -Device Cpu | Invoke-Engine -InputData @{ image = $image }).logits.Data | Should -Be $expected
    }

    It 'names what also crosses the cut, or takes it along' {
        { $graph | Split-OnnxGraph /residual/Relu_output_0 -ErrorAction Stop } | Should -Throw "*'/Relu_1_output_0'*" -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SplitOnnxGraphCommand'
        $front, $back = $graph | Split-OnnxGraph /residual/Relu_output_0 -Complete
        $back.Inputs.Name | Should -Contain '/Relu_1_output_0'
    }

    It 'refuses more parts than nodes' {
        { $graph | Split-OnnxGraph -PartCount 1000 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.SplitOnnxGraphCommand'
    }
}
