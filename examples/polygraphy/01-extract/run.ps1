# Extract a subgraph. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

# The residual block alone: from the tensor that goes in to the one that comes out.
$part = Import-OnnxGraph $Model | Select-OnnxSubgraph /Relu_1_output_0 /residual/Relu_1_output_0
'{0} nodes: {1}' -f $part.Nodes.Count, ($part.Nodes.OpType -join ', ')
"In:  $($part.Inputs)"
"Out: $($part.Outputs)"
'It is a whole model: {0}' -f ($part | Test-OnnxGraph -Quiet)
