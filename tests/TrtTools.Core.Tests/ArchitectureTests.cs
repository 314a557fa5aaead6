using System.Text.RegularExpressions;

namespace TrtTools;

/// <summary>Dependencies point one way: a folder may use those before it in this list, and none after it (ARCHITECTURE.md).</summary>
public sealed partial class ArchitectureTests
{
    private static readonly string[] Runtime = ["Files", "Tensors", "Cuda", "Engines", "Launch", "Execution"];
    private static readonly string[] Core = ["Ir", "Onnx", "Ops", "Shapes", "Ort", "Evaluation", "Data", "Audit", "Passes", "Surgery", "Quantization", "Lowering", "Kernels", "Tactics", "Build", "Inspection", "Comparison", "Debugging"];

    [Fact]
    public void No_folder_uses_one_that_comes_after_it()
    {
        string[] order = [.. Runtime, .. Core];
        List<string> faults = [];
        foreach ((string folder, string file, string used) in Usings())
        {
            int from = Array.IndexOf(order, folder), to = Array.IndexOf(order, used);
            if (to > from) faults.Add($"{file}: {folder} uses {used}");
        }
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [Fact]
    public void Every_folder_has_its_place_in_the_order()
    {
        foreach ((string project, string[] known) in new[] { ("TrtTools.Runtime", Runtime), ("TrtTools.Core", Core) })
        {
            string[] found = [.. Directory.GetDirectories(Path.Combine(Root, "src", project)).Select(d => Path.GetFileName(d)!).Where(d => d is not ("bin" or "obj")).Order(StringComparer.Ordinal)];
            Assert.Empty(found.Except(known, StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Core_does_not_know_PowerShell_and_only_Ort_knows_ONNX_Runtime()
    {
        foreach (string file in SourceFiles("TrtTools.Core").Concat(SourceFiles("TrtTools.Runtime")))
        {
            string text = File.ReadAllText(file);
            Assert.DoesNotContain("System.Management.Automation", text, StringComparison.Ordinal);
            if (!file.Contains($"{Path.DirectorySeparatorChar}Ort{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            {
                Assert.False(text.Contains("using Microsoft.ML.OnnxRuntime", StringComparison.Ordinal), $"{file} uses ONNX Runtime directly.");
            }
        }
    }

    [Fact]
    public void Namespaces_are_folder_names()
    {
        foreach (string project in new[] { "TrtTools.Runtime", "TrtTools.Core" })
        {
            foreach (string file in SourceFiles(project))
            {
                string folder = FolderOf(project, file);
                Match match = NamespaceLine().Match(File.ReadAllText(file));
                if (!match.Success) continue;
                string expected = folder.Length == 0 ? "TrtTools" : $"TrtTools.{folder}";
                Assert.True(match.Groups[1].Value == expected || match.Groups[1].Value.StartsWith(expected + ".", StringComparison.Ordinal), $"{file}: namespace {match.Groups[1].Value}, expected {expected}");
            }
        }
    }

    private static IEnumerable<(string Folder, string File, string Used)> Usings()
    {
        foreach (string project in new[] { "TrtTools.Runtime", "TrtTools.Core" })
        {
            foreach (string file in SourceFiles(project))
            {
                string folder = FolderOf(project, file);
                if (folder.Length == 0) continue;
                foreach (Match match in UsingLine().Matches(File.ReadAllText(file))) yield return (folder, Path.GetFileName(file), match.Groups[1].Value);
            }
        }
    }

    private static IEnumerable<string> SourceFiles(string project) =>
        Directory.EnumerateFiles(Path.Combine(Root, "src", project), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                && !f.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

    private static string FolderOf(string project, string file)
    {
        string[] parts = Path.GetRelativePath(Path.Combine(Root, "src", project), file).Split(Path.DirectorySeparatorChar);
        return parts.Length == 1 ? "" : parts[0];
    }

    private static string Root
    {
        get
        {
            for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
            {
                if (File.Exists(Path.Combine(at.FullName, "ARCHITECTURE.md"))) return at.FullName;
            }
            throw new InvalidOperationException("The repository's root was not found above the test's folder.");
        }
    }

    [GeneratedRegex(@"^using (?:static )?(?:\w+ = )?TrtTools\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
