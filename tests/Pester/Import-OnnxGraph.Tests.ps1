BeforeAll { . "$PSScriptRoot/TrtTools.TestHelpers.ps1" }

Describe 'Import-OnnxGraph' {
    Context 'results' {
        It 'gives the graph with its names, opset and shapes' {
            $graph = Import-OnnxGraph $digits
            $graph.Name | Should -Be 'digits'
            $graph.Path | Should -Be $digits
            $graph.Opset['ai.onnx'] | Should -Be 13
            $graph.Inputs.Name | Should -Be 'image'
            $graph.Inputs[0].SymbolicShape -join ',' | Should -Be 'batch,1,8,8'
            $graph.Outputs.Name | Should -Be 'logits'
        }

        It 'gives nodes with their operators, attributes and neighbours' {
            $graph = Import-OnnxGraph $digits
            $first = $graph.Nodes[0]
            $first.OpType | Should -Be 'Conv'
            $first.Attributes['kernel_shape'] -join ',' | Should -Be '3,3'
            $first.GetConsumers().OpType | Should -Be 'BatchNormalization'
        }

        It 'lists no history and no fusion yet' {
            $graph = Import-OnnxGraph $digits
            $graph.History.Count | Should -Be 0
            $graph.FusionReport.Count | Should -Be 0
        }

        It 'has a summary that becomes JSON without loss' {
            $summary = (Import-OnnxGraph $digits).ToSummary()
            $summary | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json | ForEach-Object Name | Should -Be 'digits'
        }
    }

    Context 'paths' {
        BeforeAll {
            Copy-Item $digits "$TestDrive/a.onnx"
            Copy-Item $digits "$TestDrive/b.onnx"
            Copy-Item $digits "$TestDrive/c[1].onnx"
        }

        It 'reads every file that a wildcard matches' {
            (Import-OnnxGraph "$TestDrive/?.onnx").Name | Should -Be 'a', 'b'
        }

        It 'reads several paths in their order' {
            (Import-OnnxGraph "$TestDrive/b.onnx", "$TestDrive/a.onnx").Name | Should -Be 'b', 'a'
        }

        It 'takes files from Get-ChildItem, brackets in their names included' {
            (Get-ChildItem $TestDrive -Filter *.onnx | Sort-Object Name | Import-OnnxGraph).Name | Should -Be 'a', 'b', 'c[1]'
        }

        It 'takes path strings from the pipeline' {
            ("$TestDrive/a.onnx", "$TestDrive/b.onnx" | Import-OnnxGraph).Name | Should -Be 'a', 'b'
        }

        It 'takes -LiteralPath as it is' {
            (Import-OnnxGraph -LiteralPath "$TestDrive/c[1].onnx").Name | Should -Be 'c[1]'
        }

        It 'resolves a relative path against the location' {
            Push-Location $TestDrive
            try { (Import-OnnxGraph ./a.onnx).Path | Should -Be (Join-Path $TestDrive a.onnx) } finally { Pop-Location }
        }
    }

    Context 'errors' {
        It 'names a missing file' {
            { Import-OnnxGraph "$TestDrive/missing.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'ModelNotFound,TrtTools.Cmdlets.ImportOnnxGraphCommand'
        }

        It 'says when a wildcard matches nothing' {
            { Import-OnnxGraph "$TestDrive/none*.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'ModelNotFound,TrtTools.Cmdlets.ImportOnnxGraphCommand'
        }

        It 'refuses an empty file' {
            New-Item "$TestDrive/empty.onnx" -ItemType File -Force | Out-Null
            { Import-OnnxGraph "$TestDrive/empty.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'ModelMalformed,TrtTools.Cmdlets.ImportOnnxGraphCommand'
        }

        It 'refuses a picture' {
            { Import-OnnxGraph "$repository/examples/02-read-text/line1.png" -ErrorAction Stop } | Should -Throw -ErrorId 'ModelMalformed,TrtTools.Cmdlets.ImportOnnxGraphCommand'
        }

        It 'refuses a truncated model' {
            $bytes = [IO.File]::ReadAllBytes($digits)
            [IO.File]::WriteAllBytes("$TestDrive/short.onnx", $bytes[0..($bytes.Length / 2)])
            { Import-OnnxGraph "$TestDrive/short.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'ModelMalformed,TrtTools.Cmdlets.ImportOnnxGraphCommand'
        }

        It 'refuses a model with a cycle' {
            New-CyclicModel "$TestDrive/cycle.onnx" | Out-Null
            { Import-OnnxGraph "$TestDrive/cycle.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'ModelMalformed,TrtTools.Cmdlets.ImportOnnxGraphCommand'
        }

        It 'goes on after a bad file' {
            $graphs = Import-OnnxGraph "$TestDrive/missing.onnx", $digits -ErrorAction SilentlyContinue -ErrorVariable problems
            $graphs.Name | Should -Be 'digits'
            $problems.Count | Should -Be 1
        }

        It 'gives the message in four parts, and no stack trace' {
            Import-OnnxGraph "$TestDrive/missing.onnx" -ErrorAction SilentlyContinue -ErrorVariable problems
            $problems[0].Exception.Message | Should -Match 'missing\.onnx'
            $problems[0].Exception.Message | Should -Not -Match '   at '
            $problems[0].CategoryInfo.Category | Should -Be 'ObjectNotFound'
        }
    }
}
