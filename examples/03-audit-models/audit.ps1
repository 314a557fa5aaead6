# Audits every model of a folder for a target. Exit code 0: all would deploy; 1: at least one would not; see README.md.
param(
    # Where the models are, subfolders included.
    [string] $Folder = "$PSScriptRoot/..",
    [string] $Target = 'Cpu'
)

# Without this line a script goes on after an error and still ends with exit code 0.
$ErrorActionPreference = 'Stop'

if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../out/TrtTools" }

# .NET's current folder is not PowerShell's.
$Folder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Folder)
$files = [IO.Directory]::GetFiles($Folder, '*.onnx', [IO.SearchOption]::AllDirectories)
[Array]::Sort($files, [StringComparer]::Ordinal)
if ($files.Length -eq 0) { "No .onnx file under $Folder"; exit 1 }

$failed = 0
foreach ($file in $files) {
    # One unreadable file must not end the audit of the others.
    try { $graph = Import-OnnxGraph -LiteralPath $file }
    catch {
        "FAIL  $file"
        "      $($_.Exception.Message)"
        $failed++
        continue
    }
    $faults = @($graph | Test-OnnxGraph | Where-Object Severity -EQ 'Error')
    $gaps = @($graph | Test-OperatorSupport -Target $Target | Where-Object Supported -EQ $false)
    if ($faults.Count + $gaps.Count -eq 0) { "ok    $file" }
    else {
        "FAIL  $file"
        foreach ($fault in $faults[0..4]) { "      $($fault.Code) at $($fault.NodeName): $($fault.Message) $($fault.Fix)" }
        if ($faults.Count -gt 5) { "      and $($faults.Count - 5) more faults: Test-OnnxGraph lists them" }
        foreach ($gap in $gaps) { "      $($gap.Operator), opset $($gap.Opset), $($gap.Count) nodes: $($gap.Reason). $($gap.Suggestion)" }
        $failed++
    }
    $graph.Dispose()
}

"$($files.Length) models, $failed would not deploy on $Target"
exit [Math]::Min(1, $failed)
