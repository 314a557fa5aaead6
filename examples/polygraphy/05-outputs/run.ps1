# Change the outputs, or mark every tensor one. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

$graph = Import-OnnxGraph $Model
$all = $graph | Set-GraphOutput -All -Exclude logits
"Every tensor but logits: $($all.Outputs.Count) outputs"
$features = $graph | Set-GraphOutput /Relu_output_0 -Only
"One of them: $($features.Outputs); $($features.Nodes.Count) of $($graph.Nodes.Count) nodes are left"
$both = $graph | Set-GraphOutput /Relu_output_0 -Add | Rename-GraphTensor /Relu_output_0 features
"One more, by a name of its own: $($both.Outputs.Name -join ', ')"
$values = ($both | Build-Engine -Device Cpu -OptimizationLevel 0 -InputShape @{ image = 1, 1, 8, 8 } | Invoke-Engine -InputData @{ image = [float[]]::new(64) })
"Run: $($values.features.Shape -join ' × ') and $($values.logits.Shape -join ' × ')"
