BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Measure-OnnxGraph' {
    It 'counts nodes, operators, parameters and bytes' {
        $summary = $graph | Measure-OnnxGraph
        $summary.NodeCount | Should -Be $graph.Nodes.Count
        # 98,474 that were trained, and the running mean and variance of six BatchNormalizations.
        $summary.Parameters | Should -Be 99178
        $summary.WeightBytes | Should -Be (4 * 99178)
        $summary.Model | Should -Be 'digits'
        $summary.Path | Should -Be $digits
    }

    It 'counts FLOPs as two for each multiply-add' {
        $summary = $graph | Measure-OnnxGraph -InputShape @{ image = 1, 1, 8, 8 }
        # The first convolution alone: 32 outputs of 9 products at 64 places.
        $summary.Flops | Should -BeGreaterThan (2 * 32 * 9 * 64)
    }

    It 'doubles the FLOPs of a doubled batch' {
        $one = ($graph | Measure-OnnxGraph -InputShape @{ image = 1, 1, 8, 8 }).Flops
        $two = ($graph | Measure-OnnxGraph -InputShape @{ image = 2, 1, 8, 8 }).Flops
        $two | Should -Be (2 * $one)
    }

    It 'gives one record for each graph' {
        Copy-Item $digits "$TestDrive/other.onnx"
        (Import-OnnxGraph $digits, "$TestDrive/other.onnx" | Measure-OnnxGraph).Model | Should -Be 'digits', 'other'
    }

    It 'becomes JSON without loss' {
        ($graph | Measure-OnnxGraph | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Parameters | Should -Be 99178
    }

    It 'names an input that the model does not have' {
        { $graph | Measure-OnnxGraph -InputShape @{ picture = 1, 1, 8, 8 } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.MeasureOnnxGraphCommand'
    }
}
