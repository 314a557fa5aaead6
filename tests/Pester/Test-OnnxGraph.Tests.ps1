BeforeAll { . "$PSScriptRoot/TrtTools.TestHelpers.ps1" }

Describe 'Test-OnnxGraph' {
    It 'finds no error in a sound model' {
        Import-OnnxGraph $digits | Test-OnnxGraph | Where-Object Severity -EQ 'Error' | Should -BeNullOrEmpty
    }

    It 'gives a Boolean with -Quiet' {
        $answer = Import-OnnxGraph $digits | Test-OnnxGraph -Quiet
        $answer | Should -BeOfType [bool]
        $answer | Should -BeTrue
    }

    It 'finds an operator that ONNX does not have, and names its node' {
        New-UnsupportedModel "$TestDrive/unsupported.onnx" | Out-Null
        $findings = Import-OnnxGraph "$TestDrive/unsupported.onnx" | Test-OnnxGraph
        $finding = $findings | Where-Object { $_.Message -match 'GlobalAveragePuul' }
        $finding.NodeName | Should -Be '/GlobalAveragePuul'
        $finding.Code | Should -Not -BeNullOrEmpty
        $finding.Fix | Should -Not -BeNullOrEmpty
        $finding.Model | Should -Be 'unsupported'
    }

    It 'finds every fault in one run' {
        $model = New-UnsupportedModel "$TestDrive/two.onnx"
        $content = [IO.File]::ReadAllText($model, [Text.Encoding]::Latin1).Replace('Flatten', 'Flottin')
        [IO.File]::WriteAllText($model, $content, [Text.Encoding]::Latin1)
        $findings = Import-OnnxGraph $model | Test-OnnxGraph | Where-Object Severity -EQ 'Error'
        @($findings | Where-Object Message -Match 'GlobalAveragePuul').Count | Should -Be 1
        @($findings | Where-Object Message -Match 'Flottin').Count | Should -Be 1
    }

    It 'answers false for an unsound model' {
        New-UnsupportedModel "$TestDrive/unsound.onnx" | Out-Null
        Import-OnnxGraph "$TestDrive/unsound.onnx" | Test-OnnxGraph -Quiet | Should -BeFalse
    }

    It 'answers once for each of several graphs' {
        @(Import-OnnxGraph $digits, $digits | Test-OnnxGraph -Quiet).Count | Should -Be 2
    }

    It 'refuses a disposed graph' {
        $gone = Import-OnnxGraph $digits
        $gone.Dispose()
        { $gone | Test-OnnxGraph -ErrorAction Stop } | Should -Throw -ErrorId 'ObjectNotLive,TrtTools.Cmdlets.TestOnnxGraphCommand'
    }

    It 'gives records that become a report in JSON' {
        $faulty = Import-OnnxGraph (New-UnsupportedModel "$TestDrive/unsupported.onnx")
        $report = $faulty | Test-OnnxGraph | ConvertTo-Json -Depth 4 -WarningAction Stop | ConvertFrom-Json
        @($report).Code | Should -Contain 'OperatorUnknown'
        @($report).NodeName | Should -Not -BeNullOrEmpty
    }
}
