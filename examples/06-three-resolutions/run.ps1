# A detector at three resolutions in one engine, one optimization profile for each. README.md beside this file explains it.
param(
    # A model with one image input of free height and width. Without it the small detector of this folder.
    [string] $Model = "$PSScriptRoot/detector.onnx",
    [int[]] $Size = (160, 224, 320),
    [int] $Batch = 4,
    [string] $Device = 'Auto',
    [switch] $Fp16,
    # Seconds to measure each resolution.
    [double] $Duration = 0.5,
    [int] $OptimizationLevel = 3,
    [string] $TimingCachePath,
    # For models that take long on the CPU.
    [switch] $SkipCheck,
    # Gives the measurements instead of text about them.
    [switch] $PassThru
)

# Without this line a script goes on after an error and still ends with exit code 0.
$ErrorActionPreference = 'Stop'

if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../out/TrtTools" }

$graph = Import-OnnxGraph $Model
$name = $graph.Inputs[0].Name
$profiles = foreach ($pixels in $Size) {
    @{ Min = @{ $name = 1, 3, $pixels, $pixels }; Opt = @{ $name = 1, 3, $pixels, $pixels }; Max = @{ $name = $Batch, 3, $pixels, $pixels } }
}
$options = @{ Device = $Device; OptimizationProfile = $profiles; OptimizationLevel = $OptimizationLevel; WarningAction = 'SilentlyContinue' }
if ($Fp16) { $options.Fp16 = $true }
if ($TimingCachePath) { $options.TimingCachePath = $TimingCachePath }
$engine = $graph | Build-Engine @options
if (-not $PassThru) { 'Built {0} for {1} in {2:N1} s: {3} layers, {4} profiles' -f $engine.Precision, $engine.Device, $engine.BuildSeconds, $engine.Layers.Count, $Size.Length }
if (-not $PassThru) { foreach ($memory in $engine.DeviceMemory) { "  $memory" } }

# One engine, whatever comes: the profile is picked by the shape.
foreach ($pixels in $Size) {
    $shape = @{ $name = 1, 3, $pixels, $pixels }
    $passed = 'not checked'
    if (-not $SkipCheck) {
        $passed = 'as ONNX Runtime'
        foreach ($output in $engine | Compare-EngineOutput -InputShape $shape) {
            # Half precision is held to 1 % of the scale; FP32 to what Compare-EngineOutput asks for.
            $good = if ($Fp16 -and $engine.Device -eq 'Cuda') { $output.MaxAbsoluteError -le 0.01 * $output.Scale } else { $output.Passed }
            if (-not $good) { $passed = 'FAILED: {0}' -f $output.Reason }
        }
    }
    $measured = $engine | Measure-Engine -InputShape $shape -Duration $Duration -WarningAction SilentlyContinue
    if ($PassThru) { $measured; continue }
    '{0} × {0}: {1}, computing {2:N3} ms, latency {3:N3} ms, P99 {4:N3} ms' -f $pixels, $passed, $measured.GpuCompute.Median, $measured.Latency.Median, $measured.Latency.P99
}

if ($PassThru) { return }
$other = $Size[-1] + 32
try { $null = $engine | Measure-Engine -InputShape @{ $name = 1, 3, $other, $other } -Duration 0 -ErrorAction Stop -WarningAction SilentlyContinue; "$other × $other was taken" }
catch { '{0} × {0}: {1}' -f $other, $_.FullyQualifiedErrorId.Split(',')[0] }
