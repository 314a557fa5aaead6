BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Expand-OnnxFunction' {
    It 'undoes a fusion' {
        $fused = $graph | Invoke-LayerFusion
        $expanded = $fused | Expand-OnnxFunction
        $fused.Functions | Should -Not -BeNullOrEmpty
        $expanded.Functions | Should -BeNullOrEmpty
        $expanded.Nodes.Domain | Should -Not -Contain 'trt.tools'
        $expanded.History[-1].Transformation | Should -Be 'Expand-OnnxFunction'
    }

    It 'expands the functions named' {
        $fused = $graph | Invoke-LayerFusion
        $name = $fused.Functions[0]
        $one = $fused | Expand-OnnxFunction $name
        $one.Functions | Should -Not -Contain $name
        $one.Functions.Count | Should -BeLessThan $fused.Functions.Count
    }

    It 'gives the nearest names of an unknown function' {
        { $graph | Invoke-LayerFusion | Expand-OnnxFunction 'trt.tools::Conv9' -ErrorAction Stop } | Should -Throw "*'trt.tools::*" -ErrorId 'FunctionNotFound,TrtTools.Cmdlets.ExpandOnnxFunctionCommand'
    }

    It 'completes function names' {
        $fused = $graph | Invoke-LayerFusion
        $line = '$fused | Expand-OnnxFunction trt'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain "'$($fused.Functions[0])'"
    }
}
