BeforeAll { . "$PSScriptRoot/TrtTools.TestHelpers.ps1" }

Describe 'Import-CalibrationCache' {
    It 'reads back what was written, bit for bit' {
        $cache = Import-OnnxGraph $digits | New-CalibrationCache -Data $calibrationData
        $cache | Export-CalibrationCache -Path "$TestDrive/a.cache"
        $read = Import-CalibrationCache "$TestDrive/a.cache"
        $read.Tensors.Name -join ' ' | Should -Be ($cache.Tensors.Name -join ' ')
        $read.Tensors.Scale -join ' ' | Should -Be ($cache.Tensors.Scale -join ' ')
        $read | Export-CalibrationCache -Path "$TestDrive/b.cache"
        (Get-FileHash "$TestDrive/b.cache").Hash | Should -Be (Get-FileHash "$TestDrive/a.cache").Hash
    }

    It 'reads header <_>' -ForEach 'TRT-8502-EntropyCalibration2', 'TRT-100300-EntropyCalibration2', 'TRT-110100-EntropyCalibration2', 'TRT-8502-MinMaxCalibration' {
        Set-Content "$TestDrive/h.cache" "$_`nimage: 3c010204"
        $cache = Import-CalibrationCache "$TestDrive/h.cache"
        $cache.Tensors[0].Name | Should -Be 'image'
        $cache.Tensors[0].Scale | Should -BeGreaterThan 0.00787
        $cache.Tensors[0].Scale | Should -BeLessThan 0.00788
    }

    It 'reads Windows line ends and names that hold a colon' {
        [IO.File]::WriteAllText("$TestDrive/crlf.cache", "TRT-8502-EntropyCalibration2`r`nscope: conv1:0: 3c010204`r`n")
        (Import-CalibrationCache "$TestDrive/crlf.cache").Tensors[0].Name | Should -Be 'scope: conv1:0'
    }

    It 'names a damaged line by its number' {
        Set-Content "$TestDrive/damaged.cache" "TRT-8502-EntropyCalibration2`nimage: 3c010204`nbroken"
        { Import-CalibrationCache "$TestDrive/damaged.cache" -ErrorAction Stop } | Should -Throw -ErrorId 'CalibrationCacheInvalid,TrtTools.Cmdlets.ImportCalibrationCacheCommand' -ExpectedMessage '*line 3*'
    }

    It 'says when the file is missing' {
        { Import-CalibrationCache "$TestDrive/none.cache" -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.ImportCalibrationCacheCommand'
    }

    It 'reads several files' {
        foreach ($name in 'x', 'y') { Set-Content "$TestDrive/$name.cache" "TRT-8502-EntropyCalibration2`nimage: 3c010204" }
        @(Get-ChildItem "$TestDrive/x.cache", "$TestDrive/y.cache" | Import-CalibrationCache).Count | Should -Be 2
    }
}
