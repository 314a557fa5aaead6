using System.Globalization;

namespace TrtTools.Cmdlets.Tests;

/// <summary>The examples do what their pages say. What needs models or tools that are not here is skipped by the example itself, with a line that says so.</summary>
public sealed class ExampleTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("de-DE")]
    public void Operators_that_are_gone_are_replaced(string culture)
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo(culture);
            string[] lines = Run("04-replace-operators");
            Assert.Contains("Before: 3 operators are not supported: ImageScaler, Crop, Affine", lines);
            Assert.Contains("After:  nothing is wrong with the graph", lines);
            Assert.Contains("Result: 1 × 3 × 8 × 8, its channels 13, 18 and 23; expected 13, 18 and 23", lines);
            Assert.Contains(lines, l => l.StartsWith("Skipped: ", StringComparison.Ordinal) || l.StartsWith("Result: against the reference passed", StringComparison.Ordinal));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private string[] Run(string example) =>
        [.. _session.Run("param($script) & $script", Path.Combine(Repository.Root, "examples", example, "run.ps1")).WithoutErrors().Output.Select(o => o.ToString()!)];
}
