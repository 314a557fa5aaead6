# From an ONNX file to a measured INT8 engine, with nothing installed but the .NET SDK:
#
#     dotnet run --project src/TrtTools.Shell -- examples/quickstart.ps1
#
# In PowerShell 7.6, after `dotnet build`:
#
#     ./examples/quickstart.ps1
#
# The model is a small CNN that reads handwritten digits (examples/digits says how it was made). The script keeps to
# cmdlets that both hosts have, which is why it formats its text with -f and sums in loops. A script's output is one stream, in
# which only the first table is a table: `| Out-Default` begins a new one.

# Without this line a script goes on after an error and still ends with exit code 0.
$ErrorActionPreference = 'Stop'

if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../out/TrtTools" }

$model = "$PSScriptRoot/digits/digits.onnx"
$calibrationData = "$PSScriptRoot/digits/calibration.npz"
$heldOutData = "$PSScriptRoot/digits/heldout.npz"
$folder = [IO.Directory]::CreateTempSubdirectory('trttools-quickstart-').FullName

# The share of held-out digits that an engine reads right.
function Measure-Accuracy($Engine, $Images, $Labels) {
    $scores = (Invoke-Engine -Engine $Engine -InputData @{ image = $Images }).logits.Data
    $right = 0
    for ($i = 0; $i -lt $Labels.Length; $i++) {
        $best = 0
        for ($class = 1; $class -lt 10; $class++) {
            if ($scores[10 * $i + $class] -gt $scores[10 * $i + $best]) { $best = $class }
        }
        if ($best -eq $Labels[$i]) { $right++ }
    }
    $right / $Labels.Length
}

'1. Import the model and look at it'
$graph = Import-OnnxGraph $model
$graph | Measure-OnnxGraph | Out-Default

'2. Audit: can every operator run on the CPU, and would TensorRT 11 take the model?'
$graph | Test-OperatorSupport -Target Cpu | Out-Default
if ($graph | Test-OperatorSupport -Target TensorRT11 -Quiet) { 'TensorRT 11 supports every operator too.' } else { 'TensorRT 11 does not support every operator.' }
''
'3. Simplify and fuse: nodes that can run as one become one'
$simplified = $graph | Optimize-OnnxGraph
$simplified | Invoke-LayerFusion -Report | Where-Object Fused | Out-Default
$fused = $simplified | Invoke-LayerFusion
'{0} nodes in the file, {1} after simplifying, {2} after fusing.' -f $graph.Nodes.Count, $simplified.Nodes.Count, $fused.Nodes.Count
''
'4. Build two engines: FP32, and INT8 calibrated on 160 images from the training set'
$cache = $fused | New-CalibrationCache -Data $calibrationData
$fp32 = $fused | Build-Engine -Device Cpu -OutputPath "$folder/digits-fp32.engine"
$int8 = $fused | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache -OutputPath "$folder/digits-int8.engine"
$fp32, $int8 | Out-Default

'5. Run both on 450 digits that the model has never seen, and time them'
$images, $labels = [TrtTools.Data.TensorFile]::Read($heldOutData)
foreach ($engine in $fp32, $int8) {
    $accuracy = Measure-Accuracy $engine $images $labels.Data
    $time = $engine | Measure-Engine -Duration 1 -InputShape @{ image = 1, 1, 8, 8 }
    '{0,-5} {1,6:P2} right   {2,6:N0} kB   median {3:N3} ms   P99 {4:N3} ms   {5,8:N0} digits/s' -f `
        $engine.Precision, $accuracy, ($engine.SizeBytes / 1000), $time.LatencyMedianMs, $time.LatencyP99Ms, $time.ThroughputPerSecond
}
''
'6. Compare each with the original file in ONNX Runtime, all optimizations off'
$fp32, $int8 | Compare-EngineOutput -InputData @{ image = $images } | Out-Default

"The engines are in $folder"
'Next: Get-Help about_TrtTools, or examples/02-read-text to see a model read text.'
