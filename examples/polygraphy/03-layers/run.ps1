# Compare with ONNX Runtime, layer by layer. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

$graph = Import-OnnxGraph $Model
$data = "$PSScriptRoot/../../digits/calibration.npz"
$engine = $graph | Build-Engine -Device Cpu -Int8 -CalibrationData $data -WarningAction SilentlyContinue
$outputs = $engine | Compare-EngineOutput -InputData $data
foreach ($output in $outputs) { 'Output {0}: {1}, cosine {2:0.000}' -f $output.Output, $(if ($output.Passed) { 'passed' } else { 'failed' }), $output.Cosine }
# Every tensor at the end of a layer; tighter than the outputs' own limit, so that there is something to see.
$layers = @($engine | Compare-EngineOutput -InputData $data -Layer -Comparator Cosine -Threshold 0.99999)
"$($layers.Count) layers compared"
foreach ($layer in $layers) { if ($layer.BeginsHere) { "The error begins at $($layer.Tensor)" } }
