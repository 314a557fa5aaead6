BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'New-InputData' {
    It 'makes numbers between 0 and 1 with a seed' {
        $a = $graph | New-InputData
        $b = $graph | New-InputData -Seed 1
        $c = $graph | New-InputData -Seed 2
        $a.image.Shape | Should -Be 1, 1, 8, 8
        ($a.image.Data | Measure-Object -Minimum).Minimum | Should -BeGreaterOrEqual 0
        ($a.image.Data | Measure-Object -Maximum).Maximum | Should -BeLessThan 1
        $b.image.Data | Should -Be $a.image.Data
        $c.image.Data | Should -Not -Be $a.image.Data
    }

    It 'keeps to ranges and shapes' {
        $made = @($graph | New-InputData -Count 2 -Range @{ image = 5, 6 } -InputShape @{ image = 3, 1, 8, 8 })
        $made.Count | Should -Be 2
        $made[1].image.Shape | Should -Be 3, 1, 8, 8
        ($made[1].image.Data | Measure-Object -Minimum).Minimum | Should -BeGreaterOrEqual 5
        ($graph | New-InputData -Range -2, -1).image.Data | ForEach-Object { $_ | Should -BeLessOrEqual -1 }
    }

    It 'takes an engine, and feeds it' {
        $engine = $graph | Build-Engine -Device Cpu
        @($engine | New-InputData -Count 2 | Invoke-Engine $engine).Count | Should -Be 2
    }

    It 'takes samples from files' {
        @($graph | New-InputData -Path $heldOutData -Count 5).Count | Should -Be 5
        @($graph | New-InputData -Path $calibrationData).Count | Should -BeGreaterThan 5
    }

    It 'names what is wrong' {
        { $graph | New-InputData -Range @{ imagee = 0, 1 } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.NewInputDataCommand'
        { $graph | New-InputData -Range 1 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.NewInputDataCommand'
        { 5 | New-InputData -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.NewInputDataCommand'
        { $graph | New-InputData -Path "$TestDrive/none" -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.NewInputDataCommand'
    }
}
