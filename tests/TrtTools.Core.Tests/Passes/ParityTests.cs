using System.Text.RegularExpressions;
using TrtTools.Passes;

namespace TrtTools.Tests.Passes;

/// <summary>docs/parity.md names passes, patterns and tests that exist, and names them all.</summary>
public sealed partial class ParityTests
{
    [GeneratedRegex("`([A-Za-z0-9-]+)`")]
    private static partial Regex Named();

    [Fact]
    public void The_page_names_what_there_is()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Folder(), "docs", "parity.md"));
        HashSet<string> known = [.. GraphOptimizer.PassNames, .. LayerFusion.PatternNames, .. typeof(ParityTests).Assembly.GetTypes().Where(t => t.Name.EndsWith("Tests", StringComparison.Ordinal)).Select(t => t.Name)];
        HashSet<string> named = [.. lines.SelectMany(l => Named().Matches(l).Select(m => m.Groups[1].Value))];
        string[] others = ["Build-Engine", "Rename-GraphTensor", "Select-OnnxSubgraph", "fusedPointwiseNode"];
        string[] unknown = [.. named.Except(known).Except(others)], passes = [.. GraphOptimizer.PassNames.Except(named)], patterns = [.. LayerFusion.PatternNames.Except(named).Except(["ConvBatchNorm"])];
        Assert.Empty(unknown);
        Assert.Empty(passes);
        // The matrix products' patterns stand in the text; the folding of BatchNormalization is a pass.
        Assert.Empty(patterns);
    }

    private static string Folder()
    {
        DirectoryInfo? at = new(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "TrtTools.sln"))) at = at.Parent;
        Assert.NotNull(at);
        return at.FullName;
    }
}
