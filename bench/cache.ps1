# Calibration caches: made on the raw, the optimized or the fused graph, each gives the same engine from any of the three; and the text form.
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../out/TrtTools"

$digits = "$PSScriptRoot/../examples/digits"
$folder = [IO.Directory]::CreateTempSubdirectory('trttools-cache-').FullName
$graphs = [ordered] @{ raw = Import-OnnxGraph "$digits/digits.onnx" }
$graphs.optimized = $graphs.raw | Optimize-OnnxGraph
$graphs.fused = $graphs.optimized | Invoke-LayerFusion

$ids = foreach ($source in $graphs.Keys) {
    $cache = $graphs[$source] | New-CalibrationCache -Data "$digits/calibration.npz"
    foreach ($target in $graphs.Keys) {
        $id = ($graphs[$target] | Build-Engine -Device Cpu -Int8 -CalibrationCache $cache -WarningAction SilentlyContinue).Id
        Write-Host ('cache of {0,-9} on {1,-9} engine {2}' -f $source, $target, $id)
        $id
    }
}
'{0} different engines of 9 (expected 1)' -f @($ids | Select-Object -Unique).Count

$cache = $graphs.raw | New-CalibrationCache -Data "$digits/calibration.npz"
$cache | Export-CalibrationCache -Path "$folder/a.cache"
Import-CalibrationCache "$folder/a.cache" | Export-CalibrationCache -Path "$folder/b.cache"
'written, read and written again: {0}' -f ((Get-FileHash "$folder/a.cache").Hash -eq (Get-FileHash "$folder/b.cache").Hash ? 'bit for bit the same' : 'DIFFERENT')
$read = Import-CalibrationCache "$folder/a.cache"
'scales read back: {0}' -f ((@(for ($i = 0; $i -lt $cache.Tensors.Count; $i++) { if ($read.Tensors[$i].Scale -ne $cache.Tensors[$i].Scale) { $i } }).Count -eq 0) ? 'equal' : 'DIFFERENT')

$lines = Get-Content "$folder/a.cache" | Select-Object -Skip 1
foreach ($header in 'TRT-8502-EntropyCalibration2', 'TRT-100300-EntropyCalibration2', 'TRT-110100-EntropyCalibration2') {
    foreach ($end in "`n", "`r`n") {
        [IO.File]::WriteAllText("$folder/h.cache", (@($header) + 'scope: sub/conv:0: 3c010204' + $lines -join $end) + $end)
        '{0,-30} {1,-4} {2} tensors, first "{3}"' -f $header, ($end.Length -eq 2 ? 'CRLF' : 'LF'), (Import-CalibrationCache "$folder/h.cache").Tensors.Count, (Import-CalibrationCache "$folder/h.cache").Tensors[0].Name
    }
}
[IO.File]::WriteAllText("$folder/damaged.cache", "TRT-8502-EntropyCalibration2`nimage: 3c010204`nlogits 3c01`n")
try { $null = Import-CalibrationCache "$folder/damaged.cache" } catch { "damaged: $($_.Exception.Message)" }
Remove-Item -Recurse -Force $folder
