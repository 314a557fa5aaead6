BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $file = "$TestDrive/digits.engine"
    $engine = Import-OnnxGraph $digits | Build-Engine -Device Cpu -OutputPath $file
    $short = @{ Duration = 0; Iteration = 20; WarmUp = 1 }
}

Describe 'Measure-Engine' {
    It "gives trtexec's figures, in order" {
        $benchmark = $engine | Measure-Engine @short
        $benchmark.Iterations | Should -BeGreaterOrEqual 20
        $benchmark.ThroughputPerSecond | Should -BeGreaterThan 0
        foreach ($group in 'Latency', 'Enqueue', 'HostToDevice', 'GpuCompute', 'DeviceToHost') {
            $figures = $benchmark.$group
            $figures.Min | Should -BeLessOrEqual $figures.Median
            $figures.Median | Should -BeLessOrEqual $figures.P90
            $figures.P90 | Should -BeLessOrEqual $figures.P95
            $figures.P95 | Should -BeLessOrEqual $figures.P99
            $figures.P99 | Should -BeLessOrEqual $figures.Max
        }
        $benchmark.LatencyP99Ms | Should -Be $benchmark.Latency.P99
    }

    It 'times each layer with -Profile' {
        $layers = ($engine | Measure-Engine @short -Profile).Layers
        $layers.Count | Should -BeGreaterThan 3
        ($layers | Measure-Object Percent -Sum).Sum | Should -BeGreaterThan 99
    }

    It 'compares with a baseline' {
        $benchmark = $engine | Measure-Engine @short -Baseline (Import-Engine $file)
        $benchmark | Should -Not -BeNullOrEmpty
    }

    It 'takes a path, and becomes JSON without loss' {
        $benchmark = Measure-Engine -Path $file @short
        ($benchmark | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Iterations | Should -Be $benchmark.Iterations
    }

    It 'measures several engines' {
        @($engine, $engine | Measure-Engine @short).Count | Should -Be 2
    }

    It 'names a missing engine' {
        { Measure-Engine -Path "$TestDrive/none.engine" -ErrorAction Stop } | Should -Throw -ErrorId 'EngineNotFound,TrtTools.Cmdlets.MeasureEngineCommand'
    }
}
