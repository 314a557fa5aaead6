BeforeAll { . "$PSScriptRoot/TrtTools.TestHelpers.ps1" }

Describe 'Get-EngineDevice' {
    It 'lists the CPU' {
        $cpu = Get-EngineDevice | Where-Object Kind -EQ 'Cpu'
        $cpu.Name | Should -Not -BeNullOrEmpty
    }

    It 'says what to install for each library that was not found' {
        foreach ($device in Get-EngineDevice) { "$($device | Out-String)" | Should -Not -BeNullOrEmpty }
    }

    It 'becomes JSON without loss' {
        @(Get-EngineDevice | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Count | Should -BeGreaterThan 0
    }
}
