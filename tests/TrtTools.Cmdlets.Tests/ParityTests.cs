using System.Text.RegularExpressions;

namespace TrtTools.Cmdlets.Tests;

/// <summary>docs/polygraphy.md: each row names a test that is there, or says why something is left out.</summary>
public sealed partial class ParityTests
{
    [Fact]
    public void Every_row_has_a_test_or_a_reason()
    {
        string tests = Path.Combine(Repository.Root, "tests");
        string code = string.Join('\n', Directory.EnumerateFiles(tests, "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)).Select(File.ReadAllText));
        List<string> faults = [];
        foreach (string line in File.ReadLines(Path.Combine(Repository.Root, "docs", "polygraphy.md")).Where(l => l.StartsWith("| ", StringComparison.Ordinal)))
        {
            string[] cells = [.. Bar().Split(line)[1..^1].Select(c => c.Trim())];
            if (cells.Length < 4 || cells[2] == "test") continue;
            if (cells[2].Length == 0 && cells[3].Length == 0) faults.Add($"no test and no reason: {line}");
            string type = "";
            foreach (string test in cells[2].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                string name = test[(test.LastIndexOf('/') + 1)..];
                bool there = test.StartsWith("examples/", StringComparison.Ordinal) ? Directory.Exists(Path.Combine(Repository.Root, test))
                    : test.EndsWith(".Tests", StringComparison.Ordinal) ? File.Exists(Path.Combine(tests, "Pester", test + ".ps1"))
                    : name.Split('.') is [string owner, string method] ? code.Contains($"class {type = owner}", StringComparison.Ordinal) && code.Contains($" void {method}(", StringComparison.Ordinal)
                    : code.Contains($"class {name}", StringComparison.Ordinal) || type.Length > 0 && code.Contains($" void {name}(", StringComparison.Ordinal);
                if (!there) faults.Add($"no test '{test}': {line}");
            }
        }
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Bar();
}
