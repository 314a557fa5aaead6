# kill -9 at random moments of Export-OnnxGraph and Build-Engine: the target must be absent, old or whole.
param(
    [int] $Count = 50,
    [string] $Model = "$PSScriptRoot/../examples/digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
$module = [IO.Path]::GetFullPath("$PSScriptRoot/../out/TrtTools")
$Model = [IO.Path]::GetFullPath($Model)
Import-Module $module
$folder = [IO.Directory]::CreateTempSubdirectory('trttools-kill-').FullName

# Two contents take turns at one path, so that a kill falls into a replacement too; the first write meets no file.
$works = [ordered] @{
    'Export-OnnxGraph' = "`$b = `$a | Optimize-OnnxGraph; 'go'; while (`$true) { `$a | Export-OnnxGraph -Path TARGET -Force; `$b | Export-OnnxGraph -Path TARGET -Force }"
    'Build-Engine'     = "`$b = `$a | Optimize-OnnxGraph | Invoke-LayerFusion; 'go'; while (`$true) { `$null = `$a | Build-Engine -Device Cpu -OutputPath TARGET -Force; `$null = `$b | Build-Engine -Device Cpu -OutputPath TARGET -Force }"
}
$random = [Random]::new(1)
$bad = 0
foreach ($work in $works.Keys) {
    $absent = $whole = $leftover = 0
    for ($i = 0; $i -lt $Count; $i++) {
        $target = "$folder/$($work)-$($i % 2 ? 'again' : $i).bin"
        $start = [Diagnostics.ProcessStartInfo]::new('pwsh')
        foreach ($argument in '-NoProfile', '-Command', ("`$ErrorActionPreference = 'Stop'; Import-Module '$module'; `$a = Import-OnnxGraph '$Model'; " + $works[$work].Replace('TARGET', "'$target'"))) { $start.ArgumentList.Add($argument) }
        $start.RedirectStandardOutput = $true
        $process = [Diagnostics.Process]::Start($start)
        if ($process.StandardOutput.ReadLine() -ne 'go') { throw "$work did not start" }
        [Threading.Thread]::Sleep($random.Next(0, $work -eq 'Build-Engine' ? 3000 : 600))
        if ($process.HasExited) { throw "$work ended by itself" }
        # On Linux this is SIGKILL.
        $process.Kill()
        $process.WaitForExit()
        if (-not (Test-Path $target)) { $absent++; continue }
        try {
            if ($work -eq 'Build-Engine') { (Import-Engine $target | Invoke-Engine -InputData @{ image = [Array]::CreateInstance([float], [int[]] (1, 1, 8, 8)) }) | Out-Null }
            elseif (-not (Import-OnnxGraph $target | Test-OnnxGraph -Quiet)) { throw 'faults' }
            $whole++
        }
        catch { $bad++; "$work, kill $i`: $($_.Exception.Message)" }
    }
    $leftover = @(Get-ChildItem $folder -Force | Where-Object Name -NotMatch "^(Export-OnnxGraph|Build-Engine)-(\d+|again)\.bin$").Count
    "$work`: $Count kills, target absent $absent times, whole $whole times, damaged $bad times; $leftover temporary files left by the killed processes"
}
Remove-Item -Recurse -Force $folder
exit [Math]::Min(1, $bad)
