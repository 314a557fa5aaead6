# Finds what makes a model fail: the node, and the layers that need FP32. README.md beside this file explains it.
param(
    # Where the part that fails, its inputs and the replay file go.
    [string] $OutputPath = ([IO.Path]::Combine([IO.Path]::GetTempPath(), "trttools-find-the-fault-$PID"))
)

# Without this line a script goes on after an error and still ends with exit code 0.
$ErrorActionPreference = 'Stop'

if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../out/TrtTools" }
$null = [IO.Directory]::CreateDirectory($OutputPath)
$digits = "$PSScriptRoot/../digits"
$graph = Import-OnnxGraph "$digits/digits.onnx"

'A model that gives NaN'
# Somebody put a logarithm where values can be negative.
$faulty = $graph | Add-GraphNode Log -InsertAfter '/residual/Add_output_0'
$found = $faulty | Debug-OnnxModel -InputData "$digits/heldout.npz" -ReplayPath "$OutputPath/replay.json" -Check {
    -not (($Expected.Values | Get-TensorStatistic).NaNCount -gt 0)
}
'Found:  {0} of {1} nodes, {2}, after {3} checks' -f $found.NodeCount, $found.OriginalNodeCount, ($found.OpType -join ', '), $found.CheckCount
$found.Graph | Export-OnnxGraph "$OutputPath/reduced.onnx" -Force
$null = $found.InputData.Values | Export-Tensor "$OutputPath/reduced-inputs.npz" -Force
$lowest = ($found.InputData.Values | Get-TensorStatistic).Minimum
'Why:    its input goes down to {0:0.0}' -f $lowest

''
'An engine that gets one operator wrong'
# Stands for an engine whose GlobalAveragePool is wrong: the model is right, what runs is not.
function Invoke-WrongEngine($Graph, $InputData) {
    $result = $Graph | Build-Engine -Device Cpu -OptimizationLevel 0 | Invoke-Engine -InputData $InputData
    $wrong = @{}
    foreach ($name in $result.Keys) { $wrong[$name] = $result[$name] }
    if ($Graph.Nodes.OpType -contains 'GlobalAveragePool') { foreach ($name in $result.Keys) { $wrong[$name] = [float[]]::new($result[$name].Data.Count) } }
    $wrong
}
$found = $graph | Debug-OnnxModel -InputData "$digits/heldout.npz" -MinimumGood -Check {
    $given = Invoke-WrongEngine $_ $InputData
    foreach ($name in $Expected.Keys) {
        $a, $b = $given[$name].Data, $Expected[$name].Data
        if ($null -eq $a) { $a = $given[$name] }
        for ($i = 0; $i -lt 16; $i++) { if ([Math]::Abs($a[$i] - $b[$i]) -gt 0.001) { throw "'$name' differs at $i" } }
    }
}
'Found:  {0} of {1} nodes, {2}, after {3} checks' -f $found.NodeCount, $found.OriginalNodeCount, ($found.OpType -join ', '), $found.CheckCount
'Good:   {0}' -f ($found.GoodGraph.Nodes.OpType -join ', ')

''
'An engine that INT8 spoils'
$cache = $graph | New-CalibrationCache "$digits/calibration.npz"
$options = @{ Int8 = $true; CalibrationCache = $cache; Device = 'Cpu'; OptimizationLevel = 0 }
$before = $graph | Build-Engine @options | Compare-EngineOutput -InputData "$digits/heldout.npz"
$limit = $before.Cosine + (1 - $before.Cosine) / 2
$found = $graph | Debug-EnginePrecision @options -InputData "$digits/heldout.npz" -Check { $_ | Compare-EngineOutput -InputData "$digits/heldout.npz" -Comparator Cosine -Threshold $limit }
'Found:  {0} of {1} layers must stay in FP32 for half the error: {2}' -f $found.KeptCount, $found.LayerCount, (($found.Layer | Where-Object KeepFp32).Layer -join ', ')
$after = $graph | Build-Engine @options -LayerPrecision $found.LayerPrecision | Compare-EngineOutput -InputData "$digits/heldout.npz"
'Result: {0}' -f $(if ($after.Cosine -ge $limit) { 'an engine that passes' } else { 'FAILED' })
