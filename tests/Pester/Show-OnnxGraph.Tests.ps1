BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Show-OnnxGraph' {
    It 'gives text, more of it for each level' {
        $text = 'Model', 'Layers', 'Attributes', 'Weights' | ForEach-Object { ($graph | Show-OnnxGraph -Detail $_).Length }
        ($text | Sort-Object) | Should -Be $text
        $graph | Show-OnnxGraph | Should -Match 'Conv'
    }

    It 'gives one text for each graph of the pipeline' {
        @(Import-OnnxGraph $digits, $digits | Show-OnnxGraph -Detail Model).Count | Should -Be 2
    }

    It 'writes <_>' -ForEach 'Dot', 'Svg', 'Html' {
        $file = $graph | Show-OnnxGraph -As $_ -OutputPath "$TestDrive" -PassThru
        $file.Extension | Should -Be ".$($_.ToLowerInvariant())"
        Get-Content $file -Raw | Should -Match 'Conv'
    }

    It 'loads nothing from elsewhere' {
        $graph | Show-OnnxGraph -As Html -OutputPath "$TestDrive/alone.html"
        Get-Content "$TestDrive/alone.html" -Raw | Should -Not -Match '(src|href)\s*='
    }

    It 'shows the times of an engine' {
        $engine = $graph | Build-Engine -Device Cpu -OutputPath "$TestDrive/times.engine"
        $graph | Show-OnnxGraph -As Html -Engine $engine -OutputPath "$TestDrive/times.html"
        Get-Content "$TestDrive/times.html" -Raw | Should -Match '"slowest":[0-9.]*[1-9]'
        $graph | Show-OnnxGraph -As Svg -Engine "$TestDrive/times.engine" -OutputPath "$TestDrive/times.svg"
        Get-Content "$TestDrive/times.svg" -Raw | Should -Match ' ms, '
    }

    It 'writes nothing with -WhatIf' {
        $graph | Show-OnnxGraph -As Html -OutputPath "$TestDrive/none.html" -WhatIf
        Test-Path "$TestDrive/none.html" | Should -BeFalse
    }

    It 'wants a path for a page' {
        { $graph | Show-OnnxGraph -As Html -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.ShowOnnxGraphCommand'
    }

    It 'refuses an engine for text' {
        $engine = $graph | Build-Engine -Device Cpu
        { $graph | Show-OnnxGraph -Engine $engine -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.ShowOnnxGraphCommand'
    }

    It 'does not overwrite without -Force' {
        'old' | Set-Content "$TestDrive/old.svg"
        { $graph | Show-OnnxGraph -As Svg -OutputPath "$TestDrive/old.svg" -ErrorAction Stop } | Should -Throw -ErrorId 'OutputPathExists,TrtTools.Cmdlets.ShowOnnxGraphCommand'
        Get-Content "$TestDrive/old.svg" | Should -Be 'old'
    }
}
