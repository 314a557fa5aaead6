BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Compress-OnnxWeight' {
    It 'takes the weights out, says so, and puts them back' {
        $stripped = $graph | Compress-OnnxWeight -Strip
        $stripped | Export-OnnxGraph "$TestDrive/stripped.onnx"
        (Get-Item "$TestDrive/stripped.onnx").Length | Should -BeLessThan ((Get-Item $digits).Length / 4)
        $read = Import-OnnxGraph "$TestDrive/stripped.onnx"
        ($read | Test-OnnxGraph).Code | Should -Contain 'WeightsStripped'
        $read.Nodes.Count | Should -Be $graph.Nodes.Count
        { $read | Build-Engine -Device Cpu -ErrorAction Stop } | Should -Throw '*-Restore*' -ErrorId 'DataInvalid,TrtTools.Cmdlets.BuildEngineCommand'
        $back = $read | Compress-OnnxWeight -Restore $digits
        ($back | Test-OnnxGraph).Code | Should -Not -Contain 'WeightsStripped'
        @($back | Compare-OnnxGraph $graph).Count | Should -Be 0
        ($graph.Metadata.Keys -join ',') | Should -Be ($back.Metadata.Keys -join ',')
    }

    It 'does not restore from another model' {
        $stripped = $graph | Compress-OnnxWeight -Strip
        $other = $graph | Compress-OnnxWeight -Prune -WarningAction SilentlyContinue
        { $stripped | Compress-OnnxWeight -Restore $other -ErrorAction Stop } | Should -Throw '*another content*' -ErrorId 'ChangeRefused,TrtTools.Cmdlets.CompressOnnxWeightCommand'
        { $graph | Compress-OnnxWeight -Restore $digits -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.CompressOnnxWeightCommand'
        { $stripped | Compress-OnnxWeight -Restore nothere.onnx -ErrorAction Stop } | Should -Throw -ErrorId 'ModelNotFound,TrtTools.Cmdlets.CompressOnnxWeightCommand'
    }

    It 'prunes two of four, and reports what was left' {
        $records = $graph | Compress-OnnxWeight -Prune -Report
        $records.Count | Should -Be @($graph | Test-WeightSparsity).Count
        ($records | Where-Object Pruned).Count | Should -BeGreaterThan 2
        ($records | Where-Object Pruned -EQ $false).Reason | Should -Match 'multiple of 4'
        $pruned = $graph | Compress-OnnxWeight -Prune -WarningVariable left -WarningAction SilentlyContinue
        $left | Should -Match 'were left as they are'
        foreach ($weight in $pruned | Test-WeightSparsity) { $weight.IsSparse | Should -Be ($records | Where-Object Weight -EQ $weight.Weight).Pruned }
        $pruned.History[-1].Parameters | Should -Match '-Prune'
        ($records[1] | Out-String) | Should -Match 'Lost'
    }

    It 'says what to add when it is not told what to do' {
        { $graph | Compress-OnnxWeight -ErrorAction Stop } | Should -Throw '*-Strip*-Prune*-Restore*' -ErrorId 'OptionInvalid,TrtTools.Cmdlets.CompressOnnxWeightCommand'
    }

    It 'takes names of weights' {
        $some = ($graph | Compress-OnnxWeight -Prune -Report | Where-Object Pruned)[0].Weight
        @($graph | Compress-OnnxWeight -Prune -Name $some -Report).Weight | Should -Be $some
        { $graph | Compress-OnnxWeight -Prune -Name nothing* -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.CompressOnnxWeightCommand'
        { $graph | Compress-OnnxWeight -Strip -MinimumSize 1GB -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.CompressOnnxWeightCommand'
    }
}
