# A release gate: fails for each model of a folder that would not deploy. Needs Pester 5; README.md beside this file explains it.
#
#     Invoke-Pester -Container (New-PesterContainer -Path ./Audit.Tests.ps1 -Data @{ Folder = 'models'; Target = 'TensorRT11' })
param(
    [string] $Folder = "$PSScriptRoot/..",
    [string] $Target = 'Cpu'
)

BeforeDiscovery {
    $models = @(Get-ChildItem -Path $Folder -Recurse -Filter *.onnx | Sort-Object FullName |
        ForEach-Object { @{ Name = $_.BaseName; File = $_.FullName; Target = $Target } })
}

BeforeAll {
    # Without this line a cmdlet's error is printed and the test goes on.
    $ErrorActionPreference = 'Stop'
    if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../out/TrtTools" }
}

Describe 'The folder' {
    It 'holds at least one model' -TestCases @{ Count = $models.Count } {
        $Count | Should -BeGreaterThan 0
    }
}

Describe 'Model <Name>' -ForEach $models {
    BeforeAll {
        $graph = Import-OnnxGraph -LiteralPath $File
    }

    AfterAll {
        if ($graph) { $graph.Dispose() }
    }

    It 'has no structural fault' {
        $graph | Test-OnnxGraph | Where-Object Severity -EQ 'Error' | ForEach-Object { "$($_.Code) at $($_.NodeName): $($_.Message)" } | Should -BeNullOrEmpty
    }

    It 'uses only operators that <Target> supports' {
        $graph | Test-OperatorSupport -Target $Target | Where-Object Supported -EQ $false | ForEach-Object { "$($_.Operator): $($_.Reason) $($_.Suggestion)" } | Should -BeNullOrEmpty
    }

    It 'fits on the device: weights under 200 MB' {
        ($graph | Measure-OnnxGraph).WeightBytes | Should -BeLessThan 200MB
    }
}
