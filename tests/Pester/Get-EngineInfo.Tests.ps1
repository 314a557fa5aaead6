BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $file = "$TestDrive/digits.engine"
    $built = Import-OnnxGraph $digits | Build-Engine -Device Cpu -OutputPath $file
}

Describe 'Get-EngineInfo' {
    It 'tells what the engine is and where it came from' {
        $info = Get-EngineInfo $file
        $info.Id | Should -Be $built.Id
        $info.Name | Should -Be 'digits'
        $info.Device | Should -Be 'Cpu'
        $info.Precision | Should -Be 'Fp32'
        $info.SizeBytes | Should -Be (Get-Item $file).Length
        $info.BuiltAt | Should -BeGreaterThan ([DateTimeOffset]::Now.AddHours(-1))
        $info.Provenance | Should -Not -BeNullOrEmpty
    }

    It 'takes several files from the pipeline' {
        Copy-Item $file "$TestDrive/second.engine"
        @(Get-ChildItem "$TestDrive/*.engine" | Get-EngineInfo).Count | Should -Be 2
    }

    It 'becomes JSON without loss' {
        (Get-EngineInfo $file | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Id | Should -Be $built.Id
    }

    It 'names a missing file' {
        { Get-EngineInfo "$TestDrive/none.engine" -ErrorAction Stop } | Should -Throw -ErrorId 'EngineNotFound,TrtTools.Cmdlets.GetEngineInfoCommand'
    }

    It 'refuses a file that is no engine, and goes on' {
        $info = Get-EngineInfo $digits, $file -ErrorAction SilentlyContinue -ErrorVariable problems
        $info.Name | Should -Be 'digits'
        $problems[0].FullyQualifiedErrorId | Should -Be 'EngineCorrupt,TrtTools.Cmdlets.GetEngineInfoCommand'
    }
}
