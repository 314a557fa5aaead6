BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $file = "$TestDrive/digits.engine"
    $engine = Import-OnnxGraph $digits | Optimize-OnnxGraph | Invoke-LayerFusion | Build-Engine -Device Cpu -OutputPath $file
}

Describe 'Get-EngineLayer' {
    It 'lists layers with kind, precision and source nodes' {
        $layers = @($engine | Get-EngineLayer)
        $layers.Count | Should -BeGreaterThan 3
        $layers[0].Name | Should -Not -BeNullOrEmpty
        $layers[0].Kind | Should -Not -BeNullOrEmpty
        $layers[0].Precision | Should -Not -BeNullOrEmpty
        $layers.SourceNode | Should -Contain '/stem/stem.0/Conv'
        $layers[0].Model | Should -Be 'digits'
    }

    It 'takes a path too' {
        @(Get-EngineLayer -Path $file).Count | Should -Be @($engine | Get-EngineLayer).Count
    }

    It 'becomes JSON without loss' {
        @($engine | Get-EngineLayer | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Count | Should -BeGreaterThan 3
    }

    It 'names a missing file' {
        { Get-EngineLayer -Path "$TestDrive/none.engine" -ErrorAction Stop } | Should -Throw -ErrorId 'EngineNotFound,TrtTools.Cmdlets.GetEngineLayerCommand'
    }
}
