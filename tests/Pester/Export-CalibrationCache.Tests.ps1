BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $cache = Import-OnnxGraph $digits | New-CalibrationCache -Data $calibrationData
}

Describe 'Export-CalibrationCache' {
    It "writes TensorRT's text form" {
        $cache | Export-CalibrationCache -Path "$TestDrive/digits.cache"
        $lines = Get-Content "$TestDrive/digits.cache"
        $lines[0] | Should -Match '^TRT-\d+-EntropyCalibration2$'
        $lines[1] | Should -Match '^.+: [0-9a-f]{8}$'
        $lines.Count | Should -Be ($cache.Tensors.Count + 1)
    }

    It 'writes JSON with all statistics' {
        $cache | Export-CalibrationCache -Path "$TestDrive/digits.json"
        Get-Content -Raw "$TestDrive/digits.json" | ConvertFrom-Json | Should -Not -BeNullOrEmpty
        (Import-CalibrationCache "$TestDrive/digits.json").Tensors[0].Sqnr | Should -Be $cache.Tensors[0].Sqnr
    }

    It 'keeps an existing file without -Force' {
        Set-Content "$TestDrive/old.cache" 'old'
        { $cache | Export-CalibrationCache -Path "$TestDrive/old.cache" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathExists,TrtTools.Cmdlets.ExportCalibrationCacheCommand'
        Get-Content "$TestDrive/old.cache" | Should -Be 'old'
        $cache | Export-CalibrationCache -Path "$TestDrive/old.cache" -Force
        (Get-Content "$TestDrive/old.cache")[0] | Should -Match '^TRT-'
    }

    It 'writes nothing with -WhatIf' {
        $cache | Export-CalibrationCache -Path "$TestDrive/whatif.cache" -WhatIf
        "$TestDrive/whatif.cache" | Should -Not -Exist
    }

    It 'refuses two caches for one file' {
        { $cache, $cache | Export-CalibrationCache -Path "$TestDrive/both.cache" -Force -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathCollision,TrtTools.Cmdlets.ExportCalibrationCacheCommand'
    }
}
