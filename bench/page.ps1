# How many frames a second the page of Show-OnnxGraph draws while it is dragged, in headless Chromium: ./bench/page.ps1 [model.onnx] [-Scale 1]
param([string] $Path = "$PSScriptRoot/../../shared/models/ppocrv4-rec/model.onnx", [double] $Scale = 0, [double] $Seconds = 4)
$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../out/TrtTools" }
$folder = [IO.Directory]::CreateTempSubdirectory('trttools-page-').FullName
$program = 'chromium', 'chromium-browser', 'google-chrome' | Where-Object { Get-Command $_ -ErrorAction Ignore } | Select-Object -First 1
$clock = [Diagnostics.Stopwatch]::StartNew()
$graph = Import-OnnxGraph $Path
$graph | Show-OnnxGraph -As Html -OutputPath "$folder/page.html"
$write = $clock.Elapsed.TotalSeconds
$browser = Start-Process $program -PassThru -RedirectStandardError "$folder/error" -RedirectStandardOutput "$folder/output" -ArgumentList '--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking',
    '--window-size=1400,900', '--remote-debugging-port=0', "--user-data-dir=$folder/profile", 'about:blank'
try {
    while (-not (Test-Path "$folder/profile/DevToolsActivePort")) { Start-Sleep -Milliseconds 50 }
    Start-Sleep -Milliseconds 300
    $port = @(Get-Content "$folder/profile/DevToolsActivePort")[0]
    $target = (Invoke-RestMethod "http://127.0.0.1:$port/json") | Where-Object type -EQ 'page' | Select-Object -First 1
    $socket = [Net.WebSockets.ClientWebSocket]::new()
    $none = [Threading.CancellationToken]::None
    $null = $socket.ConnectAsync([uri] $target.webSocketDebuggerUrl, $none).GetAwaiter().GetResult()
    $script:last = 0
    function Invoke-Browser([string] $Method, [hashtable] $Arguments) {
        $id = ++$script:last
        $bytes = [Text.Encoding]::UTF8.GetBytes((@{ id = $id; method = $Method; params = $Arguments } | ConvertTo-Json -Compress -Depth 5))
        $null = $socket.SendAsync([ArraySegment[byte]]::new($bytes), 'Text', $true, $none).GetAwaiter().GetResult()
        $buffer = [byte[]]::new(1MB)
        do {
            $text = [Text.StringBuilder]::new()
            do {
                $part = $socket.ReceiveAsync([ArraySegment[byte]]::new($buffer), $none).GetAwaiter().GetResult()
                $null = $text.Append([Text.Encoding]::UTF8.GetString($buffer, 0, $part.Count))
            } until ($part.EndOfMessage)
            $answer = $text.ToString() | ConvertFrom-Json
        } until ($answer.id -eq $id)
        if ($answer.error) { throw "${Method}: $($answer.error.message)" }
        $answer.result
    }
    function Get-Value([string] $Script) { (Invoke-Browser 'Runtime.evaluate' @{ expression = $Script; returnByValue = $true; awaitPromise = $true }).result.value }
    $null = Invoke-Browser 'Page.enable' @{}
    $clock.Restart()
    $null = Invoke-Browser 'Page.navigate' @{ url = [uri]::new("file://$folder/page.html").AbsoluteUri }
    while ((Get-Value 'document.readyState + (typeof boxes)') -ne 'completeobject') { Start-Sleep -Milliseconds 10 }
    $open = $clock.Elapsed.TotalSeconds
    if ($Scale -gt 0) { $null = Get-Value "view.scale = $($Scale.ToString([cultureinfo]::InvariantCulture)); redraw(); 0" } elseif ($Scale -lt 0) { $null = Get-Value 'whole(); 0' }
    # A frame counts when it was drawn: the page redraws once for each animation frame in which it was moved.
    $null = Get-Value 'globalThis.frames = []; (function tick(t) { frames.push(t); requestAnimationFrame(tick); })(performance.now()); 0'
    $null = Invoke-Browser 'Input.dispatchMouseEvent' @{ type = 'mousePressed'; x = 600; y = 450; button = 'left'; buttons = 1; clickCount = 1 }
    $clock.Restart()
    $moves = 0
    while ($clock.Elapsed.TotalSeconds -lt $Seconds) {
        $at = 450 + 380 * [Math]::Sin($moves++ / 15)
        $null = Invoke-Browser 'Input.dispatchMouseEvent' @{ type = 'mouseMoved'; x = 600; y = $at; button = 'left'; buttons = 1 }
    }
    $frames = @(Get-Value 'frames.map((t, i) => i ? t - frames[i - 1] : 0).slice(1)') | Sort-Object
    $drawMs = Get-Value '(() => { const t = performance.now(); for (let i = 0; i < 100; i++) { view.y += 3; draw(); } return (performance.now() - t) / 100; })()'
    [pscustomobject]@{
        Model = $graph.Name; Nodes = $graph.Nodes.Count; WriteSeconds = [Math]::Round($write, 2); OpenSeconds = [Math]::Round($open, 2); FramesPerSecond = [Math]::Round(1000 * $frames.Count / ($frames | Measure-Object -Sum).Sum, 1)
        SlowestOf95PercentMs = [Math]::Round($frames[[int] (0.95 * ($frames.Count - 1))], 1); DrawMs = [Math]::Round($drawMs, 2); Moves = $moves
    }
}
finally {
    $socket.Dispose()
    $browser | Stop-Process
    $browser.WaitForExit()
    Remove-Item $folder -Recurse -Force
}
