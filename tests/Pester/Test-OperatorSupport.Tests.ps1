BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Test-OperatorSupport' {
    It 'gives one record for each operator' {
        $support = $graph | Test-OperatorSupport -Target Cpu
        ($support | Where-Object Operator -EQ 'Conv').Count | Should -Be 6
        $support.Operator.Count | Should -Be @($graph.Nodes.OpType | Select-Object -Unique).Count
        $support.Supported | Should -Not -Contain $false
    }

    It 'says yes with -Quiet for <_>' -ForEach 'Cpu', 'Cuda', 'TensorRT10', 'TensorRT11' {
        $graph | Test-OperatorSupport -Target $_ -Quiet | Should -BeTrue
    }

    It 'gives one record for each node with -Detailed' {
        $support = @($graph | Test-OperatorSupport -Target Cpu -Detailed)
        $support.Count | Should -Be $graph.Nodes.Count
        $support[0].NodeName | Should -Be $graph.Nodes[0].Name
    }

    It 'gives a reason and a suggestion for what is not supported' {
        New-UnsupportedModel "$TestDrive/unsupported.onnx" | Out-Null
        $gap = Import-OnnxGraph "$TestDrive/unsupported.onnx" | Test-OperatorSupport -Target Cpu | Where-Object Supported -EQ $false
        $gap.Operator | Should -Be 'GlobalAveragePuul'
        $gap.Reason | Should -Not -BeNullOrEmpty
        $gap.Suggestion | Should -Not -BeNullOrEmpty
        $gap.Model | Should -Be 'unsupported'
    }

    It 'tells which of several models has the gap' {
        New-UnsupportedModel "$TestDrive/bad.onnx" | Out-Null
        $gaps = Import-OnnxGraph $digits, "$TestDrive/bad.onnx" | Test-OperatorSupport | Where-Object Supported -EQ $false
        $gaps.Model | Should -Be 'bad'
    }

    It 'names Crop, Affine and ImageScaler in one run' {
        $support = Import-OnnxGraph (Get-SharedModel style-candy) | Test-OperatorSupport -Target Cpu | Where-Object Supported -EQ $false
        $support.Operator | Sort-Object | Should -Be 'Affine', 'Crop', 'ImageScaler'
        $support.Suggestion | Should -Not -Contain ''
    }

    It 'becomes JSON without loss' {
        @($graph | Test-OperatorSupport | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json).Count | Should -BeGreaterThan 3
    }

    It 'refuses a target that it does not know' {
        { $graph | Test-OperatorSupport -Target Toaster } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,TrtTools.Cmdlets.TestOperatorSupportCommand'
    }

    It 'writes the parts that are supported and those that are not' {
        New-UnsupportedModel "$TestDrive/cut.onnx" | Out-Null
        $null = New-Item -ItemType Directory "$TestDrive/parts"
        $parts = @(Import-OnnxGraph "$TestDrive/cut.onnx" | Test-OperatorSupport -Partition -OutputPath "$TestDrive/parts")
        $parts.Supported | Should -Be $true, $false, $true
        $parts[1].Operators | Should -Be 'GlobalAveragePuul: 1'
        $parts[1].Reasons | Should -Not -BeNullOrEmpty
        (Get-ChildItem "$TestDrive/parts").Name | Should -Be 'cut-supported-0.onnx', 'cut-supported-1.onnx', 'cut-unsupported-0.onnx'
        Import-OnnxGraph "$TestDrive/parts/cut-supported-*.onnx" | Test-OperatorSupport -Quiet | Should -Be $true, $true
        (Import-OnnxGraph "$TestDrive/parts/cut-supported-0.onnx").Outputs.Name | Should -Be $parts[1].Inputs
    }

    It 'writes no parts with -WhatIf, or without a folder' {
        $null = New-Item -ItemType Directory "$TestDrive/nothing"
        $graph | Test-OperatorSupport -Partition -OutputPath "$TestDrive/nothing" -WhatIf
        Get-ChildItem "$TestDrive/nothing" | Should -BeNullOrEmpty
        $part = $graph | Test-OperatorSupport -Partition
        $part.NodeCount | Should -Be $graph.Nodes.Count
        $part.Path | Should -BeNullOrEmpty
    }
}
