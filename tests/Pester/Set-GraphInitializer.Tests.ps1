BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Set-GraphInitializer' {
    It 'changes a weight, and leaves its input as it was' {
        $new = $graph | Set-GraphInitializer classifier.bias ([float[]] (1..10))
        ($new | Get-GraphInitializer classifier.bias).Data | Should -Be ([float[]] (1..10))
        ($graph | Get-GraphInitializer classifier.bias).Data[0] | Should -Not -Be 1
    }

    It 'reads a weight from a file' {
        # NumPy's format: a header of 128 bytes, then ten zeros.
        $header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10,), }".PadRight(117) + "`n"
        $bytes = [byte[]] (0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, 118, 0) + [Text.Encoding]::ASCII.GetBytes($header) + [byte[]]::new(40)
        [IO.File]::WriteAllBytes("$TestDrive/bias.npy", $bytes)
        $new = $graph | Set-GraphInitializer classifier.bias -Path "$TestDrive/bias.npy"
        ($new | Get-GraphInitializer classifier.bias).Data | Should -Be ([float[]]::new(10))
    }

    It 'adds a weight' {
        ($graph | Set-GraphInitializer factor 0.5 -Add).Initializers.Name | Should -Contain 'factor'
    }

    It 'changes it for one reader' {
        $new = $graph | Set-GraphInitializer stem.1.bias ([float[]]::new(32)) -Consumer /stem/stem.1/BatchNormalization
        ($new | Get-GraphNode /stem/stem.1/BatchNormalization).Inputs | Should -Not -Contain 'stem.1.bias'
    }

    It 'refuses a shape that the readers do not take' {
        { $graph | Set-GraphInitializer classifier.weight ([float[]]::new(11)) -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphInitializerCommand'
    }

    It 'says what is no weight, and what is not there' {
        { $graph | Set-GraphInitializer logits 1.0 -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphInitializerCommand'
        { $graph | Set-GraphInitializer classifier.bia 1.0 -ErrorAction Stop } | Should -Throw "*'classifier.bias'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.SetGraphInitializerCommand'
        { $graph | Set-GraphInitializer classifier.bias -Path "$TestDrive/none.npy" -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.SetGraphInitializerCommand'
        { $graph | Set-GraphInitializer classifier.bias 'text' -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.SetGraphInitializerCommand'
    }
}
