BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits | Optimize-OnnxGraph
}

Describe 'Invoke-LayerFusion' {
    It 'leaves fewer nodes, as functions of trt.tools' {
        $fused = $graph | Invoke-LayerFusion
        $fused.Nodes.Count | Should -BeLessThan $graph.Nodes.Count
        $fused.Nodes.Domain | Should -Contain 'trt.tools'
        $fused.Nodes.OpType | Should -Not -Contain 'BatchNormalization'
    }

    It 'leaves its input as it was' {
        $before = $graph.Nodes.OpType -join ' '
        $null = $graph | Invoke-LayerFusion
        $graph.Nodes.OpType -join ' ' | Should -Be $before
    }

    It 'carries the report on the graph' {
        $fused = $graph | Invoke-LayerFusion
        @($fused.FusionReport | Where-Object Fused).Count | Should -BeGreaterThan 0
    }

    It 'gives the report instead of the graph with -Report' {
        $records = @($graph | Invoke-LayerFusion -Report)
        $records[0].GetType().Name | Should -Be 'FusionRecord'
        $records[0].Pattern | Should -Not -BeNullOrEmpty
        $records[0].Model | Should -Be 'digits'
    }

    It 'says why it did not fuse' {
        $records = $graph | Invoke-LayerFusion -Report
        foreach ($record in $records | Where-Object Fused -EQ $false) { $record.Reason | Should -Not -BeNullOrEmpty }
        $records.Count | Should -BeGreaterThan 0
    }

    It 'gives the same results after fusing' {
        $fused = $graph | Invoke-LayerFusion | Build-Engine -Device Cpu
        ($fused | Compare-EngineOutput -InputData @{ image = New-Image }).Passed | Should -BeTrue
    }

    It 'takes several graphs' {
        @(Import-OnnxGraph $digits, $digits | Invoke-LayerFusion).Count | Should -Be 2
    }

    It 'takes patterns from a file' {
        $file = Join-Path $TestDrive own.yaml
        Set-Content $file 'patterns: [{name: Chain, place: whole, shapes: ["MaxPool(Relu(x))"]}]'
        ($graph | Invoke-LayerFusion -PatternPath $file -Report).Pattern | Should -Not -BeNullOrEmpty
        (($graph | Invoke-LayerFusion -PatternPath (Join-Path $TestDrive *.yaml)).History | Select-Object -Last 1).Parameters | Should -Be '-PatternPath own.yaml'
    }

    It 'names a fault of a pattern file' {
        $file = Join-Path $TestDrive bad.txt
        Set-Content $file 'patterns: [{name: Chain, shapes: ["MaxPool("]}]'
        { $graph | Invoke-LayerFusion -PatternPath $file -ErrorAction Stop } | Should -Throw -ErrorId 'DataInvalid,TrtTools.Cmdlets.InvokeLayerFusionCommand'
        { $graph | Invoke-LayerFusion -PatternPath (Join-Path $TestDrive none.yaml) -ErrorAction Stop } | Should -Throw -ErrorId 'FileNotReadable,TrtTools.Cmdlets.InvokeLayerFusionCommand'
    }

    It 'names a pattern that does not exist' {
        { $graph | Invoke-LayerFusion -Pattern no-such-pattern -ErrorAction Stop } | Should -Throw -ErrorId 'PatternUnknown,TrtTools.Cmdlets.InvokeLayerFusionCommand'
    }
}
