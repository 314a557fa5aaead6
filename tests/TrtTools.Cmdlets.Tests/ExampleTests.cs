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
        string[] lines = In(culture, () => Run("04-replace-operators"));
        Assert.Contains("Before: 3 operators are not supported: ImageScaler, Crop, Affine", lines);
        Assert.Contains("After:  nothing is wrong with the graph", lines);
        Assert.Contains("Result: 1 × 3 × 8 × 8, its channels 13, 18 and 23; expected 13, 18 and 23", lines);
        Assert.Contains(lines, l => l.StartsWith("Skipped: ", StringComparison.Ordinal) || l.StartsWith("Result: against the reference passed", StringComparison.Ordinal));
    }

    private static T In<T>(string culture, Func<T> work)
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo(culture);
            return work();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    /// <summary>The jobs that people do with Polygraphy, one folder each: the page shows their command and ours, and what ours prints ("…" stands for what depends on the machine).</summary>
    public static TheoryData<string> PolygraphyJobs => [.. Directory.GetDirectories(Path.Combine(Repository.Root, "examples", "polygraphy")).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(PolygraphyJobs))]
    public void A_job_of_Polygraphy_prints_what_its_page_says(string job)
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "examples", "polygraphy", job, "README.md"));
        string script = File.ReadAllText(Path.Combine(Repository.Root, "examples", "polygraphy", job, "run.ps1"));
        string[] expected = [.. page[(page.IndexOf("It prints:", StringComparison.Ordinal) + 10)..].Split('\n').Skip(1).SkipWhile(l => l.Length == 0).TakeWhile(l => l.StartsWith("    ", StringComparison.Ordinal)).Select(l => l.Trim())];
        Assert.NotEmpty(expected);
        // The page shows the script itself, and Polygraphy's command.
        string shown = page.Split("```powershell\n")[1].Split("```")[0].Trim();
        Assert.Contains(shown, script, StringComparison.Ordinal);
        Assert.Contains("    polygraphy ", page, StringComparison.Ordinal);
        // The pages' numbers are written with decimal points; a user's are written as the user's culture has them.
        string[] printed = [.. In("", () => Run(Path.Combine("polygraphy", job))).Select(l => l.Trim())];
        Assert.True(expected.Length == printed.Length && expected.Zip(printed).All(p => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(p.First.Replace('…', '*'), p.Second, ignoreCase: false)), $"expected\n{string.Join('\n', expected)}\nand found\n{string.Join('\n', printed)}");
    }

    [Fact]
    public void Raw_frames_of_cameras_go_through_one_engine()
    {
        string[] lines = Run("05-camera-streams", $"-Stream 2 -Height 40 -Width 60 -Duration 0.05 -Device Cpu -Model '{Path.Combine(Repository.Root, "examples", "digits", "digits.onnx")}'");
        Assert.Contains(lines, l => l.EndsWith("UInt8[batch,40,60,3]", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("Against the model in FP32: logits", StringComparison.Ordinal) && l.EndsWith("passed", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("2 cameras: ", StringComparison.Ordinal));
    }

    [Fact]
    public void Three_resolutions_have_one_engine()
    {
        string[] lines = Run("06-three-resolutions", "-Size 64, 96, 128 -Duration 0.05 -Device Cpu");
        foreach (string size in new[] { "64 × 64", "96 × 96", "128 × 128" }) Assert.Contains(lines, l => l.StartsWith($"{size}: as ONNX Runtime", StringComparison.Ordinal));
        Assert.Contains("160 × 160: ShapeOutOfProfile", lines);
    }

    [Fact]
    public void Faults_are_found_in_a_model_an_engine_and_a_precision()
    {
        string folder = Directory.CreateTempSubdirectory("trttools-test-").FullName;
        try
        {
            string[] lines = Run("07-find-the-fault", $"-OutputPath '{folder}'");
            Assert.Contains("Found:  1 of 23 nodes, Log, after 6 checks", lines);
            Assert.Contains("Found:  1 of 22 nodes, GlobalAveragePool, after 5 checks", lines);
            Assert.Contains(lines, l => l.StartsWith("Good:   ", StringComparison.Ordinal) && !l.Contains("GlobalAveragePool", StringComparison.Ordinal));
            Assert.Contains("Result: an engine that passes", lines);
            Assert.Equal(["reduced-inputs.npz", "reduced.onnx", "replay.json"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private string[] Run(string example, string arguments = "") =>
        [.. _session.Run($"param($script) & $script {arguments}", Path.Combine(Repository.Root, "examples", example, "run.ps1")).WithoutErrors().Output.Select(o => o.ToString()!)];
}
