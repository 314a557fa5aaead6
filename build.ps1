# Builds, tests and packs TrtTools from PowerShell. `dotnet build` and `dotnet test` do the same without it.
#
#     ./build.ps1                       # build: leaves the module at out/TrtTools
#     ./build.ps1 -Task Test            # build, xunit suites, Pester files
#     ./build.ps1 -Task Package         # build, and out/TrtTools-<version>.zip
#     ./build.ps1 -UpdateGoldens        # write the golden files of the tests anew; commit them apart from other changes
param(
    [ValidateSet('Build', 'Test', 'Package')]
    [string] $Task = 'Build',

    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Debug',

    [switch] $UpdateGoldens
)

$ErrorActionPreference = 'Stop'

function Invoke-DotNet {
    dotnet @args
    if ($LASTEXITCODE -ne 0) { throw "dotnet $args ended with exit code $LASTEXITCODE." }
}

Push-Location $PSScriptRoot
try {
    Invoke-DotNet build TrtTools.sln --configuration $Configuration
    if ($UpdateGoldens) {
        $env:TRTTOOLS_UPDATE_GOLDENS = '1'
        try { Invoke-DotNet test --no-build --configuration $Configuration }
        finally { $env:TRTTOOLS_UPDATE_GOLDENS = $null }
    }
    if ($Task -eq 'Test') {
        Invoke-DotNet test --no-build --configuration $Configuration
        $results = Invoke-Pester tests/Pester -PassThru
        if ($results.FailedCount -gt 0) { throw "$($results.FailedCount) Pester tests failed." }
    }
    if ($Task -eq 'Package') {
        $version = (Import-PowerShellDataFile TrtTools.psd1).ModuleVersion
        Compress-Archive out/TrtTools "out/TrtTools-$version.zip" -Force
    }
}
finally {
    Pop-Location
}
