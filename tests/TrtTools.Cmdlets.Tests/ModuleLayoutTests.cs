using System.Reflection;
using System.Runtime.Loader;

namespace TrtTools.Cmdlets.Tests;

public sealed class ModuleLayoutTests
{
    private const long MaximumBytes = 90_000_000;

    private static readonly string[] Files = [.. Directory.EnumerateFiles(Repository.Module, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Repository.Module, f).Replace('\\', '/'))];

    [Fact]
    public void Module_stays_within_its_size() =>
        Assert.InRange(Files.Sum(f => new FileInfo(Path.Combine(Repository.Module, f)).Length), 1, MaximumBytes);

    [Fact]
    public void Nothing_lies_in_it_that_does_not_belong()
    {
        string[] allowed = [".dll", ".so", ".psd1", ".ps1xml", ".xml", ".txt"];
        Assert.All(Files.Where(f => f != "core/TrtTools.Evaluator.runtimeconfig.json"), f => Assert.Contains(Path.GetExtension(f), allowed));
        Assert.DoesNotContain(Files, f => f.EndsWith("System.Management.Automation.dll", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(Files, f => f.StartsWith("core/runtimes/", StringComparison.Ordinal) && !f.StartsWith("core/runtimes/linux-x64/native/", StringComparison.Ordinal) && !f.StartsWith("core/runtimes/win-x64/native/", StringComparison.Ordinal));
    }

    [Fact]
    public void Only_the_cmdlets_lie_where_the_default_context_looks() =>
        Assert.Equal(["TrtTools.Cmdlets.dll"], Files.Where(f => !f.Contains('/') && f.EndsWith(".dll", StringComparison.Ordinal)));

    [Theory]
    [InlineData("core/runtimes/linux-x64/native/libonnxruntime.so")]
    [InlineData("core/runtimes/win-x64/native/onnxruntime.dll")]
    [InlineData("core/TrtTools.Core.dll")]
    [InlineData("core/TrtTools.Runtime.dll")]
    [InlineData("core/TrtTools.Evaluator.dll")]
    [InlineData("core/TrtTools.Evaluator.runtimeconfig.json")]
    [InlineData("core/Google.Protobuf.dll")]
    [InlineData("en-US/TrtTools.Cmdlets.dll-Help.xml")]
    [InlineData("en-US/about_TrtTools.help.txt")]
    public void It_has_what_it_needs(string file) => Assert.Contains(file, Files);

    [Fact]
    public void Packages_sit_in_the_private_context()
    {
        using ModuleSession session = new();
        session.Run("param($m) Import-OnnxGraph $m | Build-Engine -Device Cpu", Repository.Digits).WithoutErrors();
        AssemblyLoadContext context = Assert.Single(AssemblyLoadContext.All, c => c.Name == "TrtTools");
        foreach (string name in new[] { "Google.Protobuf", "Microsoft.ML.OnnxRuntime", "TrtTools.Core", "TrtTools.Runtime" })
        {
            Assembly assembly = Assert.Single(context.Assemblies, a => a.GetName().Name == name);
            Assert.StartsWith(Path.Combine(Repository.Module, "core"), assembly.Location, StringComparison.Ordinal);
            Assert.DoesNotContain(AssemblyLoadContext.Default.Assemblies, a => a.GetName().Name == name);
        }
        Assert.Contains(AssemblyLoadContext.Default.Assemblies, a => a.GetName().Name == "TrtTools.Cmdlets");
    }

    [Fact]
    public void Every_public_type_has_a_literal()
    {
        using ModuleSession session = new();
        session.Run("param($m) Import-OnnxGraph $m", Repository.Digits).WithoutErrors();
        AssemblyLoadContext context = AssemblyLoadContext.All.Single(c => c.Name == "TrtTools");
        foreach (Type type in context.Assemblies.Where(a => a.GetName().Name is "TrtTools.Core" or "TrtTools.Runtime").SelectMany(a => a.GetExportedTypes()).Where(t => !t.IsNested))
        {
            Assert.Same(type, session.Run($"[{type.FullName}]").WithoutErrors().Single.BaseObject);
        }
    }

    [Fact]
    public void A_second_runspace_imports_and_removes_it_without_harm()
    {
        using ModuleSession first = new();
        using (ModuleSession second = new())
        {
            second.Run("Remove-Module TrtTools").WithoutErrors();
        }
        Assert.Equal("OnnxGraph", first.Run("[TrtTools.Ir.OnnxGraph].Name").WithoutErrors().Single.BaseObject);
        first.Run("param($module) Import-Module $module -Force", Repository.Module).WithoutErrors();
        Assert.Equal("OnnxGraph", first.Run("[TrtTools.Ir.OnnxGraph].Name").WithoutErrors().Single.BaseObject);
    }

    // A process of its own: in this one other tests have loaded everything.
    [Fact]
    public async Task Importing_loads_nothing_foreign()
    {
        ShellResult result = await ShellProcess.Run("-Command",
            "[System.Runtime.Loader.AssemblyLoadContext]::All | Where-Object Name -eq TrtTools | ForEach-Object { $_.Assemblies } | ForEach-Object { $_.GetName().Name };" +
            " if ([IO.File]::Exists('/proc/self/maps') -and [IO.File]::ReadAllText('/proc/self/maps').Contains('onnxruntime')) { 'native' }");
        Assert.Equal(["TrtTools.Core", "TrtTools.Runtime"], result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Order(StringComparer.Ordinal));
    }
}
