# Bad input of every kind: each gives one error record with its id and a next step, within a second or so, and no stack trace.
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../out/TrtTools"
. "$PSScriptRoot/../tests/Pester/TrtTools.TestHelpers.ps1"

$folder = [IO.Directory]::CreateTempSubdirectory('trttools-bad-').FullName
$graph = Import-OnnxGraph $digits
$engine = $graph | Build-Engine -Device Cpu -OutputPath "$folder/good.engine"
[IO.File]::WriteAllBytes("$folder/empty.onnx", [byte[]]::new(0))
$bytes = [IO.File]::ReadAllBytes($digits)
[IO.File]::WriteAllBytes("$folder/truncated.onnx", $bytes[0..($bytes.Length / 2)])
$null = New-CyclicModel "$folder/cycle.onnx"
$content = [IO.File]::ReadAllBytes("$folder/good.engine")
# The four bytes after the magic are the format's version; the first 96 bytes have their SHA-256 behind them.
$other = [byte[]] $content.Clone(); $other[8] = 99
[Array]::Copy([Security.Cryptography.SHA256]::HashData([byte[]] $other[0..95]), 0, $other, 96, 32)
[IO.File]::WriteAllBytes("$folder/other.engine", $other)
$altered = [byte[]] $content.Clone(); $altered[-50] = $altered[-50] -bxor 255
[IO.File]::WriteAllBytes("$folder/altered.engine", $altered)
# /proc refuses new files even to root, whom a folder's rights do not hold.
$readOnly = $IsLinux ? '/proc' : "$env:SystemRoot\System32\config"

$cases = [ordered] @{
    'missing file'               = { Import-OnnxGraph "$folder/missing.onnx" }
    'empty file'                 = { Import-OnnxGraph "$folder/empty.onnx" }
    'a PNG'                      = { Import-OnnxGraph "$repository/examples/02-read-text/line1.png" }
    'a folder'                   = { Import-OnnxGraph $folder }
    'truncated model'            = { Import-OnnxGraph "$folder/truncated.onnx" }
    'model with a cycle'         = { Import-OnnxGraph "$folder/cycle.onnx" }
    'wrong input name'           = { $engine | Invoke-Engine -InputData @{ picture = New-Image } }
    'wrong input shape'          = { $engine | Invoke-Engine -InputData @{ image = [float[]]::new(10) } }
    'wrong input type'           = { $engine | Invoke-Engine -InputData @{ image = 'seven' } }
    'NaN in calibration data'    = { $graph | New-CalibrationCache -Data @{ image = New-Image ([float]::NaN) } }
    'zero samples'               = { $graph | New-CalibrationCache -Data { } }
    'missing calibration data'   = { $graph | New-CalibrationCache -Data "$folder/none.npz" }
    'read-only folder'           = { $graph | Export-OnnxGraph -Path "$readOnly/m.onnx" }
    'missing folder'             = { $graph | Export-OnnxGraph -Path "$folder/no/such/m.onnx" }
    'existing file'              = { $graph | Export-OnnxGraph -Path "$folder/good.engine" }
    'engine of another version'  = { Import-Engine "$folder/other.engine" }
    'altered engine'             = { Import-Engine "$folder/altered.engine" }
    'a model for an engine'      = { Import-Engine $digits }
    'an engine for a model'      = { Import-OnnxGraph "$folder/good.engine" }
    'unknown pass'               = { $graph | Optimize-OnnxGraph -Pass fold-everything }
    'CUDA without a GPU'         = { $graph | Build-Engine -Device Cuda }
}
$wrong = 0
foreach ($case in $cases.Keys) {
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $records = @()
    $ErrorActionPreference = 'SilentlyContinue'
    $Error.Clear()
    try { $null = & $cases[$case] } catch { }
    $records = @($Error)
    $ErrorActionPreference = 'Stop'
    $clock.Stop()
    $good = $records.Count -eq 1 -and $records[0].FullyQualifiedErrorId -like '*,TrtTools.Cmdlets.*' -and $records[0].Exception.Message -notmatch "`n   at "
    if (-not $good) { $wrong++ }
    '{0} {1,-26} {2,5:F0} ms  {3}' -f ($good ? 'ok  ' : 'FAIL'), $case, $clock.Elapsed.TotalMilliseconds, (($records | ForEach-Object { $_.FullyQualifiedErrorId }) -join '; ')
    foreach ($record in $records) { "       $($record.Exception.Message)" }
}
"$($cases.Count) cases, $wrong wrong"
Remove-Item -Recurse -Force $folder
exit [Math]::Min(1, $wrong)
