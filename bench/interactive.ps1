# What a person at a prompt feels: import, Tab, Ctrl+C. Needs real PowerShell.
param(
    # A model large enough that completion could be slow (765 nodes with ppocrv4-rec).
    [string] $Model = "$PSScriptRoot/../../shared/models/ppocrv4-rec/model.onnx"
)

$ErrorActionPreference = 'Stop'
$module = [IO.Path]::GetFullPath("$PSScriptRoot/../out/TrtTools")

'Import-Module, in 7 fresh processes:'
$inside = @"
`$clock = [Diagnostics.Stopwatch]::StartNew(); Import-Module '$module'; `$clock.Stop()
`$clock.Elapsed.TotalMilliseconds.ToString('F0', [cultureinfo]::InvariantCulture)
[AppDomain]::CurrentDomain.GetAssemblies() | Where-Object { `$_.Location -like '$module*' } | ForEach-Object { `$_.GetName().Name }
if (`$IsLinux) { [IO.File]::ReadAllLines('/proc/self/maps') | Where-Object { `$_ -like '*onnxruntime*' } | Select-Object -First 1 }
"@
$runs = foreach ($i in 1..7) { , @(pwsh -NoProfile -Command $inside) }
$times = $runs | ForEach-Object { [double]::Parse($_[0], [cultureinfo]::InvariantCulture) } | Sort-Object
"  median $($times[3]) ms, least $($times[0]), greatest $($times[-1])"
"  assemblies of the module that it loaded: $($runs[0][1..100] -join ', ')"

Import-Module $module
''
'Tab, the slowest of 5 after the first:'
Set-Location ([IO.Path]::GetTempPath())
$lines = @(
    'Optimize-OnnxGraph -Pass '
    'Invoke-LayerFusion -Pattern '
    "Import-OnnxGraph '$Model' | Optimize-OnnxGraph -InputValue "
    "Import-OnnxGraph '$Model' | Build-Engine -LayerPrecision "
    "Import-OnnxGraph '$Model' | Build-Engine -InputShape "
)
foreach ($line in $lines) {
    $times = foreach ($i in 0..5) {
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $found = TabExpansion2 -inputScript $line -cursorColumn $line.Length
        $clock.Elapsed.TotalMilliseconds
    }
    '  first {0,4:F0} ms, then {1,3:F0} ms, {2,4} answers, such as {3,-28}  {4}' -f $times[0], ($times[1..5] | Measure-Object -Maximum).Maximum, $found.CompletionMatches.Count, $found.CompletionMatches[0].CompletionText, ($line -replace [regex]::Escape($Model), 'model.onnx')
}

''
'Ctrl+C (the engine stops the pipeline, as the console does), after a third of a second to two seconds:'
$folder = [IO.Directory]::CreateTempSubdirectory('trttools-stop-').FullName
$prepare = "Import-Module '$module'; Set-Location '$folder'; `$graph = Import-OnnxGraph '$Model'; `$engine = `$graph | Build-Engine -Device Cpu -InputShape @{ x = 1, 3, 48, 320 };"
$works = [ordered] @{
    calibration = '$graph | New-CalibrationCache -Data { param($index) @{ x = [TrtTools.Tensors.Tensor] $sample } } | Export-CalibrationCache -Path ./stop.cache'
    build       = 'while ($true) { $graph | Build-Engine -Device Cpu -Int8 -OutputPath ./stop.engine -InputShape @{ x = 1, 3, 48, 320 } -Force -WarningAction SilentlyContinue }'
    measurement = '$engine | Measure-Engine -Duration 60'
    comparison  = 'while ($true) { $engine | Compare-EngineOutput }'
}
$works.calibration = '$sample = [Array]::CreateInstance([float], [int[]] (1, 3, 48, 320)); $graph | New-CalibrationCache -Data { @{ x = $sample } } | Export-CalibrationCache -Path ./stop.cache'
foreach ($work in $works.Keys) {
    $delays = foreach ($delay in 333, 700, 1100, 2000) {
        $shell = [PowerShell]::Create()
        $null = $shell.AddScript($prepare).Invoke()
        $shell.Commands.Clear()
        $running = $shell.AddScript($works[$work]).BeginInvoke()
        Start-Sleep -Milliseconds $delay
        if ($running.IsCompleted) { "$work ended by itself: $($shell.Streams.Error)" }
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $clock.Elapsed.TotalMilliseconds
        $shell.Dispose()
    }
    '  {0,-12} ends after {1:F0} ms at most; other files left: {2}' -f $work, ($delays | Measure-Object -Maximum).Maximum, @(Get-ChildItem $folder -Force | Where-Object Name -NotIn 'stop.engine').Count
}
Remove-Item -Recurse -Force $folder
