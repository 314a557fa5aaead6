BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'ConvertTo-StaticShape' {
    It 'fixes an input by its shape' {
        $static = $graph | ConvertTo-StaticShape @{ image = 2, 1, 8, 8 }
        $static.Inputs[0].Shape | Should -Be 2, 1, 8, 8
        $static.Outputs[0].Shape | Should -Be 2, 10
        $graph.Inputs[0].Shape[0] | Should -Be -1
    }

    It 'fixes a symbol' {
        ($graph | ConvertTo-StaticShape -Symbol @{ batch = 4 }).Outputs[0].Shape | Should -Be 4, 10
    }

    It 'says what is still free' {
        { $graph | ConvertTo-StaticShape -Symbol @{ other = 4 } -ErrorAction Stop } | Should -Throw -ErrorId 'ShapeUnknown,TrtTools.Cmdlets.ConvertToStaticShapeCommand'
    }

    It 'refuses a shape that does not fit' {
        { $graph | ConvertTo-StaticShape @{ image = 2, 3, 8, 8 } -ErrorAction Stop } | Should -Throw -ErrorId 'ShapeMismatch,TrtTools.Cmdlets.ConvertToStaticShapeCommand'
        { $graph | ConvertTo-StaticShape @{ imaeg = 2, 1, 8, 8 } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.ConvertToStaticShapeCommand'
    }

    It 'completes the inputs with their shapes' {
        $line = '$graph | ConvertTo-StaticShape -InputShape '
        [System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches[0].CompletionText | Should -Be "@{ image = 1,1,8,8 }"
    }
}
