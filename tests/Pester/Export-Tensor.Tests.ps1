BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $sample = Import-OnnxGraph $digits | New-InputData
}

Describe 'Export-Tensor' {
    It 'writes <_> that is read again' -ForEach '.npz', '.npy', '.pb', '.json' {
        $sample | Export-Tensor "$TestDrive/x$_"
        (Import-Tensor "$TestDrive/x$_").Data | Should -Be $sample.image.Data
    }

    It 'writes bare elements' {
        $sample.image | Export-Tensor "$TestDrive/x.bin"
        (Get-Item "$TestDrive/x.bin").Length | Should -Be 256
        (Import-Tensor "$TestDrive/x.bin" -DataType Float32).Data | Should -Be $sample.image.Data
    }

    It 'writes one file for each tensor into a folder' {
        $null = New-Item -ItemType Directory "$TestDrive/folder"
        (@{ a = [float[]] (1, 2); 'b/c' = [long[]] (3) } | Export-Tensor "$TestDrive/folder" -PassThru).Name | Sort-Object | Should -Be 'a.npy', 'b_c.npy'
    }

    It 'writes results that Compare-EngineOutput takes' {
        $engine = Import-OnnxGraph $digits | Build-Engine -Device Cpu
        $inputs = @(Import-OnnxGraph $digits | New-InputData -Count 2)
        $inputs | Export-Tensor "$TestDrive/inputs.json"
        $inputs | Invoke-Engine $engine | Export-Tensor "$TestDrive/outputs.json" -RunnerName trttools
        $result = $engine | Compare-EngineOutput -Reference "$TestDrive/outputs.json" -InputData "$TestDrive/inputs.json"
        $result.Passed | Should -BeTrue
        $result.SampleCount | Should -Be 2
        $result.Reference | Should -BeLike '*trttools*'
    }

    It 'joins the tensors of two files' {
        @{ a = [float[]] 1 } | Export-Tensor "$TestDrive/a.json" -RunnerName r
        @{ b = [float[]] 2 } | Export-Tensor "$TestDrive/b.json"
        Import-Tensor "$TestDrive/a.json", "$TestDrive/b.json" | Export-Tensor "$TestDrive/both.json"
        $both = @(Import-Tensor "$TestDrive/both.json" -AsDictionary)
        $both.Count | Should -Be 1
        $both[0].Keys | Should -Be 'a', 'b'
    }

    It 'refuses what a file cannot hold' {
        { $sample, $sample | Export-Tensor "$TestDrive/many.npz" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathInvalid,TrtTools.Cmdlets.ExportTensorCommand'
        { $sample | Export-Tensor "$TestDrive/x.txt" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathInvalid,TrtTools.Cmdlets.ExportTensorCommand'
        { $sample | Export-Tensor "$TestDrive/y.npz" -RunnerName r -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.ExportTensorCommand'
        { 5 | Export-Tensor "$TestDrive/y.npz" -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.ExportTensorCommand'
        Get-ChildItem "$TestDrive" -Filter 'many*' | Should -BeNullOrEmpty
    }

    It 'does not overwrite without -Force, and writes nothing with -WhatIf' {
        'old' | Set-Content "$TestDrive/old.npz"
        { $sample | Export-Tensor "$TestDrive/old.npz" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathExists,TrtTools.Cmdlets.ExportTensorCommand'
        Get-Content "$TestDrive/old.npz" | Should -Be 'old'
        $sample | Export-Tensor "$TestDrive/none.npz" -WhatIf
        Test-Path "$TestDrive/none.npz" | Should -BeFalse
        $sample | Export-Tensor "$TestDrive/old.npz" -Force
        (Import-Tensor "$TestDrive/old.npz").Name | Should -Be 'image'
    }
}
