BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits | Optimize-OnnxGraph | Invoke-LayerFusion
}

Describe 'New-CalibrationCache' {
    Context 'results' {
        It 'gives a range and a scale for each tensor' {
            $cache = $graph | New-CalibrationCache -Data $calibrationData
            $cache.Algorithm | Should -Be 'Entropy'
            $cache.SampleCount | Should -Be 160
            $image = $cache.Tensors | Where-Object Name -EQ 'image'
            $image.Min | Should -Be 0
            $image.Max | Should -Be 1
            $image.Scale | Should -BeGreaterThan 0
            $image.Scale | Should -BeLessOrEqual (1.01 / 127)
        }

        It 'calibrates with <_>' -ForEach 'Entropy', 'MinMax', 'Percentile', 'Mse' {
            $cache = $graph | New-CalibrationCache -Data $calibrationData -Algorithm $_
            $cache.Algorithm | Should -Be $_
            $cache.Tensors.Scale | Should -Not -Contain 0
        }

        It 'clips nothing with MinMax' {
            $cache = $graph | New-CalibrationCache -Data $calibrationData -Algorithm MinMax
            ($cache.Tensors | Measure-Object ClippedFraction -Maximum).Maximum | Should -Be 0
        }

        It 'gives the same scales for the raw graph as for the fused one' {
            $raw = Import-OnnxGraph $digits | New-CalibrationCache -Data $calibrationData
            $fused = $graph | New-CalibrationCache -Data $calibrationData
            $scale = @{}
            foreach ($tensor in $raw.Tensors) { $scale[$tensor.Name] = $tensor.Scale }
            $shared = @($fused.Tensors | Where-Object { $scale.ContainsKey($_.Name) })
            $shared.Count | Should -BeGreaterThan 3
            foreach ($tensor in $shared) { $tensor.Scale | Should -Be $scale[$tensor.Name] }
        }
    }

    Context 'data' {
        It 'takes dictionaries' {
            $cache = $graph | New-CalibrationCache -Data @{ image = New-Image 0.1 }, @{ image = New-Image 0.9 }
            $cache.SampleCount | Should -Be 2
        }

        It 'takes a script block that gives a dictionary for each index' {
            $cache = $graph | New-CalibrationCache -Data { param($index) if ($index -lt 3) { @{ image = New-Image (0.25 * $index) } } }
            $cache.SampleCount | Should -Be 3
        }

        It 'does not depend on how samples are cut into batches' {
            $one = $graph | New-CalibrationCache -Data @{ image = New-Image 0.5 }, @{ image = New-Image 0.5 }
            $two = $graph | New-CalibrationCache -Data @{ image = New-Image 0.5 2 }
            $one.Tensors.Scale -join ' ' | Should -Be ($two.Tensors.Scale -join ' ')
        }
    }

    Context 'errors' {
        It 'refuses NaN' {
            { $graph | New-CalibrationCache -Data @{ image = New-Image ([float]::NaN) } -ErrorAction Stop } | Should -Throw -ErrorId 'CalibrationDataInvalid,TrtTools.Cmdlets.NewCalibrationCacheCommand'
        }

        It 'refuses zero samples' {
            { $graph | New-CalibrationCache -Data { } -ErrorAction Stop } | Should -Throw -ErrorId 'CalibrationDataInvalid,TrtTools.Cmdlets.NewCalibrationCacheCommand'
        }

        It 'names an input that the model does not have' {
            { $graph | New-CalibrationCache -Data @{ picture = New-Image } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.NewCalibrationCacheCommand'
        }

        It 'says when the data is missing' {
            { $graph | New-CalibrationCache -Data "$TestDrive/none.npz" -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.NewCalibrationCacheCommand'
        }
    }
}
