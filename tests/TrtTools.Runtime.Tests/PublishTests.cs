using System.Diagnostics;
using System.Runtime.InteropServices;
using TrtTools.Engines;
using TrtTools.Tests.Launch;

namespace TrtTools;

/// <summary>The runtime without the compiler: a trimmed program that has nothing else runs an engine.</summary>
public sealed class PublishTests
{
    [Fact]
    public void A_trimmed_program_with_the_runtime_alone_runs_an_engine()
    {
        using TestFolder folder = new();
        string output = folder.File("host");
        (int code, string text) = Run("dotnet", Root, "publish", Path.Combine("tests", "RuntimeHost", "RuntimeHost.csproj"), "-c", "Release", "-nologo", "-r", RuntimeInformation.RuntimeIdentifier, "--artifacts-path", folder.File("artifacts"), "-o", output);
        // Self-contained programs need the runtime's pack, which the SDK does not bring.
        Assert.SkipWhen(code != 0 && (text.Contains("NU1301", StringComparison.Ordinal) || text.Contains("NU1101", StringComparison.Ordinal) || text.Contains("NU1102", StringComparison.Ordinal)), "The packages that a self-contained program needs can't be had: no package registry answers.");
        Assert.True(code == 0, text);
        Assert.DoesNotContain("warning", text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(["Google.Protobuf.dll", "TrtTools.Runtime.dll", "TrtTools.RuntimeHost.dll"],
            Directory.GetFiles(output, "*.dll").Select(f => Path.GetFileName(f)).Where(f => !f.StartsWith("System.", StringComparison.Ordinal) && !f.StartsWith("Microsoft.", StringComparison.Ordinal) && f.EndsWith(".dll", StringComparison.Ordinal) && !Native(f)).Order(StringComparer.Ordinal));

        string engine = folder.File("chain.engine");
        (EngineHeader header, EngineContent content) = TestKernels.Chain().Build([new EngineProfile { Index = 0, Input = "x", Min = [1, 4], Opt = [3, 4], Max = [8, 4] }]);
        EngineWriter.Write(header, content, engine, force: false);
        string host = Path.Combine(output, OperatingSystem.IsWindows() ? "TrtTools.RuntimeHost.exe" : "TrtTools.RuntimeHost");
        Assert.Equal((0, "y: Float32[3,4]"), Trim(Run(host, folder.FullPath, "--null", engine)));
        (code, text) = Run(host, folder.FullPath, engine);
        if (Cuda.CudaDriver.Current.Problem is not null) Assert.StartsWith("CudaMissing: ", text, StringComparison.Ordinal);
        (code, text) = Run(host, folder.FullPath, folder.Write("bad.engine", "no engine"u8.ToArray()));
        Assert.Equal(1, code);
        Assert.StartsWith("EngineCorrupt: ", text, StringComparison.Ordinal);
    }

    private static bool Native(string file) => file is "coreclr.dll" or "clrjit.dll" or "hostfxr.dll" or "hostpolicy.dll" or "mscorlib.dll" or "netstandard.dll" || file.StartsWith("mscor", StringComparison.Ordinal) || file.StartsWith("clr", StringComparison.Ordinal);

    private static (int Code, string Text) Trim((int Code, string Text) result) => (result.Code, result.Text.Trim());

    private static (int Code, string Text) Run(string program, string folder, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        // What the test's own host set for itself must not steer another SDK.
        foreach (string name in new[] { "MSBuildExtensionsPath", "MSBuildSDKsPath", "MSBUILD_EXE_PATH" }) start.Environment.Remove(name);
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd() + error.GetAwaiter().GetResult();
        process.WaitForExit();
        return (process.ExitCode, text);
    }

    private static string Root
    {
        get
        {
            for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
            {
                if (File.Exists(Path.Combine(at.FullName, "ARCHITECTURE.md"))) return at.FullName;
            }
            Assert.Skip("The repository is not here: the tests run on a machine without sources.");
            return "";
        }
    }
}
