# Dot-sourced by every test file: imports the module that `dotnet build` left at out/TrtTools, and knows where models are.
$repository = [IO.Path]::GetFullPath("$PSScriptRoot/../..")
if (-not (Get-Module TrtTools)) { Import-Module "$repository/out/TrtTools" }

$digits = "$repository/examples/digits/digits.onnx"
$calibrationData = "$repository/examples/digits/calibration.npz"
$heldOutData = "$repository/examples/digits/heldout.npz"

# The path of a model in ../shared/models; skips the running test where that folder is absent.
function Get-SharedModel([string] $Name) {
    for ($folder = [IO.DirectoryInfo] $repository; $folder; $folder = $folder.Parent) {
        $model = "$($folder.FullName)/shared/models/$Name/model.onnx"
        if ([IO.File]::Exists($model)) { return $model }
    }
    Set-ItResult -Skipped -Because "the model $Name is not in a folder shared/models beside the repository"
}

# A copy of the digits model with one occurrence of a text in it replaced by another of the same length; all occurrences with -Occurrence 0.
function New-AlteredModel([string] $Path, [string] $Find, [string] $Replace, [int] $Occurrence = 0) {
    if ($Find.Length -ne $Replace.Length) { throw 'Both texts must have the same length: lengths are part of the file.' }
    $content = [IO.File]::ReadAllText($digits, [Text.Encoding]::Latin1)
    if ($Occurrence -eq 0) { $content = $content.Replace($Find, $Replace) }
    else {
        $at = -1
        for ($i = 0; $i -lt $Occurrence; $i++) { $at = $content.IndexOf($Find, $at + 1, [StringComparison]::Ordinal) }
        $content = $content.Remove($at, $Find.Length).Insert($at, $Replace)
    }
    [IO.File]::WriteAllText($Path, $content, [Text.Encoding]::Latin1)
    $Path
}

# A copy in which the pooling is an operator that ONNX does not have.
function New-UnsupportedModel([string] $Path) { New-AlteredModel $Path 'GlobalAveragePool' 'GlobalAveragePuul' }

# A copy in which a node of the residual block reads a later node's output.
function New-CyclicModel([string] $Path) {
    New-AlteredModel $Path '/residual/conv1/conv1.1/BatchNormalization_output_0' '/residual/conv2/conv2.1/BatchNormalization_output_0' 2
}

# One image of the digits model's shape, filled with a value.
function New-Image([float] $Value = 0.5, [int] $Batch = 1) {
    $pixels = [Array]::CreateInstance([float], [int[]] ($Batch, 1, 8, 8))
    for ($b = 0; $b -lt $Batch; $b++) { for ($y = 0; $y -lt 8; $y++) { for ($x = 0; $x -lt 8; $x++) { $pixels[$b, 0, $y, $x] = $Value } } }
    , $pixels
}
