# Makes a model run that uses operators which ONNX has dropped. README.md beside this file explains it.
param(
    # The model. Without it the small one of this folder, and style-candy where its folder is found.
    [string] $Model
)

# Without this line a script goes on after an error and still ends with exit code 0.
$ErrorActionPreference = 'Stop'

if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../out/TrtTools" }

# The whole job: three operators found, each replaced by what ONNX has today.
function Convert-OldOperator([Parameter(ValueFromPipeline)] $Graph) {
    process {
        $Graph |
            Invoke-GraphPattern 'ImageScaler(x)' { "Add(Mul(x, $($_.Attributes.scale)), Float32[1,3,1,1] [$($_.Attributes.bias)])" } |
            Invoke-GraphPattern 'Affine(x)' { "Add(Mul(x, $($_.Attributes.alpha)), $($_.Attributes.beta))" } |
            Invoke-GraphPattern 'Crop(x)' {
                $left, $top, $right, $bottom = $_.Attributes.border
                "Slice(x){axes=[2, 3], starts=[$top, $left], ends=[-$bottom, -$right]}"
            }
    }
}

function Show-Change($Graph) {
    'Before: {0} operators are not supported: {1}' -f ($unsupported = @($Graph | Test-OperatorSupport | Where-Object Supported -EQ $false)).Count, ($unsupported.Operator -join ', ')
    $converted = $Graph | Convert-OldOperator
    'After:  {0}' -f $(if ($converted | Test-OnnxGraph -Quiet) { 'nothing is wrong with the graph' } else { 'something is wrong' })
    foreach ($change in $converted.History) { "        $change" }
}

if ($Model) {
    $graph = Import-OnnxGraph $Model
    Show-Change $graph
    $graph | Convert-OldOperator | Build-Engine -Device Cpu
    return
}

'The small model'
$graph = Import-OnnxGraph "$PSScriptRoot/small.onnx"
Show-Change $graph
$engine = $graph | Convert-OldOperator | Build-Engine -Device Cpu
# Twelve by twelve pixels, all 0.75: scaled by 2 and shifted by -0.5, 0 and 0.5, cut to eight by eight, times 10, plus 3.
$pixels = [float[]]::new(3 * 12 * 12)
[Array]::Fill($pixels, [float] 0.75)
$result = ($engine | Invoke-Engine -InputData @{ inputImage = $pixels }).outputImage
'Result: {0}, its channels {1}, {2} and {3}; expected 13, 18 and 23' -f ($result.Shape -join ' × '), $result.Data[0], $result.Data[64], $result.Data[128]

for ($folder = [IO.DirectoryInfo] $PSScriptRoot; $folder; $folder = $folder.Parent) {
    $candy = "$($folder.FullName)/shared/models/style-candy"
    if (-not [IO.File]::Exists("$candy/model.onnx")) { continue }
    ''
    'style-candy'
    $graph = Import-OnnxGraph "$candy/model.onnx"
    Show-Change $graph
    $engine = $graph | Convert-OldOperator | Build-Engine -Device Cpu -WarningAction SilentlyContinue
    $comparison = Compare-EngineOutput $engine -InputData "$candy/test_data_set_0" -Reference "$candy/test_data_set_0"
    'Result: against the reference {0}, greatest error {1:G2} at a scale of {2:N0}' -f $(if ($comparison.Passed) { 'passed' } else { 'FAILED' }), $comparison.MaxAbsoluteError, $comparison.Scale
    return
}
''
'Skipped: style-candy is not in a folder shared/models beside the repository.'
