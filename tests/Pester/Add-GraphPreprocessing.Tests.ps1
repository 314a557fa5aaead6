BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
    $frame = [byte[]]::new(24 * 16 * 3)
    for ($i = 0; $i -lt $frame.Length; $i++) { $frame[$i] = (37 * $i + $i * $i) % 256 }
}

Describe 'Add-GraphPreprocessing' {
    It 'takes raw pixels and keeps the name of the model''s tensor' {
        $new = $graph | Add-GraphPreprocessing @{ mean = 0.5; std = 0.5 } -ImageSize 24, 16 -ImageName frame
        $new.Inputs.Name | Should -Be 'frame'
        $new.Inputs[0].DataType | Should -Be 'UInt8'
        $new.Inputs[0].Shape[-3..-1] | Should -Be 24, 16, 3
        ($new | Get-GraphTensor image).Shape[-2..-1] | Should -Be 8, 8
        $new.History[-1].Transformation | Should -Be 'Add-GraphPreprocessing'
        $graph.Inputs.Name | Should -Be 'image'
        $new | Test-OnnxGraph -Quiet | Should -BeTrue
    }

    It 'numbers a name that is taken' {
        ($graph | Add-GraphPreprocessing).Inputs.Name | Should -Be 'image_1'
    }

    It 'runs as an engine, and is compared with the model as it was' {
        $engine = $graph | Add-GraphPreprocessing @{ colorOrder = 'Gray'; fit = 'crop' } -ImageSize 24, 16 -ImageName frame | Build-Engine -Device Cpu
        $engine.Inputs[0].Preprocessing | Should -Match '"fit":"Crop"'
        $comparison = $engine | Compare-EngineOutput -InputData @{ frame = $frame }
        $comparison.Passed | Should -BeTrue
        $comparison.Reference | Should -Match 'digits.onnx'
    }

    It 'reads the description from a file, which may be given again' {
        Set-Content "$TestDrive/how.yaml" "mean: 0.25`nimageSize: [24, 16]"
        $camera = $graph | Add-GraphPreprocessing "$TestDrive/how.yaml" -ImageName frame
        $cache = $camera | New-CalibrationCache -Data @{ frame = $frame } -Preprocessing "$TestDrive/how.yaml"
        $cache.Tensors.Name | Should -Contain 'image'
        $camera.Inputs[0].Shape[-3] | Should -Be 24
    }

    It 'takes several graphs' {
        @($graph, $graph | Add-GraphPreprocessing).Count | Should -Be 2
    }

    It 'names the nearest key and input' {
        { $graph | Add-GraphPreprocessing @{ maen = 0.5 } -ErrorAction Stop } | Should -Throw "*'mean'*" -ErrorId 'DataInvalid,TrtTools.Cmdlets.AddGraphPreprocessingCommand'
        { $graph | Add-GraphPreprocessing -InputTensor imgae -ErrorAction Stop } | Should -Throw "*'image'*" -ErrorId 'InputNotFound,TrtTools.Cmdlets.AddGraphPreprocessingCommand'
        { $graph | Add-GraphPreprocessing nothere.yaml -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.AddGraphPreprocessingCommand'
    }

    It 'does not do it twice' {
        { $graph | Add-GraphPreprocessing | Add-GraphPreprocessing -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.AddGraphPreprocessingCommand'
    }
}
