using System.Diagnostics;

namespace TrtTools.Cmdlets.Tests;

internal sealed record ShellResult(int ExitCode, string Output, string Error);

/// <summary>Starts the shell, or pwsh, as a process without a terminal.</summary>
internal static class ShellProcess
{
    // Generous: a busy machine is no failure, a process that hangs is.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Full path of pwsh 7.6 or later, if it is on the PATH.</summary>
    public static string? PowerShell { get; } = FindPowerShell();

    public static Task<ShellResult> Run(params string[] arguments) => Start("dotnet", [Repository.Shell, .. arguments]);

    public static Task<ShellResult> RunPowerShell(params string[] arguments) => Start(PowerShell!, ["-NoProfile", .. arguments]);

    public static async Task<ShellResult> Start(string program, IEnumerable<string> arguments, Action<Process>? started = null)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false };
        start.Environment["NO_COLOR"] = "1";
        start.Environment["TERM"] = "dumb";
        start.Environment.Remove("TRTTOOLS_MODULE");
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        started?.Invoke(process);
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"'{program} {string.Join(' ', start.ArgumentList)}' did not end.");
        }
        return new ShellResult(process.ExitCode, await output, await error);
    }

    private static string? FindPowerShell()
    {
        string name = OperatingSystem.IsWindows() ? "pwsh.exe" : "pwsh";
        string? found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists);
        if (found is null) return null;
        using Process process = Process.Start(new ProcessStartInfo(found, ["-NoProfile", "-Command", "$PSVersionTable.PSVersion.ToString()"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string version = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return Version.TryParse(version.Split('-')[0], out Version? parsed) && parsed >= new Version(7, 6) ? found : null;
    }
}
