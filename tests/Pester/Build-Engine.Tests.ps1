BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits | Optimize-OnnxGraph | Invoke-LayerFusion
}

Describe 'Build-Engine' {
    Context 'results' {
        It 'builds an FP32 engine' {
            $engine = $graph | Build-Engine -Device Cpu
            $engine.Name | Should -Be 'digits'
            $engine.Device | Should -Be 'Cpu'
            $engine.Precision | Should -Be 'Fp32'
            $engine.Inputs.Name | Should -Be 'image'
            $engine.SizeBytes | Should -BeGreaterThan 0
            $engine.BuildSeconds | Should -BeGreaterThan 0
        }

        It 'writes the file that -OutputPath names' {
            $engine = $graph | Build-Engine -Device Cpu -OutputPath "$TestDrive/digits.engine"
            "$TestDrive/digits.engine" | Should -Exist
            $engine.Path | Should -Be (Join-Path $TestDrive digits.engine)
            (Get-EngineInfo "$TestDrive/digits.engine").Id | Should -Be $engine.Id
        }

        It 'gives the same id for the same graph and options' {
            ($graph | Build-Engine -Device Cpu).Id | Should -Be ($graph | Build-Engine -Device Cpu).Id
        }

        It 'builds an INT8 engine from a cache, a third of the size' {
            $cache = $graph | New-CalibrationCache -Data $calibrationData
            $engine = $graph | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache
            $engine.Precision | Should -Be 'Int8'
            $engine.SizeBytes | Should -BeLessThan (($graph | Build-Engine -Device Cpu).SizeBytes / 3)
        }

        It 'gives the same INT8 engine from calibration data as from a cache of it' {
            $cache = $graph | New-CalibrationCache -Data $calibrationData
            $fromCache = $graph | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache
            $fromData = $graph | Build-Engine -Device Cpu -Int8 -CalibrationData $calibrationData
            $fromData.Id | Should -Be $fromCache.Id
        }

        It 'warns when it must calibrate on synthetic inputs' {
            $engine = $graph | Build-Engine -Device Cpu -Int8 -WarningVariable warnings -WarningAction SilentlyContinue
            "$warnings" | Should -Match 'synthetic data'
            "$($engine.Warnings)" | Should -Match 'synthetic data'
        }

        It 'keeps a layer in float by -LayerPrecision' {
            $cache = $graph | New-CalibrationCache -Data $calibrationData
            $mixed = $graph | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache -LayerPrecision @{ '*Gemm*' = 'Fp32' }
            $mixed.Id | Should -Not -Be ($graph | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache).Id
        }

        It 'keeps to the shapes of a profile' {
            $engine = $graph | Build-Engine -Device Cpu -OptimizationProfile @{ Min = @{ image = 1, 1, 8, 8 }; Opt = @{ image = 4, 1, 8, 8 }; Max = @{ image = 8, 1, 8, 8 } }
            $engine.Profiles.Count | Should -Be 1
            { $engine | Invoke-Engine -InputData @{ image = New-Image 0.5 9 } -ErrorAction Stop } | Should -Throw -ErrorId 'ShapeOutOfProfile,TrtTools.Cmdlets.InvokeEngineCommand'
        }

        It 'warns once and takes the CPU where there is no CUDA' -Skip:([bool] $env:CUDA_PATH) {
            $engine = $graph | Build-Engine -Device Auto -WarningVariable warnings -WarningAction SilentlyContinue
            if ($engine.Device -eq 'Cpu') { @($warnings).Count | Should -BeLessOrEqual 1 }
            $engine.Device | Should -Not -BeNullOrEmpty
        }
    }

    Context 'several graphs' {
        It 'names files in a folder after the graphs' {
            Copy-Item $digits "$TestDrive/a.onnx"
            Copy-Item $digits "$TestDrive/b.onnx"
            New-Item "$TestDrive/engines" -ItemType Directory | Out-Null
            Import-OnnxGraph "$TestDrive/a.onnx", "$TestDrive/b.onnx" | Build-Engine -Device Cpu -OutputPath "$TestDrive/engines" | Out-Null
            (Get-ChildItem "$TestDrive/engines" | Sort-Object Name).BaseName | Should -Be 'a', 'b'
        }

        It 'goes on after a graph that it can not build' {
            New-UnsupportedModel "$TestDrive/bad.onnx" | Out-Null
            $engines = Import-OnnxGraph "$TestDrive/bad.onnx", $digits | Build-Engine -Device Cpu -ErrorAction SilentlyContinue -ErrorVariable problems
            $engines.Name | Should -Be 'digits'
            $problems[0].FullyQualifiedErrorId | Should -Be 'UnsupportedOperator,TrtTools.Cmdlets.BuildEngineCommand'
        }

        It 'refuses two graphs for one file, even with -Force' {
            { $graph, $graph | Build-Engine -Device Cpu -OutputPath "$TestDrive/one.engine" -Force -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathCollision,TrtTools.Cmdlets.BuildEngineCommand'
        }
    }

    Context 'safety' {
        It 'builds and writes nothing with -WhatIf' {
            $graph | Build-Engine -Device Cpu -OutputPath "$TestDrive/whatif.engine" -WhatIf | Should -BeNullOrEmpty
            "$TestDrive/whatif.engine" | Should -Not -Exist
        }

        It 'makes the real checks with -WhatIf' {
            New-UnsupportedModel "$TestDrive/unsupported.onnx" | Out-Null
            { Import-OnnxGraph "$TestDrive/unsupported.onnx" | Build-Engine -Device Cpu -WhatIf -ErrorAction Stop } | Should -Throw -ErrorId 'UnsupportedOperator,TrtTools.Cmdlets.BuildEngineCommand'
        }

        It 'keeps an existing file without -Force' {
            Set-Content "$TestDrive/old.engine" 'old'
            { $graph | Build-Engine -Device Cpu -OutputPath "$TestDrive/old.engine" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathExists,TrtTools.Cmdlets.BuildEngineCommand'
            Get-Content "$TestDrive/old.engine" | Should -Be 'old'
        }

        It 'can replace the file of a loaded engine' {
            $loaded = $graph | Build-Engine -Device Cpu -OutputPath "$TestDrive/live.engine"
            $null = $graph | Build-Engine -Device Cpu -OutputPath "$TestDrive/live.engine" -Force
            ($loaded | Invoke-Engine -InputData @{ image = New-Image }).logits.Data.Count | Should -Be 10
        }
    }

    Context 'errors' {
        It 'names every unsupported operator' {
            $model = Get-SharedModel style-candy
            { Import-OnnxGraph $model | Build-Engine -Device Cpu -ErrorAction Stop } | Should -Throw -ErrorId 'UnsupportedOperator,TrtTools.Cmdlets.BuildEngineCommand' -ExpectedMessage '*Affine*Crop*ImageScaler*'
        }

        It 'fails with CudaMissing where -Device Cuda has no GPU' {
            if (Get-EngineDevice | Where-Object Kind -EQ 'Cuda') { Set-ItResult -Skipped -Because 'this machine has a CUDA device' }
            { $graph | Build-Engine -Device Cuda -ErrorAction Stop } | Should -Throw -ErrorId 'CudaMissing,TrtTools.Cmdlets.BuildEngineCommand'
        }

        It 'names an input of -InputShape that the model does not have' {
            { $graph | Build-Engine -Device Cpu -InputShape @{ picture = 1, 1, 8, 8 } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.BuildEngineCommand'
        }

        It 'refuses a shape that contradicts the model' {
            { $graph | Build-Engine -Device Cpu -InputShape @{ image = 1, 3, 8, 8 } -ErrorAction Stop } | Should -Throw -ErrorId 'ShapeMismatch,TrtTools.Cmdlets.BuildEngineCommand'
        }
    }
}
