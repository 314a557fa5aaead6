# Look into a model and its weights. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

$graph = Import-OnnxGraph $Model
$text = @($graph | Show-OnnxGraph -Detail Attributes) -join "`n"
"As text: $($text.Split("`n").Length) lines, from '$($text.Split("`n")[0].Trim())' on"
$summary = $graph | Measure-OnnxGraph
'{0} nodes, {1:N0} parameters' -f $summary.NodeCount, $summary.Parameters
$convolutions = @($graph | Get-GraphNode -OpType Conv)
"$($convolutions.Count) convolutions; the first reads $($convolutions[0].Inputs[0]), and behind it comes $($convolutions[0].GetConsumers()[0].OpType)"
$statistic = $graph | Get-TensorStatistic -Name *classifier*weight*
foreach ($weight in $statistic) { '{0}: {1:0.000} to {2:0.000}, deviation {3:0.000}' -f $weight.Name, $weight.Minimum, $weight.Maximum, $weight.StandardDeviation }
$dense = 0
foreach ($weight in $graph | Test-WeightSparsity) { if (-not $weight.IsSparse) { $dense++ } }
"$dense weights are not 2:4 sparse"
