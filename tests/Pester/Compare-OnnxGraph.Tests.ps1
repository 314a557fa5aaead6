BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Compare-OnnxGraph' {
    It 'finds nothing between a graph and its copy' {
        $graph | Export-OnnxGraph "$TestDrive/copy.onnx"
        $graph | Compare-OnnxGraph -Reference "$TestDrive/copy.onnx" | Should -BeNullOrEmpty
        $graph | Compare-OnnxGraph (Get-Item "$TestDrive/copy.onnx") -Quiet | Should -BeTrue
    }

    It 'tells what the optimizer did' {
        $found = $graph | Optimize-OnnxGraph | Compare-OnnxGraph -Reference $graph
        ($found | Where-Object Part -EQ 'Node' | Where-Object Kind -EQ 'Removed').Operator | Should -Contain 'BatchNormalization'
        $found.Model | Select-Object -Unique | Should -Be 'digits'
    }

    It 'says no with -Quiet' {
        $graph | Optimize-OnnxGraph | Compare-OnnxGraph -Reference $graph -Quiet | Should -BeFalse
    }

    It 'becomes JSON without loss' {
        $found = @($graph | Optimize-OnnxGraph | Compare-OnnxGraph -Reference $graph)
        @($found | ConvertTo-Json -WarningAction Stop | ConvertFrom-Json).Count | Should -Be $found.Count
    }

    It 'names a file that is not there' {
        { $graph | Compare-OnnxGraph "$TestDrive/none.onnx" -ErrorAction Stop } | Should -Throw -ErrorId 'ModelNotFound,TrtTools.Cmdlets.CompareOnnxGraphCommand'
    }

    It 'refuses something else as a reference' {
        { $graph | Compare-OnnxGraph 5 -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.CompareOnnxGraphCommand'
    }
}
