BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $file = "$TestDrive/digits.engine"
    $built = Import-OnnxGraph $digits | Build-Engine -Device Cpu -OutputPath $file
}

Describe 'Import-Engine' {
    It 'loads what Build-Engine wrote' {
        $engine = Import-Engine $file
        $engine.Id | Should -Be $built.Id
        $engine.Inputs.Name | Should -Be 'image'
        $engine.Outputs.Name | Should -Be 'logits'
    }

    It 'computes the same as the engine that was built' {
        $input1 = @{ image = New-Image 0.3 }
        (Import-Engine $file | Invoke-Engine -InputData $input1).logits.Data -join ' ' | Should -Be (($built | Invoke-Engine -InputData $input1).logits.Data -join ' ')
    }

    It 'takes several files from the pipeline' {
        Copy-Item $file "$TestDrive/second.engine"
        @(Get-ChildItem "$TestDrive/*.engine" | Import-Engine).Count | Should -Be 2
    }

    It 'has a summary that becomes JSON' {
        ((Import-Engine $file).ToSummary() | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Id | Should -Be $built.Id
    }

    It 'names a missing file' {
        { Import-Engine "$TestDrive/none.engine" -ErrorAction Stop } | Should -Throw -ErrorId 'EngineNotFound,TrtTools.Cmdlets.ImportEngineCommand'
    }

    It 'refuses an altered file' {
        $bytes = [IO.File]::ReadAllBytes($file)
        $bytes[-100] = $bytes[-100] -bxor 0xff
        [IO.File]::WriteAllBytes("$TestDrive/altered.bin", $bytes)
        { Import-Engine "$TestDrive/altered.bin" -ErrorAction Stop } | Should -Throw -ErrorId 'EngineCorrupt,TrtTools.Cmdlets.ImportEngineCommand'
    }

    It 'refuses a truncated file' {
        $bytes = [IO.File]::ReadAllBytes($file)
        [IO.File]::WriteAllBytes("$TestDrive/short.bin", $bytes[0..($bytes.Length / 2)])
        { Import-Engine "$TestDrive/short.bin" -ErrorAction Stop } | Should -Throw -ErrorId 'EngineCorrupt,TrtTools.Cmdlets.ImportEngineCommand'
    }

    It 'refuses a file that is no engine' {
        { Import-Engine $digits -ErrorAction Stop } | Should -Throw -ErrorId 'EngineCorrupt,TrtTools.Cmdlets.ImportEngineCommand'
    }
}
