BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Set-GraphInput' {
    It 'fixes a shape, and what is behind it follows' {
        $new = $graph | Set-GraphInput image -Shape 4, 1, 8, 8
        $new.Inputs[0].Shape | Should -Be 4, 1, 8, 8
        $new.Outputs[0].Shape | Should -Be 4, 10
        $graph.Inputs[0].Shape[0] | Should -Be -1
    }

    It 'names an extent' {
        ($graph | Set-GraphInput image -Shape n, 1, 8, 8).Outputs[0].SymbolicShape[0] | Should -Be 'n'
        ($graph | Set-GraphInput -Symbol @{ batch = 'n' }).Outputs[0].SymbolicShape[0] | Should -Be 'n'
    }

    It 'makes a tensor an input' {
        $new = $graph | Set-GraphInput /Relu_3_output_0 -Add
        $new.Inputs.Name | Should -Be 'image', '/Relu_3_output_0'
        $new.Nodes.Count | Should -Be 3
    }

    It 'adds and removes an input' {
        $more = $graph | Set-GraphInput mask -Add -DataType Bool -Shape batch
        $more.Inputs.Name | Should -Be 'image', 'mask'
        ($more | Set-GraphInput mask -Remove).Inputs.Name | Should -Be 'image'
    }

    It 'puts a constant in an input''s place' {
        $new = $graph | Set-GraphInput /Flatten_output_0 -Add | Set-GraphInput image -Remove | Set-GraphInput /Flatten_output_0 -Shape 1, 64 |
            Set-GraphInput /Flatten_output_0 -Remove -Value ([float[]]::new(64))
        $new.Inputs | Should -BeNullOrEmpty
        ($new | Get-GraphInitializer /Flatten_output_0).Shape | Should -Be 1, 64
    }

    It 'refuses a shape that the nodes do not take' {
        { $graph | Set-GraphInput image -Shape 1, 3, 8, 8 -ErrorAction Stop } | Should -Throw '*Conv*' -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphInputCommand'
    }

    It 'says what is wrong with its arguments' {
        { $graph | Set-GraphInput -Shape 1 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.SetGraphInputCommand'
        { $graph | Set-GraphInput image -Add -Remove -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.SetGraphInputCommand'
        { $graph | Set-GraphInput logits -Shape 1 -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.SetGraphInputCommand'
        { $graph | Set-GraphInput image -Shape 1, 1.5, 8, 8 -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.SetGraphInputCommand'
    }
}
