@{
    RootModule           = 'TrtTools.Cmdlets.dll'
    ModuleVersion        = '0.1.0'
    GUID                 = 'd00705bb-8b00-4cf7-846c-54f707b476cb'
    Author               = 'The TrtTools authors'
    CompanyName          = 'TrtTools'
    Copyright            = 'The TrtTools authors. MIT licence.'
    Description          = 'Turns ONNX models into fast inference engines: import, audit, simplify, fuse, quantize, build, run, measure and compare, as typed objects in one pipeline.'
    PowerShellVersion    = '7.6'
    CompatiblePSEditions = @('Core')
    FormatsToProcess     = @('TrtTools.Format.ps1xml')
    CmdletsToExport      = @(
        'Add-GraphNode'
        'Add-GraphPreprocessing'
        'Build-Engine'
        'Compare-EngineOutput'
        'Compare-OnnxGraph'
        'Debug-EngineBuild'
        'Debug-EnginePrecision'
        'Debug-OnnxModel'
        'Compress-OnnxWeight'
        'Expand-OnnxFunction'
        'ConvertTo-DynamicShape'
        'ConvertTo-OnnxOpset'
        'ConvertTo-OnnxPrecision'
        'ConvertTo-StaticShape'
        'Export-CalibrationCache'
        'Export-OnnxGraph'
        'Export-Tensor'
        'Get-EngineDevice'
        'Get-EngineInfo'
        'Get-EngineLayer'
        'Get-GraphInitializer'
        'Get-GraphNode'
        'Get-GraphTensor'
        'Get-TensorStatistic'
        'Import-CalibrationCache'
        'Import-Engine'
        'Import-OnnxGraph'
        'Import-Tensor'
        'Invoke-Engine'
        'Invoke-GraphPattern'
        'Invoke-LayerFusion'
        'Measure-Engine'
        'Measure-OnnxGraph'
        'Merge-OnnxGraph'
        'New-CalibrationCache'
        'New-InputData'
        'Optimize-OnnxGraph'
        'Remove-GraphNode'
        'Rename-GraphTensor'
        'Select-OnnxSubgraph'
        'Set-GraphInitializer'
        'Set-GraphInput'
        'Set-GraphMetadata'
        'Set-GraphNode'
        'Set-GraphOutput'
        'Show-OnnxGraph'
        'Split-OnnxGraph'
        'Test-Engine'
        'Test-OnnxGraph'
        'Test-OperatorSupport'
        'Test-WeightSparsity'
    )
    FunctionsToExport    = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    PrivateData          = @{
        PSData = @{
            Tags       = @('ONNX', 'TensorRT', 'inference', 'quantization', 'INT8', 'CUDA', 'deep-learning', 'PSEdition_Core', 'Linux', 'Windows')
        }
    }
}
