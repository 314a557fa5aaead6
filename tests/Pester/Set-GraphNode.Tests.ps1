BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Set-GraphNode' {
    It 'sets an attribute' {
        $new = $graph | Set-GraphNode /classifier/Gemm -Attribute @{ alpha = 2 }
        ($new | Get-GraphNode /classifier/Gemm).Attributes.alpha | Should -Be 2.0
        ($graph | Get-GraphNode /classifier/Gemm).Attributes.alpha | Should -Be 1.0
    }

    It 'removes an attribute' {
        $new = $graph | Set-GraphNode /classifier/Gemm -Attribute @{ alpha = $null }
        ($new | Get-GraphNode /classifier/Gemm).Attributes.Keys | Should -Not -Contain 'alpha'
    }

    It 'changes the operator of many nodes' {
        $new = $graph | Set-GraphNode '/Relu*' -OpType Elu -Attribute @{ alpha = 0.5 }
        ($new | Get-GraphNode -OpType Elu).Count | Should -Be 4
        $new | Test-OnnxGraph -Quiet | Should -BeTrue
    }

    It 'changes an input and brings a weight' {
        $new = $graph | Set-GraphNode /stem/stem.0/Conv -InputAt @{ 2 = 'bias' } -Initializer @{ bias = [float[]]::new(32) }
        ($new | Get-GraphNode /stem/stem.0/Conv).Inputs[2] | Should -Be 'bias'
    }

    It 'renames a node' {
        ($graph | Set-GraphNode /Relu -NewName first).Nodes.Name | Should -Contain 'first'
    }

    It 'refuses what would break the graph, and a name that is taken' {
        { $graph | Set-GraphNode /Relu -OpType Conv -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphNodeCommand'
        { $graph | Set-GraphNode /Relu -NewName /Relu_1 -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphNodeCommand'
        { $graph | Set-GraphNode /Relu -InputAt @{ x = 'image' } -ErrorAction Stop } | Should -Throw -ErrorId 'OptionInvalid,TrtTools.Cmdlets.SetGraphNodeCommand'
        { $graph | Set-GraphNode nothing -OpType Neg -ErrorAction Stop } | Should -Throw -ErrorId 'NodeNotFound,TrtTools.Cmdlets.SetGraphNodeCommand'
    }

    It 'takes several graphs' {
        @($graph, $graph | Set-GraphNode /Relu -OpType Neg).Count | Should -Be 2
    }
}
