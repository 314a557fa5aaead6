BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'ConvertTo-OnnxPrecision' {
    It 'converts weights, and casts at the border' {
        $half = $graph | ConvertTo-OnnxPrecision
        $half.Inputs[0].DataType | Should -Be 'Float32'
        $half.Outputs[0].DataType | Should -Be 'Float32'
        @($half.Initializers | Where-Object DataType -EQ 'Float32').Count | Should -Be 0
        @($half.Nodes | Where-Object OpType -EQ 'Cast').Count | Should -BeGreaterOrEqual 2
        $half.History[-1].Transformation | Should -Be 'ConvertTo-OnnxPrecision'
        @($graph.Initializers | Where-Object DataType -EQ 'Float16').Count | Should -Be 0
    }

    It 'keeps what it is told to keep' {
        $half = $graph | ConvertTo-OnnxPrecision Fp16 -KeepOperator Gemm
        @($half.Initializers | Where-Object DataType -EQ 'Float32').Count | Should -BeGreaterThan 0
    }

    It 'converts the interface on request, and back' {
        $half = $graph | ConvertTo-OnnxPrecision -Interface
        $half.Inputs[0].DataType | Should -Be 'Float16'
        $full = $half | ConvertTo-OnnxPrecision Fp32 -Interface
        $full.Inputs[0].DataType | Should -Be 'Float32'
    }

    It 'takes data for the range' {
        { $graph | ConvertTo-OnnxPrecision -RangeData @{ image = New-Image 0.5 } -ErrorAction Stop } | Should -Not -Throw
    }

    It 'names the nearest node' {
        { $graph | ConvertTo-OnnxPrecision -KeepNode nothing-like-it -ErrorAction Stop } | Should -Throw -ErrorId 'NodeNotFound,TrtTools.Cmdlets.ConvertToOnnxPrecisionCommand'
    }
}
