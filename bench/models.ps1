# Every model of a folder through the whole pipeline, against its reference data (folders test_data_set_<k>).
param(
    [string] $Folder = "$PSScriptRoot/../../shared/models"
)

$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../out/TrtTools"

$row = '{0,-30} {1,6} {2,6} {3,6}  {4,8:N2} {5,9:E1} {6,9:F6} {7,8:P2}  {8}'
$row -f 'model', 'nodes', 'optim.', 'fused', 'build s', 'error', 'cosine', 'top-1', 'verdict'
$failed = 0
foreach ($model in Get-ChildItem "$Folder/*/model.onnx" | Sort-Object FullName) {
    $name = $model.Directory.Name
    try {
        $graph = Import-OnnxGraph -LiteralPath $model.FullName
        $optimized = $graph | Optimize-OnnxGraph -WarningAction SilentlyContinue
        $fused = $optimized | Invoke-LayerFusion
        $engine = $fused | Build-Engine -Device Cpu
        $outputs = foreach ($set in Get-ChildItem $model.Directory -Filter test_data_set_*) { $engine | Compare-EngineOutput -Reference $set.FullName }
        # The greatest error of any output, as a share of that output's scale (its greatest absolute value in the reference).
        $error1 = ($outputs | ForEach-Object { $_.Scale -gt 0 ? $_.MaxAbsoluteError / $_.Scale : $_.MaxAbsoluteError } | Measure-Object -Maximum).Maximum
        $cosine = ($outputs | Measure-Object Cosine -Minimum).Minimum
        # Which element is greatest means something in scores, not in boxes or hidden states: the smallest output stands for the scores.
        $top = ($outputs | Sort-Object ElementCount | Select-Object -First 1).Top1Agreement
        $good = $error1 -le 1e-4 -or ($name -match 'int8' -and $cosine -ge 0.999 -and $top -ge 0.999)
        if (-not $good) { $failed++ }
        $row -f $name, ($graph | Measure-OnnxGraph).NodeCount, ($optimized | Measure-OnnxGraph).NodeCount, $fused.Nodes.Count, $engine.BuildSeconds, $error1, $cosine, $top, ($good ? 'ok' : 'FAIL')
        $engine.Dispose()
    }
    catch {
        $expected = $name -eq 'style-candy' -and $_.FullyQualifiedErrorId -like 'UnsupportedOperator,*'
        if (-not $expected) { $failed++ }
        '{0,-30} {1}{2}: {3}' -f $name, ($expected ? 'as expected, ' : 'FAIL '), $_.FullyQualifiedErrorId, $_.Exception.Message
        if ($expected) { $graph | Test-OperatorSupport -Target Cpu | Where-Object Supported -EQ $false | ForEach-Object { '{0,32}{1}: {2} {3}' -f '', $_.Operator, $_.Reason, $_.Suggestion } }
    }
}
"$failed failed"
exit [Math]::Min(1, $failed)
