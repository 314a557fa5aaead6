BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $file = "$TestDrive/digits.engine"
    $graph = Import-OnnxGraph $digits | Optimize-OnnxGraph | Invoke-LayerFusion
    $engine = $graph | Build-Engine -Device Cpu -OutputPath $file
}

Describe 'Compare-EngineOutput' {
    It 'finds the FP32 engine equal to the original file' {
        $comparison = $engine | Compare-EngineOutput -InputData $calibrationData
        $comparison.Output | Should -Be 'logits'
        $comparison.Passed | Should -BeTrue
        $comparison.MaxAbsoluteError | Should -BeLessThan 0.001
        $comparison.Cosine | Should -BeGreaterThan 0.9999
        $comparison.HasNaN | Should -BeFalse
        $comparison.Model | Should -Be 'digits'
    }

    It 'makes inputs of its own when none are given' {
        ($engine | Compare-EngineOutput).Passed | Should -BeTrue
    }

    It 'compares with another engine' {
        $int8 = $graph | Build-Engine -Device Cpu -Int8 -CalibrationData $calibrationData
        $comparison = $int8 | Compare-EngineOutput -Reference $engine -InputData $calibrationData
        $comparison.Cosine | Should -BeGreaterThan 0.99
        $comparison.TopKAgreement | Should -BeGreaterThan 0.98
    }

    It 'fails what lies outside the tolerance' {
        $int8 = $graph | Build-Engine -Device Cpu -Int8 -CalibrationData $calibrationData
        ($int8 | Compare-EngineOutput -InputData $calibrationData -AbsoluteTolerance 1e-9).Passed | Should -BeFalse
    }

    It 'reads inputs and expected outputs from a backend-test folder' {
        $model = Get-SharedModel mnist-cntk
        $mnist = Import-OnnxGraph $model | Build-Engine -Device Cpu
        ($mnist | Compare-EngineOutput -Reference (Join-Path (Split-Path $model) test_data_set_0)).Passed | Should -BeTrue
    }

    It 'takes a path, and becomes JSON without loss' {
        (Compare-EngineOutput -Path $file -InputData $calibrationData | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Passed | Should -BeTrue
    }

    It 'names an input that the engine does not have' {
        { $engine | Compare-EngineOutput -InputData @{ picture = New-Image } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.CompareEngineOutputCommand'
    }

    It 'says when the reference is missing' {
        { $engine | Compare-EngineOutput -Reference "$TestDrive/none" -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.CompareEngineOutputCommand'
    }
}
