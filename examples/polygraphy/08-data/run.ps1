# Inputs and outputs in files. README.md beside this file shows both ways.
param(
    # The model; without it the digits model of this repository.
    [string] $Model = "$PSScriptRoot/../../digits/digits.onnx"
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module TrtTools)) { Import-Module "$PSScriptRoot/../../../out/TrtTools" }

$folder = [IO.Directory]::CreateTempSubdirectory('trttools-data-').FullName
try {
    $engine = Import-OnnxGraph $Model | Build-Engine -Device Cpu -OptimizationLevel 0 -InputShape @{ image = 1, 1, 8, 8 }
    $inputs = @($engine | New-InputData -Seed 7 -Count 2)
    $inputs | Export-Tensor "$folder/inputs.json"
    $inputs | Invoke-Engine $engine | Export-Tensor "$folder/outputs.json" -RunnerName onnxrt
    # Both files are Polygraphy's own format: either side may write them.
    $comparison = $engine | Compare-EngineOutput -InputData "$folder/inputs.json" -Reference "$folder/outputs.json" -Comparator Elementwise
    'JSON: {0} on {1} samples' -f $(if ($comparison.Passed) { 'passed' } else { 'failed' }), $comparison.SampleCount
    $inputs[0] | Export-Tensor "$folder/input.npz"
    $inputs[0].image | Export-Tensor "$folder/image.npy"
    foreach ($file in 'input.npz', 'image.npy', 'inputs.json') {
        $first = @(Import-Tensor "$folder/$file")[0]
        $tensor = if ($first -is [Collections.IDictionary]) { $first.image } else { $first }
        '{0}: {1}' -f $file, ($tensor.Shape -join ' × ')
    }
}
finally {
    [IO.Directory]::Delete($folder, $true)
}
