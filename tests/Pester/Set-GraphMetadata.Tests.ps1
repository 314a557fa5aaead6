BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $graph = Import-OnnxGraph $digits
}

Describe 'Set-GraphMetadata' {
    It 'adds, changes and takes out entries' {
        $one = $graph | Set-GraphMetadata @{ labels = 'cat,dog'; version = 3 }
        $two = $one | Set-GraphMetadata @{ labels = 'cat'; version = $null }
        $one.Metadata['labels'] | Should -Be 'cat,dog'
        $one.Metadata['version'] | Should -Be '3'
        $two.Metadata['labels'] | Should -Be 'cat'
        $two.Metadata.ContainsKey('version') | Should -BeFalse
        $graph.Metadata.ContainsKey('labels') | Should -BeFalse
        $two.History[-1].Transformation | Should -Be 'Set-GraphMetadata'
    }

    It 'is in the file' {
        $path = Join-Path $TestDrive 'labelled.onnx'
        $graph | Set-GraphMetadata @{ labels = 'cat,dog' } | Export-OnnxGraph $path
        (Import-OnnxGraph $path).Metadata['labels'] | Should -Be 'cat,dog'
    }

    It 'takes several graphs from the pipeline' {
        (($graph, $graph) | Set-GraphMetadata @{ author = 'me' }).Count | Should -Be 2
    }

    It 'refuses names that belong to TrtTools' {
        { $graph | Set-GraphMetadata @{ 'trttools.stripped' = 'x' } -ErrorAction Stop } | Should -Throw -ErrorId 'ChangeRefused,TrtTools.Cmdlets.SetGraphMetadataCommand'
    }

    It 'refuses to take out what is not there' {
        { $graph | Set-GraphMetadata @{ nothing = $null } -ErrorAction Stop } | Should -Throw "*'nothing'*" -ErrorId 'OptionInvalid,TrtTools.Cmdlets.SetGraphMetadataCommand'
    }
}
