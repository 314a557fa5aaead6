BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Debug-EngineBuild' {
    It 'builds and sorts' {
        $script:calls = 0
        $trials = $graph | Debug-EngineBuild -Check { ++$script:calls -ne 2 } -Until 3 -ArtifactPath TestDrive:/sorted -Device Cpu -OptimizationLevel 0
        $trials.Outcome | Should -Be 'Good', 'Bad', 'Good'
        (Get-ChildItem TestDrive:/sorted/good).Name | Should -Be 'digits-001.engine', 'digits-003.engine'
        (Get-ChildItem TestDrive:/sorted/bad).Name | Should -Be 'digits-002.engine'
        ($trials[1].Path | Get-Item).Directory.Name | Should -Be 'bad'
        (Import-Engine $trials[0].Path).Device | Should -Be 'Cpu'
    }

    It 'ends with the first bad one, and goes on where it was' {
        $script:calls = 0
        $check = { ++$script:calls -lt 3 }
        @($graph | Debug-EngineBuild $check -Until Bad -MaximumCheck 2 -ArtifactPath TestDrive:/until -Device Cpu -OptimizationLevel 0).Count | Should -Be 2
        $trials = $graph | Debug-EngineBuild $check -Until Bad -ArtifactPath TestDrive:/until -Device Cpu -OptimizationLevel 0
        $script:calls | Should -Be 3
        $trials.Outcome | Should -Be 'Good', 'Good', 'Bad'
        $trials.Replayed | Should -Be $true, $true, $false
    }

    It 'writes nothing with -WhatIf' {
        $graph | Debug-EngineBuild { } -Until Good -ArtifactPath TestDrive:/none -Device Cpu -WhatIf | Should -BeNullOrEmpty
        Test-Path TestDrive:/none | Should -BeFalse
    }

    It 'says what is wrong' {
        { $graph | Debug-EngineBuild { } -Until Never -ArtifactPath TestDrive:/none -Device Cpu -ErrorAction Stop } | Should -Throw "*'Never'*" -ErrorId 'OptionInvalid,TrtTools.Cmdlets.DebugEngineBuildCommand'
        { $graph | Debug-EngineBuild { } -Until 1 -ArtifactPath TestDrive:/none -Device Cpu -TimingCachePath TestDrive:/t -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.DebugEngineBuildCommand'
        { $graph, $graph | Debug-EngineBuild { } -Until 1 -ArtifactPath TestDrive:/two -Device Cpu -OptimizationLevel 0 -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathCollision,TrtTools.Cmdlets.DebugEngineBuildCommand'
        Set-Content TestDrive:/file 'text'
        { $graph | Debug-EngineBuild { } -Until 1 -ArtifactPath TestDrive:/file -Device Cpu -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathInvalid,TrtTools.Cmdlets.DebugEngineBuildCommand'
        Test-Path TestDrive:/none | Should -BeFalse
    }
}
