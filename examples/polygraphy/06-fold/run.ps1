# Fold constants and simplify. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

$graph = Import-OnnxGraph $Model
# A shape computed at run time, as exporters write it: fixed once the batch is.
$more = $graph | ConvertTo-StaticShape @{ image = 1, 1, 8, 8 } | Add-GraphNode Shape -InputTensor logits -OutputTensor extents | Add-GraphNode Reshape -InputTensor logits, extents -OutputTensor scores | Set-GraphOutput scores -Only
$folded = $more | Optimize-OnnxGraph -Verify
"$($more.Nodes.Count) nodes, then $($folded.Nodes.Count)"
'Shape is left: {0}; BatchNormalization is left: {1}' -f ($folded.Nodes.OpType -contains 'Shape'), ($folded.Nodes.OpType -contains 'BatchNormalization')
"Output: $($folded.Outputs)"
# Folding alone:
$only = $more | Optimize-OnnxGraph -Pass fold-constants
"Folding alone: $($only.Nodes.Count)"
