BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'ConvertTo-OnnxOpset' {
    It 'goes up and down, and computes the same' {
        $picture = @{ image = New-Image 0.5 }
        $expected = ($graph | Build-Engine -Device Cpu -OptimizationLevel 0 | Invoke-Engine -InputData $picture).logits.Data
        foreach ($opset in 9, 25) {
            $new = $graph | ConvertTo-OnnxOpset $opset
            $new.Opset['ai.onnx'] | Should -Be $opset
            $actual = ($new | Build-Engine -Device Cpu -OptimizationLevel 0 | Invoke-Engine -InputData $picture).logits.Data
            for ($i = 0; $i -lt $expected.Length; $i++) { [Math]::Abs($actual[$i] - $expected[$i]) | Should -BeLessThan 1e-4 }
        }
        $new.History[-1].Transformation | Should -Be 'ConvertTo-OnnxOpset'
        $graph.Opset['ai.onnx'] | Should -Not -Be 25
    }

    It 'refuses with the node and the reason what an older opset cannot say, and goes on with the next graph' {
        $late = $graph | Set-GraphOutput logits -Only | Add-GraphNode Mish -InsertAfter logits -ErrorAction Ignore
        if (-not $late) { $late = $graph | ConvertTo-OnnxOpset 18 | Add-GraphNode Mish -InsertAfter logits }
        $failed = $null
        $new = $late, $graph | ConvertTo-OnnxOpset 12 -ErrorAction SilentlyContinue -ErrorVariable failed
        @($new).Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -Be 'ChangeRefused,TrtTools.Cmdlets.ConvertToOnnxOpsetCommand'
        $failed[0].Exception.Message | Should -BeLike '*Mish*opset 18*'
    }

    It 'takes 7 to 25' {
        { $graph | ConvertTo-OnnxOpset 26 } | Should -Throw
        { $graph | ConvertTo-OnnxOpset 6 } | Should -Throw
    }

    It 'replaces what ONNX dropped' {
        $small = Import-OnnxGraph "$repository/examples/04-replace-operators/small.onnx"
        $new = $small | ConvertTo-OnnxOpset 13
        $new | Test-OnnxGraph -Quiet | Should -BeTrue
        $new.Nodes.OpType | Should -Not -Contain 'ImageScaler'
    }
}
