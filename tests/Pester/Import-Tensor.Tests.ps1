BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
}

Describe 'Import-Tensor' {
    It 'reads the arrays of an .npz file' {
        $tensors = @(Import-Tensor $heldOutData)
        ($tensors | Where-Object Name -EQ 'image').Shape | Should -Be 450, 1, 8, 8
        @(Import-Tensor $heldOutData -Name image).Count | Should -Be 1
    }

    It 'gives dictionaries that an engine takes' {
        $engine = Import-OnnxGraph $digits | Build-Engine -Device Cpu
        Import-OnnxGraph $digits | New-InputData -Count 3 | Export-Tensor "$TestDrive/in.json"
        $outputs = @(Import-Tensor "$TestDrive/in.json" -AsDictionary | Invoke-Engine $engine)
        $outputs.Count | Should -Be 3
    }

    It 'reads bare elements' {
        [IO.File]::WriteAllBytes("$TestDrive/x.bin", [byte[]] (0, 0, 128, 63, 0, 0, 0, 64))
        $tensor = Import-Tensor "$TestDrive/x.bin" -DataType Float32 -Shape 1, 2
        $tensor.Name | Should -Be 'x'
        $tensor.Shape | Should -Be 1, 2
        $tensor.Data | Should -Be 1, 2
        { Import-Tensor "$TestDrive/x.bin" -DataType Float32 -Shape 3 -ErrorAction Stop } | Should -Throw -ErrorId 'DataInvalid,TrtTools.Cmdlets.ImportTensorCommand'
        { Import-Tensor "$TestDrive/x.bin" -Shape 2 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.ImportTensorCommand'
    }

    It 'goes on after a bad file' {
        'no' | Set-Content "$TestDrive/bad.npy"
        $tensors = @(Import-Tensor "$TestDrive/bad.npy", $heldOutData -ErrorAction SilentlyContinue -ErrorVariable found)
        $found.FullyQualifiedErrorId | Should -Be 'DataInvalid,TrtTools.Cmdlets.ImportTensorCommand'
        $tensors.Count | Should -BeGreaterThan 0
    }
}
