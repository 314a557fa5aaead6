# INT8 against FP32: accuracy on held-out digits, size, cosine and latency of some models.
param(
    [string] $Folder = "$PSScriptRoot/../../shared/models"
)

$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../out/TrtTools"

function Get-Accuracy($Engine, $Images, $Labels) {
    $scores = (Invoke-Engine -Engine $Engine -InputData @{ image = $Images }).logits.Data
    $right = 0
    for ($i = 0; $i -lt $Labels.Length; $i++) {
        $best = 0
        for ($class = 1; $class -lt 10; $class++) { if ($scores[10 * $i + $class] -gt $scores[10 * $i + $best]) { $best = $class } }
        if ($best -eq $Labels[$i]) { $right++ }
    }
    100 * $right / $Labels.Length
}

$digits = "$PSScriptRoot/../examples/digits"
$graph = Import-OnnxGraph "$digits/digits.onnx" | Optimize-OnnxGraph | Invoke-LayerFusion
$images, $labels = [TrtTools.Data.TensorFile]::Read("$digits/heldout.npz")
$fp32 = $graph | Build-Engine -Device Cpu
'digits FP32: {0:F2} % right, {1:N0} bytes' -f (Get-Accuracy $fp32 $images $labels.Data), $fp32.SizeBytes
foreach ($algorithm in 'Entropy', 'MinMax', 'Percentile', 'Mse') {
    $cache = $graph | New-CalibrationCache -Data "$digits/calibration.npz" -Algorithm $algorithm
    $int8 = $graph | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache
    'digits INT8 {0,-10}: {1:F2} % right, {2:N0} bytes, {3:P1} of FP32' -f $algorithm, (Get-Accuracy $int8 $images $labels.Data), $int8.SizeBytes, ($int8.SizeBytes / $fp32.SizeBytes)
}

''
'{0,-30} {1,9} {2,11} {3,7} {4,9} {5,9} {6,9}  {7}' -f 'model', 'cosine', 'INT8 layers', 'size', 'FP32 ms', 'INT8 ms', 'speed-up', 'warnings of the INT8 engine'
foreach ($name in 'ultraface-slim-320-simplified', 'mlsd-320-tiny', 'ppocrv2-cls') {
    $model = "$Folder/$name/model.onnx"
    if (-not (Test-Path $model)) { "$name is not in $Folder"; continue }
    $graph = Import-OnnxGraph $model | Optimize-OnnxGraph -WarningAction SilentlyContinue | Invoke-LayerFusion
    $sets = @(Get-ChildItem "$Folder/$name" -Filter test_data_set_*)
    # The data sets are all the data there is: these cosines are on the data of the calibration.
    $cache = $graph | New-CalibrationCache -Data "$Folder/$name"
    $fp32 = $graph | Build-Engine -Device Cpu
    $int8 = $graph | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache -WarningAction SilentlyContinue
    $cosine = ($sets | ForEach-Object { $int8 | Compare-EngineOutput -Reference $_.FullName } | Measure-Object Cosine -Minimum).Minimum
    # A cosine says nothing of INT8 when the layers stayed in float: how many of those with weights did not.
    $heavy = @($int8 | Get-EngineLayer | Where-Object Kind -Match 'Conv|Gemm|MatMul')
    $done = @($heavy | Where-Object Precision -EQ 'Int8').Count
    # Taking turns: a machine that warms up must not decide.
    $times = @{ fp32 = @(); int8 = @() }
    foreach ($turn in 1..3) {
        $times.fp32 += ($fp32 | Measure-Engine -InputData $sets[0].FullName -Duration 1 -WarningAction SilentlyContinue).LatencyMedianMs
        $times.int8 += ($int8 | Measure-Engine -InputData $sets[0].FullName -Duration 1 -WarningAction SilentlyContinue).LatencyMedianMs
    }
    $a = ($times.fp32 | Measure-Object -Minimum).Minimum
    $b = ($times.int8 | Measure-Object -Minimum).Minimum
    '{0,-30} {1,9:F5} {2,11} {3,7:P1} {4,9:F3} {5,9:F3} {6,9:F2}  {7}' -f $name, $cosine, "$done of $($heavy.Count)", ($int8.SizeBytes / $fp32.SizeBytes), $a, $b, ($a / $b), ($int8.Warnings -join ' ')
}
