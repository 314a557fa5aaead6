BeforeAll {
    . "$PSScriptRoot/TrtTools.TestHelpers.ps1"
    $file = "$TestDrive/digits.engine"
    $engine = Import-OnnxGraph $digits | Build-Engine -Device Cpu -OutputPath $file
}

Describe 'Invoke-Engine' {
    Context 'results' {
        It 'gives one ordered dictionary of tensors' {
            $result = $engine | Invoke-Engine -InputData @{ image = New-Image }
            $result | Should -BeOfType [Collections.Specialized.OrderedDictionary]
            $result.logits.Name | Should -Be 'logits'
            $result.logits.Shape -join ',' | Should -Be '1,10'
            $result.logits.DataType | Should -Be 'Float32'
            $result.logits.Data.Count | Should -Be 10
            $result.logits.ToArray()[0, 9] | Should -Be $result.logits.Data[9]
        }

        It 'takes the engine by parameter and the data by pipeline' {
            $results = @{ image = New-Image 0.1 }, @{ image = New-Image 0.9 } | Invoke-Engine -Engine $engine
            @($results).Count | Should -Be 2
            $results[0].logits.Data -join ' ' | Should -Not -Be ($results[1].logits.Data -join ' ')
        }

        It 'takes the path of an engine' {
            (Invoke-Engine -Path $file -InputData @{ image = New-Image }).logits.Data.Count | Should -Be 10
        }

        It 'takes a literal path' {
            Copy-Item -LiteralPath $file "$TestDrive/a[1].engine"
            (Invoke-Engine -LiteralPath "$TestDrive/a[1].engine" -InputData @{ image = New-Image }).logits.Data.Count | Should -Be 10
        }

        It 'takes an .npz file' {
            (@($engine | Invoke-Engine -InputData $calibrationData)[0]).logits.Shape[1] | Should -Be 10
        }

        It 'takes nested arrays, and integers where they are exact' {
            $row = 0, 0, 1, 1, 1, 1, 0, 0
            $nested = , (, ($row, $row, $row, $row, $row, $row, $row, $row))
            ($engine | Invoke-Engine -InputData @{ image = $nested }).logits.Shape -join ',' | Should -Be '1,10'
        }

        It 'takes a tensor that another call gave' {
            $tensor = [TrtTools.Data.TensorFile]::Read($heldOutData)[0]
            ($engine | Invoke-Engine -InputData @{ image = $tensor }).logits.Shape -join ',' | Should -Be '450,10'
        }
    }

    Context 'errors' {
        It 'names an input that the engine does not have' {
            { $engine | Invoke-Engine -InputData @{ picture = New-Image } -ErrorAction Stop } | Should -Throw -ErrorId 'InputNotFound,TrtTools.Cmdlets.InvokeEngineCommand'
        }

        It 'says what shape it expected' {
            { $engine | Invoke-Engine -InputData @{ image = 1, 2, 3 } -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.InvokeEngineCommand'
        }

        It 'refuses a text for a number' {
            { $engine | Invoke-Engine -InputData @{ image = 'seven' } -ErrorAction Stop } | Should -Throw -ErrorId 'InputInvalid,TrtTools.Cmdlets.InvokeEngineCommand'
        }

        It 'goes on after bad data' {
            $results = @{ picture = New-Image }, @{ image = New-Image } | Invoke-Engine -Engine $engine -ErrorAction SilentlyContinue -ErrorVariable problems
            @($results).Count | Should -Be 1
            @($problems).Count | Should -Be 1
        }

        It 'names a missing engine' {
            { Invoke-Engine -Path "$TestDrive/none.engine" -InputData @{ image = New-Image } -ErrorAction Stop } | Should -Throw -ErrorId 'EngineNotFound,TrtTools.Cmdlets.InvokeEngineCommand'
        }

        It 'refuses a disposed engine' {
            $gone = Import-Engine $file
            $gone.Dispose()
            { $gone | Invoke-Engine -InputData @{ image = New-Image } -ErrorAction Stop } | Should -Throw -ErrorId 'ObjectNotLive,TrtTools.Cmdlets.InvokeEngineCommand'
        }
    }
}
