BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $fixed = Import-OnnxGraph $digits | ConvertTo-StaticShape -Symbol @{ batch = 1 }
}

Describe 'ConvertTo-DynamicShape' {
    It 'frees a batch of one' {
        $free = $fixed | ConvertTo-DynamicShape
        $free.Inputs[0].SymbolicShape[0] | Should -Be 'batch'
        $free.Outputs[0].SymbolicShape[0] | Should -Be 'batch'
        $fixed.Inputs[0].Shape[0] | Should -Be 1
        $engine = $free | Build-Engine -Device Cpu
        ($engine | Invoke-Engine -InputData @{ image = New-Image 0.5 3 }).logits.Shape | Should -Be 3, 10
    }

    It 'takes another name for the extent' {
        ($fixed | ConvertTo-DynamicShape n).Outputs[0].SymbolicShape[0] | Should -Be 'n'
    }

    It 'takes a shape' {
        ($fixed | ConvertTo-DynamicShape -InputShape @{ image = 'm', 1, 8, 8 }).Outputs[0].SymbolicShape[0] | Should -Be 'm'
    }

    It 'refuses what does not fit' {
        { $fixed | ConvertTo-DynamicShape -InputShape @{ image = 'm', 3, 8, 8 } -ErrorAction Stop } | Should -Throw -ErrorId 'ShapeMismatch,TrtTools.Cmdlets.ConvertToDynamicShapeCommand'
        { Import-OnnxGraph $digits | ConvertTo-DynamicShape -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.ConvertToDynamicShapeCommand'
    }

    It 'completes the inputs with their shapes' {
        $line = '$fixed | ConvertTo-DynamicShape -InputShape '
        [System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches[0].CompletionText | Should -Be "@{ image = 'batch',1,8,8 }"
    }
}
