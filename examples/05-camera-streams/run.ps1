# Many cameras, one engine: raw frames in, faces out, resizing on the device. README.md beside this file explains it.
param(
    # A face detector of the Ultraface family. Without it the one of shared/models beside the repository, else the digit reader of these examples stands in for it.
    [string] $Model,
    [int] $Stream = 8,
    [int] $Height = 480,
    [int] $Width = 640,
    [string] $Device = 'Auto',
    # Seconds to measure.
    [double] $Duration = 1,
    # Without it Build-Engine uses INT8.
    [switch] $Fp16,
    [int] $OptimizationLevel = 3,
    [string] $TimingCachePath,
    # Gives the measurement instead of text about it.
    [switch] $PassThru
)

# Without this line a script goes on after an error and still ends with exit code 0.
$ErrorActionPreference = 'Stop'

if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../out/TrtTools" }

$preprocessing = @{ scale = 1 / 128; mean = 0.9921875; fit = 'stretch' }
if (-not $Model) {
    $Model = "$PSScriptRoot/../digits/digits.onnx"
    for ($folder = [IO.DirectoryInfo] $PSScriptRoot; $folder; $folder = $folder.Parent) {
        $found = "$($folder.FullName)/shared/models/ultraface-slim-320-simplified/model.onnx"
        if ([IO.File]::Exists($found)) { $Model = $found; break }
    }
}
if ($Model.EndsWith('digits.onnx')) {
    if (-not $PassThru) { 'The face detector is not in a folder shared/models beside the repository: the digit reader stands in for it.' }
    $preprocessing = @{ scale = 1 / 255; fit = 'stretch' }
}

# The model takes one picture of its own size in floats; the engine shall take raw frames of any number of cameras.
$original = Import-OnnxGraph $Model -WarningAction SilentlyContinue
if (-not ($original.Inputs[0].Shape[0] -lt 0)) { $original = $original | ConvertTo-DynamicShape -Symbol cameras }
$graph = $original | Add-GraphPreprocessing $preprocessing -ImageSize $Height, $Width
if (-not $PassThru) { 'The engine takes {0}' -f $graph.Inputs[0] }
$name = $graph.Inputs[0].Name

# Frames are made up here: noise on a slope of its own for each camera. A recording would be better to calibrate on.
$random = [Random]::new(1)
$frames = [byte[]]::new([long] $Stream * $Height * $Width * 3)
$random.NextBytes($frames)
$one = $Height * $Width * 3
for ($camera = 0; $camera -lt $Stream; $camera++) {
    $from = $camera * $one
    for ($i = 0; $i -lt $one; $i += 257) { $frames[$from + $i] = ($i / 257 + 31 * $camera) % 256 }
}
$shape = $Stream, $Height, $Width, 3
$batch = [Array]::CreateInstance([byte], [int[]] $shape)
[Buffer]::BlockCopy($frames, 0, $batch, 0, $frames.Length)
$few = [Array]::CreateInstance([byte], [int[]] ([Math]::Min(8, $Stream), $Height, $Width, 3))
[Buffer]::BlockCopy($frames, 0, $few, 0, $few.Length)

$range = @{ Min = @{ $name = 1, $Height, $Width, 3 }; Opt = @{ $name = $shape }; Max = @{ $name = $shape } }
$options = @{ Device = $Device; OptimizationProfile = $range; OptimizationLevel = $OptimizationLevel; WarningAction = 'SilentlyContinue' }
if ($TimingCachePath) { $options.TimingCachePath = $TimingCachePath }
if ($Fp16) { $options.Fp16 = $true } else { $options.Int8 = $true; $options.CalibrationData = @{ $name = $few } }
if ($Device -eq 'Cuda' -and -not $Fp16) { $options.Fp16 = $true }
$engine = $graph | Build-Engine @options
if (-not $PassThru) {
    'Built {0} for {1} in {2:N1} s: {3} layers' -f $engine.Precision, $engine.Device, $engine.BuildSeconds, $engine.Layers.Count
    foreach ($warning in $engine.Warnings) { "  $warning" }
}

$comparison = $engine | Compare-EngineOutput -Reference $graph -InputData @{ $name = $batch }
foreach ($output in $comparison) { if ($PassThru) { if (-not $output.Passed) { throw $output.Reason }; continue }; 'Against the model in FP32: {0}, cosine {1:N5}, {2}' -f $output.Output, $output.Cosine, $(if ($output.Passed) { 'passed' } else { "FAILED: $($output.Reason)" }) }

$measured = $engine | Measure-Engine -InputData @{ $name = $batch } -Duration $Duration -WarningAction SilentlyContinue
if ($PassThru) { return $measured }
'{0} cameras: {1:N0} frames a second; from raw frames in host memory to results {2:N3} ms, P99 {3:N3} ms' -f $Stream, ($Stream * $measured.ThroughputPerSecond), $measured.Latency.Median, $measured.Latency.P99
'of which copying in {0:N3} ms, computing {1:N3} ms, copying out {2:N3} ms' -f $measured.HostToDevice.Median, $measured.GpuCompute.Median, $measured.DeviceToHost.Median
