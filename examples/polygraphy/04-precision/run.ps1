# Convert the precision. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

$graph = Import-OnnxGraph $Model
$data = "$PSScriptRoot/../../digits/calibration.npz"
# The classifier stays in FP32; what would overflow on the data stays too, with a warning.
$half = $graph | ConvertTo-OnnxPrecision Fp16 -KeepOperator Gemm -RangeData $data
$bytes = foreach ($one in $graph, $half) { ($one | Measure-OnnxGraph).WeightBytes }
'Weights: {0:N0} bytes, then {1:N0}' -f $bytes[0], $bytes[1]
"Inputs and outputs keep their types: $($half.Inputs) → $($half.Outputs)"
$engines = foreach ($one in $graph, $half) { $one | Build-Engine -Device Cpu -OptimizationLevel 0 }
$comparison = $engines[1] | Compare-EngineOutput -Reference $engines[0] -InputData $data -AbsoluteTolerance 0.05 -RelativeTolerance 0.01
'Against the original: {0}' -f $(if ($comparison.Passed) { 'within a hundredth' } else { $comparison.Reason })
