BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Rename-GraphTensor' {
    It 'renames inputs and outputs' {
        $new = $graph | Rename-GraphTensor -Map @{ image = 'picture'; logits = 'scores' }
        $new.Inputs.Name | Should -Be 'picture'
        $new.Outputs.Name | Should -Be 'scores'
        $graph.Inputs.Name | Should -Be 'image'
    }

    It 'renames one tensor' {
        ($graph | Rename-GraphTensor logits scores).Outputs.Name | Should -Be 'scores'
    }

    It 'makes new names with a script block' {
        $new = $graph | Rename-GraphTensor 'stem.1.*' { $_ -replace '^stem\.1\.', 'norm/' }
        ($new | Get-GraphInitializer 'norm/*').Count | Should -Be 4
    }

    It 'leaves what is computed as it was' {
        $image = New-Image
        $old = $graph | Build-Engine -Device Cpu | Invoke-Engine -InputData @{ image = $image }
        $new = $graph | Rename-GraphTensor -Map @{ image = 'picture'; logits = 'scores' } | Build-Engine -Device Cpu | Invoke-Engine -InputData @{ picture = $image }
        $new.scores.Data | Should -Be $old.logits.Data
    }

    It 'refuses a name that is taken' {
        { $graph | Rename-GraphTensor logits image -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.RenameGraphTensorCommand'
    }

    It 'wants a script block for several tensors' {
        { $graph | Rename-GraphTensor 'stem*' new -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.RenameGraphTensorCommand'
        { $graph | Rename-GraphTensor 'stem*' { throw 'no' } -ErrorAction Stop } | Should -Throw '*no*' -ErrorId 'OptionInvalid,TrtTools.Cmdlets.RenameGraphTensorCommand'
    }

    It 'gives the nearest names of an unknown tensor' {
        { $graph | Rename-GraphTensor imag picture -ErrorAction Stop } | Should -Throw "*'image'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.RenameGraphTensorCommand'
    }
}
