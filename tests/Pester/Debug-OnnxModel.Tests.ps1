BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Debug-OnnxModel' {
    It 'finds the node that a check fails for' {
        $found = $graph | Debug-OnnxModel -Check { $_.Nodes.Name -notcontains '/residual/Add' }
        $found.Node | Should -Be '/residual/Add'
        $found.OpType | Should -Be 'Add'
        $found.NodeCount | Should -Be 1
        $found.OriginalNodeCount | Should -Be $graph.Nodes.Count
        $found.CheckCount | Should -BeLessOrEqual (2 * [Math]::Log2($graph.Nodes.Count) + 10)
        $found.Check.Count | Should -Be $found.CheckCount
        $found.Graph | Test-OnnxGraph -Quiet | Should -BeTrue
        $found.GoodGraph | Should -BeNullOrEmpty
    }

    It 'gives the check what the part reads and should give' {
        $found = $graph | Debug-OnnxModel {
            param($part)
            if ($part -ne $_) { throw 'the argument is not $_' }
            $result = $_ | Build-Engine -Device Cpu -OptimizationLevel 0 | Compare-EngineOutput -InputData $InputData -Reference $Expected
            if ($result.Passed -contains $false) { throw "the part does not compute what it should: $($result.Reason)" }
            $_.Nodes.OpType -notcontains 'GlobalAveragePool'
        }
        $found.OpType | Should -Be 'GlobalAveragePool'
        $found.Reason | Should -Be 'the check gave $false'
        $found.InputData.Count | Should -Be 1
        $found.Expected.Count | Should -Be 1
        ($found.Graph | Build-Engine -Device Cpu | Compare-EngineOutput -InputData $found.InputData -Reference $found.Graph).Passed | Should -BeTrue
    }

    It 'takes errors, $false and Passed for bad, and all else for good' {
        foreach ($bad in { throw 'no' }, { $false }, { 'text'; $false; $true }, { [pscustomobject]@{ Passed = $false; Reason = 'too far off' } }, { Import-OnnxGraph missing.onnx }, { Write-Error 'no' }) {
            ($graph | Debug-OnnxModel $bad -Mode Bisect).NodeCount | Should -Be 1 -Because "$bad"
        }
        foreach ($good in { }, { $true }, { $null }, { 0 }, { 1; 2; 3 }, { [pscustomobject]@{ Passed = $true } }) {
            { $graph | Debug-OnnxModel $good -ErrorAction Stop } | Should -Throw -ErrorId 'FaultNotFound,TrtTools.Cmdlets.DebugOnnxModelCommand' -Because "$good"
        }
    }

    It 'says what an object with Passed gave as its reason' {
        ($graph | Debug-OnnxModel { [pscustomobject]@{ Passed = $false; Reason = 'too far off' } } -Mode Bisect).Reason | Should -Be 'too far off'
    }

    It 'ends where the check itself is wrong' {
        { $graph | Debug-OnnxModel ([scriptblock]::Create('Bild-Engine $_')) -ErrorAction Stop } | Should -Throw '*Bild-Engine*' -ErrorId 'OptionInvalid,TrtTools.Cmdlets.DebugOnnxModelCommand'
        { $graph | Debug-OnnxModel ([scriptblock]::Create('$_ | Build-Engine -Devise Cpu')) -ErrorAction Stop } | Should -Throw '*Devise*' -ErrorId 'OptionInvalid,TrtTools.Cmdlets.DebugOnnxModelCommand'
        { $graph | Debug-OnnxModel { } -FailPattern '(' -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.DebugOnnxModelCommand'
        { $graph | Debug-OnnxModel { $false } -InputData nowhere.npz -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.DebugOnnxModelCommand'
    }

    It 'tells an error that is looked for from others' {
        $check = { if ($_.Nodes.Count % 2) { throw 'no licence' } elseif ($_.Nodes.OpType -contains 'GlobalAveragePool') { throw 'it crashed' } }
        { $graph | Debug-OnnxModel $check -FailPattern 'segfault' -ErrorAction Stop } | Should -Throw '*not for the reason*' -ErrorId 'FaultNotFound,TrtTools.Cmdlets.DebugOnnxModelCommand'
        $whole = if ($graph.Nodes.Count % 2) { $graph | Select-OnnxSubgraph -OutputTensor $graph.Nodes[-2].Outputs[0] } else { $graph }
        $found = $whole | Debug-OnnxModel $check -FailPattern 'CRASHED'
        $found.OpType | Should -Contain 'GlobalAveragePool'
        $found.Reason | Should -Be 'it crashed'
        ($found.Check | Where-Object Outcome -EQ Other).Reason | Should -Be (@('no licence') * @($found.Check | Where-Object Outcome -EQ Other).Count)
    }

    It 'keeps its checks in a file and goes on from there' {
        $script:calls = 0
        $check = { $script:calls++; $_.Nodes.Name -notcontains '/residual/Add' }
        $null = $graph | Debug-OnnxModel $check -ReplayPath TestDrive:/replay.json
        $first = $script:calls
        $again = $graph | Debug-OnnxModel $check -ReplayPath TestDrive:/replay.json
        $script:calls | Should -Be $first
        $again.Node | Should -Be '/residual/Add'
        $again.Check.Replayed | Should -Not -Contain $false
        { $graph | Debug-OnnxModel { $false } -ReplayPath TestDrive:/replay.json -ErrorAction Stop } | Should -Throw '*another check*' -ErrorId 'DataInvalid,TrtTools.Cmdlets.DebugOnnxModelCommand'
    }

    It 'gives the nearest good part on request, and keeps to modes and limits' {
        $found = $graph | Debug-OnnxModel { $_.Nodes.Name -notcontains '/residual/Add' } -MinimumGood -Mode Bisect, Linear
        $found.GoodGraph.Nodes.Name | Should -Not -Contain '/residual/Add'
        $short = $graph | Debug-OnnxModel { $_.Nodes.Name -notcontains '/residual/Add' } -MaximumCheck 2 -WarningVariable said -WarningAction SilentlyContinue
        $short.Complete | Should -BeFalse
        $said | Should -BeLike '*-MaximumCheck*'
    }

    It 'runs nothing with -WhatIf and takes many graphs' {
        $script:calls = 0
        $graph | Debug-OnnxModel { $script:calls++; $false } -WhatIf | Should -BeNullOrEmpty
        $script:calls | Should -Be 0
        @($graph, $graph | Debug-OnnxModel { $false } -Mode Bisect).Count | Should -Be 2
    }

    It 'takes a program that fails for bad' -Skip:(-not $IsLinux) {
        ($graph | Debug-OnnxModel { sh -c 'exit 3' } -Mode Bisect).NodeCount | Should -Be 1
        { $graph | Debug-OnnxModel { sh -c 'exit 0' } -ErrorAction Stop } | Should -Throw -ErrorId 'FaultNotFound,TrtTools.Cmdlets.DebugOnnxModelCommand'
    }
}
