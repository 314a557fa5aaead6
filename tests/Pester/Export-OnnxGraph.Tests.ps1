BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Export-OnnxGraph' {
    Context 'results' {
        It 'writes a model that imports to the same graph' {
            $graph | Export-OnnxGraph -Path "$TestDrive/copy.onnx"
            $copy = Import-OnnxGraph "$TestDrive/copy.onnx"
            $copy.Nodes.OpType -join ' ' | Should -Be ($graph.Nodes.OpType -join ' ')
            $copy.Initializers.Name -join ' ' | Should -Be ($graph.Initializers.Name -join ' ')
        }

        It 'writes a fused graph whose functions come back' {
            $graph | Invoke-LayerFusion | Export-OnnxGraph -Path "$TestDrive/fused.onnx"
            $fused = Import-OnnxGraph "$TestDrive/fused.onnx"
            $fused.Functions | Should -Not -BeNullOrEmpty
            $fused.IrVersion | Should -BeGreaterOrEqual 8
        }

        It 'expands functions again with -ExpandFunction' {
            $graph | Invoke-LayerFusion | Export-OnnxGraph -Path "$TestDrive/expanded.onnx" -ExpandFunction
            $expanded = Import-OnnxGraph "$TestDrive/expanded.onnx"
            $expanded.Functions | Should -BeNullOrEmpty
            $expanded.Nodes.Domain | Select-Object -Unique | Should -Be 'ai.onnx'
        }

        It 'puts weights beside the model with -ExternalData' {
            New-Item "$TestDrive/external" -ItemType Directory | Out-Null
            $graph | Export-OnnxGraph -Path "$TestDrive/external/m.onnx" -ExternalData
            (Get-Item "$TestDrive/external/m.onnx").Length | Should -BeLessThan ((Get-Item $digits).Length / 4)
            (Get-ChildItem "$TestDrive/external").Count | Should -Be 2
            (Import-OnnxGraph "$TestDrive/external/m.onnx" | Measure-OnnxGraph).Parameters | Should -Be ($graph | Measure-OnnxGraph).Parameters
        }

        It 'can be written onto its own source' {
            Copy-Item $digits "$TestDrive/self.onnx"
            Import-OnnxGraph "$TestDrive/self.onnx" | Optimize-OnnxGraph | Export-OnnxGraph -Path "$TestDrive/self.onnx" -Force
            (Import-OnnxGraph "$TestDrive/self.onnx" | Test-OnnxGraph -Quiet) | Should -BeTrue
        }
    }

    Context 'paths' {
        BeforeAll {
            Copy-Item $digits "$TestDrive/a.onnx"
            Copy-Item $digits "$TestDrive/b.onnx"
        }

        It 'names files in a folder after the graphs' {
            New-Item "$TestDrive/folder" -ItemType Directory | Out-Null
            Import-OnnxGraph "$TestDrive/a.onnx", "$TestDrive/b.onnx" | Export-OnnxGraph -Path "$TestDrive/folder"
            (Get-ChildItem "$TestDrive/folder" | Sort-Object Name).Name | Should -Be 'a.onnx', 'b.onnx'
        }

        It 'takes a script block as the path' {
            Import-OnnxGraph "$TestDrive/a.onnx", "$TestDrive/b.onnx" | Export-OnnxGraph -Path { "$TestDrive/$($_.Name)-out.onnx" }
            "$TestDrive/a-out.onnx" | Should -Exist
            "$TestDrive/b-out.onnx" | Should -Exist
        }

        It 'does not write a graph over its source because the graph has a Path' {
            $before = (Get-FileHash "$TestDrive/a.onnx").Hash
            Import-OnnxGraph "$TestDrive/a.onnx" | Export-OnnxGraph -Path "$TestDrive/elsewhere.onnx" -Force
            (Get-FileHash "$TestDrive/a.onnx").Hash | Should -Be $before
        }

        It 'refuses a second graph for the same file, even with -Force' {
            { Import-OnnxGraph "$TestDrive/a.onnx", "$TestDrive/b.onnx" | Export-OnnxGraph -Path "$TestDrive/one.onnx" -Force -ErrorAction Stop } |
                Should -Throw -ErrorId 'OutputPathCollision,TrtTools.Cmdlets.ExportOnnxGraphCommand'
        }
    }

    Context 'safety' {
        It 'keeps an existing file without -Force' {
            Set-Content "$TestDrive/old.onnx" 'old'
            { $graph | Export-OnnxGraph -Path "$TestDrive/old.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathExists,TrtTools.Cmdlets.ExportOnnxGraphCommand'
            Get-Content "$TestDrive/old.onnx" | Should -Be 'old'
        }

        It 'writes nothing with -WhatIf' {
            $graph | Export-OnnxGraph -Path "$TestDrive/whatif.onnx" -WhatIf
            "$TestDrive/whatif.onnx" | Should -Not -Exist
        }

        It 'says when the folder is missing' {
            { $graph | Export-OnnxGraph -Path "$TestDrive/no/such/m.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathInvalid,TrtTools.Cmdlets.ExportOnnxGraphCommand'
        }

        It 'leaves no temporary file' {
            New-Item "$TestDrive/clean" -ItemType Directory | Out-Null
            $graph | Export-OnnxGraph -Path "$TestDrive/clean/m.onnx"
            (Get-ChildItem "$TestDrive/clean" -Force).Name | Should -Be 'm.onnx'
        }

        It 'refuses a disposed graph' {
            $gone = Import-OnnxGraph $digits
            $gone.Dispose()
            { $gone | Export-OnnxGraph -Path "$TestDrive/gone.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'ObjectNotLive,TrtTools.Cmdlets.ExportOnnxGraphCommand'
        }
    }
}
