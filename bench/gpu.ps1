# Our side of bench/gpu.sh, which sets the variables: builds each model for each batch, holds its outputs against ONNX Runtime on the original file, and times it. One JSON object a line.
# Keeps to what TrtTools.Shell has too.
$ErrorActionPreference = 'Stop'
$work, $precision, $level = $env:GPU_WORK, $env:GPU_PRECISION, [int]$env:GPU_LEVEL
$clock = [System.Diagnostics.Stopwatch]::StartNew()
$culture = [cultureinfo]::InvariantCulture
function Say($text) { [Console]::Error.WriteLine('{0,6:0.0} s  {1}', $clock.Elapsed.TotalSeconds, $text) }
function Number($value) { if ($null -eq $value) { 'null' } else { ([double]$value).ToString('R', $culture) } }

# Shapes of the dynamic inputs for a batch.
function Shapes($graph, $batch) {
    $shapes = @{}
    foreach ($i in $graph.Inputs) {
        if (-not ($i.Shape -contains -1)) { continue }
        $shape = [long[]]::new($i.Shape.Length)
        for ($d = 0; $d -lt $shape.Length; $d++) {
            $shape[$d] = if ($i.Shape[$d] -ge 0) { $i.Shape[$d] } elseif ($i.SymbolicShape[$d] -match 'past') { 512 } else { $batch }
        }
        $shapes[$i.Name] = $shape
    }
    $shapes
}

$batches = @{ 'resnet50' = 1, 64, 256; 'bert-base-s128' = 1, 32; 'vit-b16' = 1, 64; 'yolov8s-shaped-640' = 1, 32; 'mobilenet-v3-large' = , 64; 'gpt2-step-past512' = , 1 }
$files = @()
foreach ($f in [System.IO.Directory]::GetFiles($work, '*.onnx')) { $files += $f }
foreach ($f in $env:GPU_OWN.Split(';')) { if ($f.Length -gt 0) { $files += $f } }
[array]::Sort($files, [StringComparer]::Ordinal)
$device = ''
foreach ($d in Get-EngineDevice) { if ($d.Kind -eq 'Cuda' -and $device.Length -eq 0) { $device = $d.Name } }
$asked = @{}
if ($precision -ne 'Fp32') { $asked[$precision] = $true }
if ($precision -eq 'Int8') { $asked['Fp16'] = $true }
$lines = [System.Text.StringBuilder]::new()
foreach ($file in $files) {
    $name = [System.IO.Path]::GetFileNameWithoutExtension($file)
    $graph = Import-OnnxGraph -LiteralPath $file
    # Random images have no outliers that a range had better leave out.
    if ($precision -eq 'Int8' -and [System.IO.File]::Exists("$work/$name.calibration.npy")) { $asked['CalibrationCache'] = $graph | New-CalibrationCache -Data "$work/$name.calibration.npy" -Algorithm MinMax }
    else { $asked.Remove('CalibrationCache') }
    $sizes = if ($batches.ContainsKey($name)) { $batches[$name] } else { , 1 }
    if ($env:GPU_QUICK) { $sizes = , $sizes[0] }
    if ($env:GPU_BATCHES) { $sizes = @(foreach ($b in $env:GPU_BATCHES.Split(',')) { [int]$b }) }
    foreach ($batch in $sizes) {
        $shapes = Shapes $graph $batch
        try {
            $at = $clock.Elapsed.TotalSeconds
            $engine = $graph | Build-Engine -Device Cuda @asked -InputShape $shapes -OptimizationLevel $level -TimingCachePath "$($env:GPU_OUT)/times.json" -WarningAction SilentlyContinue
            $built = $clock.Elapsed.TotalSeconds - $at
            foreach ($w in $engine.Warnings) { Say "${name}: $w" }
            # ONNX Runtime on the CPU takes seconds for a batch of 64: larger ones are not checked.
            $worst = $null
            $cosine = $null
            if ($batch -le 64) {
                $worst = 0.0
                foreach ($c in ($engine | Compare-EngineOutput)) { if ($c.MaxAbsoluteError -gt $worst) { $worst = $c.MaxAbsoluteError }; if ($null -eq $cosine -or $c.Cosine -lt $cosine) { $cosine = $c.Cosine }; Say "$name b${batch}: $($c.Output) max error $($c.MaxAbsoluteError), cosine $($c.Cosine), top-1 $($c.Top1Agreement)" }
            }
            $m = $engine | Measure-Engine -Duration 1 -Iteration 30 -WarmUp 200 -WarningAction SilentlyContinue
            $ms = $m.GpuCompute.Median
            Say "$name b${batch}: $(Number $ms) ms, built in $(Number ([Math]::Round($built, 1))) s, $($engine.Layers.Count) layers"
            [void]$lines.Append("{`"device`": `"$device`", `"model`": `"$name`", `"precision`": `"$($precision.ToLowerInvariant())`", `"batch`": $batch, `"trttools_ms`": $(Number $ms), `"max_error`": $(Number $worst), `"cosine`": $(Number $cosine), `"build_s`": $(Number ([Math]::Round($built, 2))), `"commit`": `"$($env:GPU_COMMIT)`"}`n")
            $text = [System.Text.StringBuilder]::new()
            foreach ($l in $engine.Layers) { [void]$text.Append("$($l.Name)`t$($l.Kind)`t$($l.Tactic)`t$(Number $l.MedianMs)`t$($l.OutputShape)`t$([string]::Join(' | ', $l.Candidates))`n") }
            [System.IO.File]::WriteAllText("$($env:GPU_OUT)/$name$(if ($precision -ne 'Fp16') { '-' + $precision.ToLowerInvariant() }).b$batch.layers.tsv", $text.ToString())
            $engine.Dispose()
        }
        catch {
            Say "$name b${batch}: $($_.Exception.Message)"
        }
        [System.IO.File]::WriteAllText("$work/ours.jsonl", $lines.ToString())
    }
}
