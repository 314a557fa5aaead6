# Edits of a large graph: a chain of residual blocks of the digits model, doubled until it has as many nodes as asked. Each edit runs five times;
# the table has the median, the slowest, and the median of the processor's time, which other work on the machine disturbs less.
param([int] $Nodes = 100000, [int] $Runs = 5)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../out/TrtTools" }

# Each block begins and ends with 64 channels of 4 × 4, so that one may follow the other.
$graph = Import-OnnxGraph "$PSScriptRoot/../examples/digits/digits.onnx" |
    Select-OnnxSubgraph /Relu_1_output_0 /residual/Relu_1_output_0 | Rename-GraphTensor -Map @{ '/Relu_1_output_0' = 'x'; '/residual/Relu_1_output_0' = 'y' }
for ($copy = 1; $graph.Nodes.Count -lt $Nodes; $copy++) {
    $output = $graph.Outputs[0].Name
    $graph = $graph | Merge-OnnxGraph $graph @{ $output = 'x' }
}
$count = $graph.Nodes.Count
$center = $graph.Nodes[[int] ($count / 2)].Outputs[0]
# Only what every path goes through can be cut at: the end of a block.
$ends = @($graph | Get-GraphNode -OpType Relu | Where-Object { $_.GetProducers()[0].OpType -eq 'Add' })
$first, $later = $ends[[int] ($ends.Count / 4)].Outputs[0], $ends[[int] ($ends.Count * 3 / 4)].Outputs[0]

$edits = [ordered] @{
    'Select-OnnxSubgraph, the middle half'  = { $graph | Select-OnnxSubgraph $first $later }
    'Rename-GraphTensor'                    = { $graph | Rename-GraphTensor $center renamed }
    'Add-GraphNode -InsertAfter'            = { $graph | Add-GraphNode Identity -InsertAfter $center }
    'Remove-GraphNode -Reconnect'           = { $graph | Remove-GraphNode $ends[0] -Reconnect }
    'Set-GraphNode -OpType'                 = { $graph | Set-GraphNode $ends[0] -OpType Sigmoid }
    'Set-GraphOutput -Add'                  = { $graph | Set-GraphOutput $center -Add }
    'Invoke-GraphPattern, every activation' = { $graph | Invoke-GraphPattern 'Relu(x)' 'Clip(x, 0, _)' }
    'Split-OnnxGraph'                       = { $graph | Split-OnnxGraph $first }
    'Get-GraphNode -UpstreamOf'             = { $graph | Get-GraphNode -UpstreamOf $later }
    'Get-GraphTensor, by name'              = { $graph | Get-GraphTensor $center }
}
if (Get-Command Compare-OnnxGraph -ErrorAction Ignore) {
    $other = $graph | Add-GraphNode Identity -InsertAfter $center
    $edits['Compare-OnnxGraph, one node more'] = { $graph | Compare-OnnxGraph $other }
}

"$count nodes, $($graph.Initializers.Count) weights"
$process = [Diagnostics.Process]::GetCurrentProcess()
foreach ($edit in $edits.GetEnumerator()) {
    $wall, $busy = [double[]]::new($Runs), [double[]]::new($Runs)
    for ($run = 0; $run -lt $Runs; $run++) {
        $process.Refresh()
        $before = $process.TotalProcessorTime
        $wall[$run] = (Measure-Command { $null = & $edit.Value }).TotalSeconds
        $process.Refresh()
        $busy[$run] = ($process.TotalProcessorTime - $before).TotalSeconds
    }
    [Array]::Sort($wall)
    [Array]::Sort($busy)
    $median = [int] (($Runs - 1) / 2)
    '{0,-40} {1,6:N2} s, at most {2:N2} s; processor {3:N2} s' -f $edit.Key, $wall[$median], $wall[-1], $busy[$median]
}
