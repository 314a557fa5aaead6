BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
    $cache = $graph | New-CalibrationCache $calibrationData
}

Describe 'Debug-EnginePrecision' {
    It 'finds the layers that must stay in FP32, as Build-Engine takes them' {
        $check = { -not ($_.Layers | Where-Object { $_.Precision -eq 'Int8' -and ($_.SourceNode | Where-Object { $_ -in $needed }) }) }
        $all = ($graph | Build-Engine -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0).Layers | Where-Object Precision -EQ Int8
        $names = @($all.SourceNode | Where-Object { $_ -like '*Conv*' })
        $needed = $names[1], $names[-1]
        $found = $graph | Debug-EnginePrecision -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0 -Check $check
        $found.KeptCount | Should -Be 2
        foreach ($name in $needed) { $found.LayerPrecision[$name] | Should -Be 'Fp32' }
        $engine = $graph | Build-Engine -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0 -LayerPrecision $found.LayerPrecision
        $low = ($engine.Layers | Where-Object Precision -EQ Int8).SourceNode
        foreach ($name in $names) { $low -contains $name | Should -Be ($name -notin $needed) -Because $name }
        @($found.Layer | Where-Object KeepFp32).Count | Should -Be 2
    }

    It 'takes a comparison as the check, and a precision that is right already' {
        $found = $graph | Debug-EnginePrecision -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0 -Check { $_ | Compare-EngineOutput -InputData $heldOutData }
        $found.KeptCount | Should -Be 0
        $found.LayerPrecision.Count | Should -Be 0
    }

    It 'looks at the first or the last layers on request, and gives what is kept to the check' {
        $script:kept = @()
        $found = $graph | Debug-EnginePrecision { $script:kept += $LayerPrecision.Count; $LayerPrecision.Count -ge 2 } -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0 -Mode Backward
        $script:kept[0] | Should -Be 0
        $found.Layer[-1].KeepFp32 | Should -BeTrue
        $found.Layer[0].KeepFp32 | Should -BeFalse
    }

    It 'goes on from its replay file' {
        $script:calls = 0
        $check = { $script:calls++; $LayerPrecision.Count -gt 0 }
        $first = $graph | Debug-EnginePrecision $check -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0 -ReplayPath TestDrive:/replay.json
        $count = $script:calls
        $again = $graph | Debug-EnginePrecision $check -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0 -ReplayPath TestDrive:/replay.json
        $script:calls | Should -Be $count
        $again.KeptCount | Should -Be $first.KeptCount
    }

    It 'says what is wrong' {
        { $graph | Debug-EnginePrecision { } -Device Cpu -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.DebugEnginePrecisionCommand'
        { $graph | Debug-EnginePrecision { $false } -Int8 -CalibrationCache $cache -Device Cpu -OptimizationLevel 0 -ErrorAction Stop } | Should -Throw '*FP32 too*' -ErrorId 'FaultNotFound,TrtTools.Cmdlets.DebugEnginePrecisionCommand'
        { $graph | Debug-EnginePrecision { } -Int8 -CalibrationCache missing.cache -Device Cpu -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.DebugEnginePrecisionCommand'
    }

    It 'builds nothing with -WhatIf' {
        $script:calls = 0
        $graph | Debug-EnginePrecision { $script:calls++ } -Int8 -CalibrationCache $cache -Device Cpu -WhatIf | Should -BeNullOrEmpty
        $script:calls | Should -Be 0
    }
}
