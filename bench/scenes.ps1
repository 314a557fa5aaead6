# The two scenes of bench/gpu.sh --scenes, by the example scripts: many cameras through one INT8 engine, and a detector at three resolutions. One JSON object a line.
# Keeps to what TrtTools.Shell has too.
$ErrorActionPreference = 'Stop'
$culture = [cultureinfo]::InvariantCulture
$examples = "$PSScriptRoot/../examples"
$times = "$($env:GPU_OUT)/times.json"
$level = [int]$env:GPU_LEVEL
$lines = [System.Text.StringBuilder]::new()
$device = ''
foreach ($d in Get-EngineDevice) { if ($d.Kind -eq 'Cuda' -and $device.Length -eq 0) { $device = $d.Name } }
function Number($value) { ([double]$value).ToString('0.####', $culture) }
function Add($scene, $precision, $batch, $m) {
    [void]$script:lines.Append("{`"device`": `"$device`", `"model`": `"$scene`", `"precision`": `"$precision`", `"batch`": $batch, `"trttools_ms`": $(Number $m.GpuCompute.Median), `"latency_ms`": $(Number $m.Latency.Median), `"latency_p99_ms`": $(Number $m.Latency.P99), `"copy_in_ms`": $(Number $m.HostToDevice.Median), `"iterations`": $($m.Iterations), `"commit`": `"$($env:GPU_COMMIT)`"}`n")
    [System.IO.File]::WriteAllText("$($env:GPU_OUT)/scenes.jsonl", $script:lines.ToString())
    [Console]::Error.WriteLine("${scene}, ${precision}: computing $(Number $m.GpuCompute.Median) ms, copying in $(Number $m.HostToDevice.Median) ms, latency $(Number $m.Latency.Median) ms, P99 $(Number $m.Latency.P99) ms of $($m.Iterations) runs")
}
$model = "$($env:GPU_WORK)/yolov8s-shaped-any.onnx"
$sizes = 320, 480, 640
if (-not [IO.File]::Exists($model)) {
    [Console]::Error.WriteLine('yolov8s-shaped-any.onnx was not exported: the small detector of the example stands in for it.')
    $model = "$examples/06-three-resolutions/detector.onnx"
}
try {
    $at = 0
    foreach ($m in & "$examples/06-three-resolutions/run.ps1" -Model $model -Size $sizes -Batch 1 -Device Cuda -Fp16 -Duration 1 -OptimizationLevel $level -TimingCachePath $times -PassThru) {
        Add "$([IO.Path]::GetFileNameWithoutExtension($model)), $($sizes[$at]) pixels" 'fp16' 1 $m
        $at++
    }
}
catch { [Console]::Error.WriteLine("Three resolutions: $($_.Exception.Message)") }
foreach ($fp16 in $false, $true) {
    try { Add '64 cameras, ultraface-slim' $(if ($fp16) { 'fp16' } else { 'int8' }) 64 (& "$examples/05-camera-streams/run.ps1" -Stream 64 -Device Cuda -Fp16:$fp16 -Duration 2 -OptimizationLevel $level -TimingCachePath $times -PassThru) }
    catch { [Console]::Error.WriteLine("64 cameras: $($_.Exception.Message)") }
}
