# Draws a recorded session as an SVG, from the real output of a command. Used for the picture in README.md:
#
#     dotnet run --project src/TrtTools.Shell -- examples/quickstart.ps1 > session.txt
#     pwsh docs/images/render.ps1 -Transcript session.txt -Command 'dotnet run --project src/TrtTools.Shell -- examples/quickstart.ps1' -Out docs/images/quickstart.svg
param(
    [Parameter(Mandatory)] [string] $Transcript,
    [Parameter(Mandatory)] [string] $Command,
    [Parameter(Mandatory)] [string] $Out
)

$ErrorActionPreference = 'Stop'

$lines = @("> $Command", '') + [IO.File]::ReadAllLines((Resolve-Path $Transcript))
# Two empty lines in a row are one in a picture.
$shown = [Collections.Generic.List[string]]::new()
foreach ($line in $lines) {
    $text = $line.TrimEnd()
    if ($text -eq '' -and $shown.Count -gt 0 -and $shown[-1] -eq '') { continue }
    # As a terminal of 120 columns does.
    for (; $text.Length -gt 120; $text = $text.Substring(120)) { $shown.Add($text.Substring(0, 120)) }
    $shown.Add($text)
}

$lineHeight = 18
$charWidth = 8.43
$columns = ($shown | Measure-Object Length -Maximum).Maximum
$width = [Math]::Ceiling($columns * $charWidth) + 40
$height = $shown.Count * $lineHeight + 60
$svg = [Text.StringBuilder]::new()
$null = $svg.AppendLine("<svg xmlns=`"http://www.w3.org/2000/svg`" width=`"$width`" height=`"$height`" viewBox=`"0 0 $width $height`">")
$null = $svg.AppendLine("<rect width=`"$width`" height=`"$height`" rx=`"8`" fill=`"#0d1b2a`"/>")
$null = $svg.AppendLine('<circle cx="20" cy="18" r="6" fill="#e06c75"/><circle cx="40" cy="18" r="6" fill="#e5c07b"/><circle cx="60" cy="18" r="6" fill="#98c379"/>')
$null = $svg.AppendLine('<g font-family="Consolas, Menlo, DejaVu Sans Mono, monospace" font-size="14" fill="#d8dee9">')
for ($i = 0; $i -lt $shown.Count; $i++) {
    $text = $shown[$i]
    if ($text -eq '') { continue }
    $style = if ($text.StartsWith('> ')) { ' fill="#98c379"' }
        elseif ($text -match '^\d+\. ') { ' fill="#61afef" font-weight="bold"' }
        elseif ($text -match '^WARNING') { ' fill="#e5c07b"' }
        elseif ($i + 1 -lt $shown.Count -and $shown[$i + 1] -match '^-+( +-+)* *$') { ' fill="#c678dd"' }
        elseif ($text -match '^[- ]+$') { ' fill="#5c6b7e"' }
        else { '' }
    # Plain spaces would be joined into one; no-break spaces keep the columns.
    $y = 52 + $i * $lineHeight
    $length = [Math]::Round($text.Length * $charWidth, 1).ToString([cultureinfo]::InvariantCulture)
    $null = $svg.AppendLine("<text x=`"20`" y=`"$y`" textLength=`"$length`" lengthAdjust=`"spacingAndGlyphs`"$style>$([Security.SecurityElement]::Escape($text.Replace(' ', [char] 0xa0)))</text>")
}
$null = $svg.AppendLine('</g>')
$null = $svg.AppendLine('</svg>')
[IO.File]::WriteAllText($ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Out), $svg.ToString())
"$Out`: $($shown.Count) lines of up to $columns characters"
