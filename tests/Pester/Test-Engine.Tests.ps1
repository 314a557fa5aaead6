BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $file = "$TestDrive/digits.engine"
    $engine = Import-OnnxGraph $digits | Build-Engine -Device Cpu -OutputPath $file
}

Describe 'Test-Engine' {
    It 'finds every bit as it was, on the engine and on its file' {
        $tests = @($engine | Test-Engine) + @(Test-Engine -Path $file)
        $tests.Count | Should -Be 2
        $tests.Passed | Should -Be $true, $true
        $tests.Identical | Should -Be $true, $true
        $tests[1].Path | Should -Be $file
    }

    It 'gives a Boolean with -Quiet' {
        $answer = Test-Engine -LiteralPath $file -Quiet
        $answer | Should -BeOfType [bool]
        $answer | Should -BeTrue
    }

    It 'answers once for each of several engines' {
        @($engine, $engine | Test-Engine -Quiet).Count | Should -Be 2
    }

    It 'reports a file that is missing, and goes on with the next' {
        $tests = Test-Engine -LiteralPath "$TestDrive/none.engine", $file -ErrorAction SilentlyContinue -ErrorVariable problems
        @($tests).Count | Should -Be 1
        $problems[0].FullyQualifiedErrorId | Should -Be 'EngineNotFound,TrtTools.Cmdlets.TestEngineCommand'
    }

    It 'refuses a disposed engine' {
        $gone = Import-Engine $file
        $gone.Dispose()
        { $gone | Test-Engine -ErrorAction Stop } | Should -Throw -ErrorId 'ObjectNotLive,TrtTools.Cmdlets.TestEngineCommand'
    }

    It 'becomes JSON without loss' {
        ($engine | Test-Engine | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Passed | Should -BeTrue
    }
}
