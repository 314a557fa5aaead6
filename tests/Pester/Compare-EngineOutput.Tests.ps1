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

    It 'judges by <_>' -ForEach 'Elementwise', 'Max', 'Mean', 'Median', 'Quantile', 'L2', 'Cosine', 'Psnr', 'Snr' {
        $comparison = $engine | Compare-EngineOutput -InputData $calibrationData -Comparator $_ -AbsoluteTolerance 0.001
        $comparison.Comparator | Should -Be $_
        if ($_ -ne 'L2') { $comparison.Passed | Should -BeTrue }
        $int8 = $graph | Build-Engine -Device Cpu -Int8 -CalibrationData $calibrationData
        if ($_ -in 'Elementwise', 'Max', 'L2') { ($int8 | Compare-EngineOutput -InputData $calibrationData -Comparator $_).Passed | Should -BeFalse }
    }

    It 'compares the places of the largest elements' {
        ($engine | Compare-EngineOutput -InputData $calibrationData -TopIndex 1 -Comparator Index).Passed | Should -BeTrue
        { $engine | Compare-EngineOutput -Threshold 1 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.CompareEngineOutputCommand'
    }

    It 'has tolerances of single outputs' {
        $int8 = $graph | Build-Engine -Device Cpu -Int8 -CalibrationData $calibrationData
        ($int8 | Compare-EngineOutput -InputData $calibrationData -AbsoluteTolerance 1e-9 -OutputTolerance @{ logits = 1000 }).Passed | Should -BeTrue
        $own = $int8 | Compare-EngineOutput -InputData $calibrationData -Comparator Max -OutputComparator @{ logits = @{ Comparator = 'Cosine'; Threshold = 0.5 } }
        $own.Comparator | Should -Be 'Cosine'
        $own.Passed | Should -BeTrue
        { $int8 | Compare-EngineOutput -OutputComparator @{ logits = 'Cosin' } -ErrorAction Stop } | Should -Throw '*Cosine*' -ErrorId 'OptionInvalid,TrtTools.Cmdlets.CompareEngineOutputCommand'
        { $int8 | Compare-EngineOutput -OutputComparator @{ logit = 'Cosine' } -ErrorAction Stop } | Should -Throw "*'logits'*" -ErrorId 'OptionInvalid,TrtTools.Cmdlets.CompareEngineOutputCommand'
        { $int8 | Compare-EngineOutput -OutputTolerance @{ logits = 'a' } -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.CompareEngineOutputCommand'
    }

    It 'compares each layer, and says where the error begins' {
        $layers = @($engine | Compare-EngineOutput -Layer -InputData @{ image = (New-Image) })
        $layers.Count | Should -BeGreaterThan 5
        $layers.Passed | Should -Not -Contain $false
        $layers.BeginsHere | Should -Not -Contain $true
        @($engine | Compare-EngineOutput -Layer -InputData @{ image = (New-Image) } -AbsoluteTolerance 1e-12 | Where-Object BeginsHere).Count | Should -BeGreaterThan 0
        { $engine | Compare-EngineOutput -Layer -Reference $engine -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.CompareEngineOutputCommand'
    }

    It 'draws the errors' {
        $null = New-Item -ItemType Directory "$TestDrive/plots"
        $null = $engine | Compare-EngineOutput -InputData $calibrationData -PlotPath "$TestDrive/plots" -WhatIf
        Get-ChildItem "$TestDrive/plots" | Should -BeNullOrEmpty
        $null = $engine | Compare-EngineOutput -InputData $calibrationData -PlotPath "$TestDrive/plots"
        (Get-ChildItem "$TestDrive/plots").Name | Should -Be 'logits-errors.svg', 'logits-heatmap.svg'
        { $engine | Compare-EngineOutput -PlotPath "$TestDrive/plots" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathExists,TrtTools.Cmdlets.CompareEngineOutputCommand'
        { $engine | Compare-EngineOutput -PlotPath "$TestDrive/nowhere" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathInvalid,TrtTools.Cmdlets.CompareEngineOutputCommand'
    }
}
