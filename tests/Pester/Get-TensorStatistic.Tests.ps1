BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Get-TensorStatistic' {
    It 'names the nearest weight for one that is not there' {
        $weight = ($graph | Get-TensorStatistic)[0].Name
        { $graph | Get-TensorStatistic -Name "${weight}x" -ErrorAction Stop } | Should -Throw "*Did you mean '$weight'*" -ErrorId 'TensorNotFound,TrtTools.Cmdlets.GetTensorStatisticCommand'
    }

    It 'gives the weights of a graph' {
        $found = @($graph | Get-TensorStatistic)
        $found.Name | Should -Contain $graph.Initializers[0].Name
        $found[0].Source | Should -Be 'digits'
        @($graph | Get-TensorStatistic -Name $found[0].Name).Count | Should -Be 1
    }

    It 'gives the tensors of a file' {
        $found = @(Get-TensorStatistic $heldOutData)
        $found.Name | Should -Contain 'image'
        ($found | Where-Object Name -EQ 'image').ElementCount | Should -Be (450 * 64)
        @(Get-Item $heldOutData | Get-TensorStatistic -Name image -Bin 5).Histogram.Count | Should -Be 5
    }

    It 'gives what a graph computes' {
        $found = @($graph | Get-TensorStatistic -InputData @{ image = (New-Image) })
        $found.Count | Should -Be @($graph.Nodes | Where-Object OpType -NE 'Constant').Count
        ($found | Where-Object Name -EQ $graph.Outputs[0].Name).Shape | Should -Be 1, 10
    }

    It 'gives the outputs of an engine' {
        $engine = $graph | Build-Engine -Device Cpu
        $found = $engine | Invoke-Engine -InputData @{ image = (New-Image) } | Get-TensorStatistic
        $found.Name | Should -Be $graph.Outputs[0].Name
    }

    It 'refuses what it does not know' {
        { Get-TensorStatistic 5 -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.GetTensorStatisticCommand'
        { Get-TensorStatistic "$TestDrive/none.npy" -ErrorAction Stop } | Should -Throw -ErrorId 'DataNotFound,TrtTools.Cmdlets.GetTensorStatisticCommand'
        { Get-TensorStatistic $heldOutData -InputData 1 -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.GetTensorStatisticCommand'
    }
}
