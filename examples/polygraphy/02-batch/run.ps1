# A fixed batch becomes any batch, and back. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

$graph = Import-OnnxGraph $Model
"As it came:   $($graph.Inputs)"
$static = $graph | ConvertTo-StaticShape @{ image = 1, 1, 8, 8 } | Optimize-OnnxGraph
"A batch of 1: $($static.Inputs) → $($static.Outputs)"
# Reshape targets, constants and If conditions that carry the 1 are found and rewritten, or the node that stands in the way is named.
$dynamic = $static | ConvertTo-DynamicShape
"Any batch:    $($dynamic.Inputs) → $($dynamic.Outputs)"
$pixels = [float[]]::new(3 * 64)
$result = ($dynamic | Build-Engine -Device Cpu -OptimizationLevel 0 -InputShape @{ image = 3, 1, 8, 8 } | Invoke-Engine -InputData @{ image = $pixels }).logits
"Three at once: $($result.Shape -join ' × ')"
