using System.Diagnostics;

namespace TrtTools.Cmdlets.Tests;

public sealed class ShellTests
{
    // Script text → exit code of -File. Each was observed with pwsh 7.6, which the second test asks again where it is installed.
    private static readonly (string Script, int ExitCode)[] ScriptTable =
    [
        ("'text'", 0), ("exit 3", 3), ("exit 300", OperatingSystem.IsWindows() ? 300 : 44), ("exit 'abc'", 0), ("throw 'x'", 1), ("no-such-command", 0), ("no-such-command; 'after'", 0),
        ("$ErrorActionPreference = 'Stop'; no-such-command; 'after'", 1), ("function f { exit 9 }; f; 'after'", 9), ("1..3 | ForEach-Object { if ($_ -eq 2) { exit 5 }; $_ }", 5),
        ("if (", 1), ("return 5", 0), ("try { throw 'x' } finally { 'f' }", 1), ("try { throw 'x' } catch { 'caught' }", 0), ("1 / 0; 'after'", 0), ("trap { 'trapped'; continue }; throw 1; 'on'", 0),
        ("$global:LASTEXITCODE = 7", 0), ("param([int]$n) exit $n", 0),
    ];

    private static readonly (string Command, int ExitCode)[] CommandTable =
    [
        ("'text'", 0), ("exit 3", 3), ("throw 1", 1), ("no-such-command", 1), ("no-such-command; 1", 0), ("1; no-such-command", 1), ("if (", 1), ("1 / 0", 1), ("$false", 0),
        ("Get-Command no-such -ErrorAction Ignore", 1), ("function f { exit 9 }; f", 9), ("return 3", 0), ("$ErrorActionPreference = 'Stop'; no-such-command; 1", 1), ("Import-Module no-such-module", 1),
        ("dotnet no-such-verb; exit $LASTEXITCODE", 1), ("dotnet no-such-verb 2>$null", 1),
    ];

    public static TheoryData<string, int> Scripts => [.. ScriptTable.Select(s => (s.Script, s.ExitCode))];

    public static TheoryData<string, int> Commands => [.. CommandTable.Select(c => (c.Command, c.ExitCode))];

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task File_ends_with_the_exit_code_of_pwsh(string script, int exitCode)
    {
        using ScriptFile file = new(script);
        string path = file.Path;
        ShellResult ours = await ShellProcess.Run("-File", path);
        Assert.Equal(exitCode, ours.ExitCode);
        if (ShellProcess.PowerShell is null) return;
        ShellResult theirs = await ShellProcess.RunPowerShell("-File", path);
        Assert.Equal(theirs.ExitCode, ours.ExitCode);
        Assert.Equal(theirs.Output, ours.Output);
        Assert.Equal(theirs.Error.Length == 0, ours.Error.Length == 0);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Command_ends_with_the_exit_code_of_pwsh(string command, int exitCode)
    {
        ShellResult ours = await ShellProcess.Run("-Command", command);
        Assert.Equal(exitCode, ours.ExitCode);
        if (ShellProcess.PowerShell is null) return;
        ShellResult theirs = await ShellProcess.RunPowerShell("-Command", command);
        Assert.Equal(theirs.ExitCode, ours.ExitCode);
        Assert.Equal(theirs.Output, ours.Output);
    }

    [Fact]
    public async Task Arguments_reach_the_script()
    {
        using ScriptFile file = new("param([int]$n, [switch]$s, $rest) \"$n $s $rest $PSScriptRoot\"; exit $n");
        string path = file.Path;
        ShellResult named = await ShellProcess.Run(path, "-n", "4", "-s:$false", "-rest", "a b");
        Assert.Equal(4, named.ExitCode);
        Assert.Equal($"4 False a b {Path.GetDirectoryName(path)}", named.Output.Trim());
        Assert.Equal("6 True -x", (await ShellProcess.Run("-File", path, "6", "-s", "-rest", "-x")).Output.Trim()[..9]);
    }

    [Fact]
    public async Task Without_arguments_it_says_how_to_get_a_prompt()
    {
        ShellResult result = await ShellProcess.Run();
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("dotnet tool install --global PowerShell", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_script_is_pwshs_bad_argument()
    {
        ShellResult result = await ShellProcess.Run("-File", "no-such-script.ps1");
        Assert.Equal(64, result.ExitCode);
        Assert.Contains("no-such-script.ps1", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Write-Host hello -ForegroundColor Red", "Microsoft.PowerShell.Utility")]
    [InlineData("Get-ChildItem .", "Microsoft.PowerShell.Management")]
    [InlineData("1, 2 | select -First 1", "Microsoft.PowerShell.Utility")]
    public async Task A_cmdlet_of_the_full_PowerShell_is_named_with_its_module(string command, string module)
    {
        ShellResult result = await ShellProcess.Run("-Command", command);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(module, result.Error, StringComparison.Ordinal);
        Assert.Contains("dotnet tool install --global PowerShell", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tables_and_errors_are_plain_text_without_a_terminal()
    {
        ShellResult result = await ShellProcess.Run("-Command", $"Import-OnnxGraph '{Repository.Digits}'; Import-OnnxGraph no-such.onnx; '{{0}}' -f 'last'");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("Name", result.Output, StringComparison.Ordinal);
        Assert.Contains("digits", result.Output, StringComparison.Ordinal);
        Assert.Contains("last", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("no-such.onnx", result.Output, StringComparison.Ordinal);
        Assert.Contains("no-such.onnx", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', result.Output + result.Error);
    }

    [Fact]
    public async Task Help_is_there()
    {
        ShellResult result = await ShellProcess.Run("-Command", "Get-Help Import-OnnxGraph -Examples; Get-Help about_TrtTools");
        Assert.Contains("Import-OnnxGraph model.onnx", result.Output, StringComparison.Ordinal);
        Assert.Contains("about_TrtTools", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interrupting_ends_the_script()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Ctrl+C can't be sent to one process there.");
        // A shell that runs this in the background has its children ignore SIGINT; env gives it back its meaning.
        ShellResult result = await ShellProcess.Start("env", ["--default-signal=INT", "dotnet", Repository.Shell, "-Command", "'started'; while ($true) { }"], process =>
        {
            Thread.Sleep(5000);
            using Process kill = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
            kill.WaitForExit();
        });
        Assert.Equal(1, result.ExitCode);   // as pwsh
        Assert.Contains("started", result.Output, StringComparison.Ordinal);
    }

    /// <summary>A script in a folder of its own, gone with it.</summary>
    private sealed class ScriptFile : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("trttools-shell-").FullName;

        public ScriptFile(string text) => File.WriteAllText(Path = System.IO.Path.Combine(_folder, "script.ps1"), text);

        public string Path { get; }

        public void Dispose() => Directory.Delete(_folder, recursive: true);
    }
}
