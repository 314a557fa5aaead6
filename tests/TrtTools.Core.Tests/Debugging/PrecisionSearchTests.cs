using System.Collections.Specialized;
using TrtTools.Build;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Tests;

namespace TrtTools.Debugging;

public sealed class PrecisionSearchTests
{
    private static readonly CudaTarget Target = new() { Name = "a GPU", Capability = 90, Compiles = false };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static readonly BuildOptions Half = new() { Device = Engines.DeviceKind.Cuda, Target = Target, Fp16 = true, OptimizationLevel = 0 }, Bytes = new() { Device = Engines.DeviceKind.Cpu, Int8 = true, OptimizationLevel = 0, CalibrationCache = Scales() };

    /// <summary>All layers in INT8, however much they lose.</summary>
    private static Quantization.CalibrationCache Scales() => Quantization.Calibrator.Calibrate(Chain(), Data.InputSources.Synthetic(Data.InputInfo.Of(Chain()), 4), new Quantization.CalibrationOptions { OutputSqnr = 0, Algorithm = Quantization.CalibrationAlgorithm.MinMax }, Report.None, CancellationToken.None);

    /// <summary>Twelve convolutions in a row, which nothing joins.</summary>
    private static OnnxGraph Chain()
    {
        string text = "x: Float32[1,4,6,6] -> y { v0 = Identity(x)\n";
        for (int i = 1; i <= 12; i++) text += FormattableString.Invariant($"w{i} = Float32[4,4,3,3] random({i}); c{i} = Conv{{pads=[1,1,1,1]}}(v{i - 1}, w{i}); v{i} = Tanh(c{i})\n");
        return TestGraphs.Parse(text + "y = GlobalAveragePool(v12) }");
    }

    /// <summary>Bad while one of these nodes runs in less than FP32.</summary>
    private static Func<Engine, OrderedDictionary, CheckVerdict> Needs(params string[] nodes) => (engine, kept) =>
    {
        string[] low = [.. engine.Layers.Where(l => l.Precision != "Fp32" && l.SourceNode.Intersect(nodes).Any()).Select(l => l.Name)];
        return low.Length == 0 ? new CheckVerdict(CheckOutcome.Good) : new CheckVerdict(CheckOutcome.Bad, $"{low[0]} is in {engine.Precision}");
    };

    private static PrecisionFinding Search(BuildOptions build, Func<Engine, OrderedDictionary, CheckVerdict> check, PrecisionSearchMode mode = PrecisionSearchMode.Layer, int maximum = 0, string? replay = null, Report? report = null) =>
        PrecisionSearch.Search(Chain(), new PrecisionSearchOptions { Build = build, Mode = mode, MaximumCheck = maximum, ReplayPath = replay }, check, report ?? Report.None, Stop);

    private static IEnumerable<string> Kept(PrecisionFinding found) => found.Layer.Where(l => l.KeepFp32).SelectMany(l => l.SourceNode);

    [Theory]
    [InlineData("Cpu")]
    [InlineData("Cuda")]
    public void Any_set_of_layers_is_found_and_builds_an_engine_that_passes(string device)
    {
        BuildOptions build = device == "Cpu" ? Bytes : Half;
        string[] needed = ["c3", "c7", "c8"];
        PrecisionFinding found = Search(build, Needs(needed));
        Assert.Equal(3, found.KeptCount);
        Assert.All(needed, n => Assert.Contains(n, Kept(found)));
        Assert.InRange(found.LayerCount, 10, 40);
        Assert.True(found.CheckCount <= 3 * (Math.Ceiling(Math.Log2(found.LayerCount)) + 1) + 2, $"{found.CheckCount} checks for {found.LayerCount} layers");
        using Engine again = EngineBuilder.Build(Chain(), build with { LayerPrecision = found.LayerPrecision.Cast<System.Collections.DictionaryEntry>().ToDictionary(e => (string)e.Key, e => Enum.Parse<Engines.EnginePrecision>((string)e.Value!)) }, Report.None, Stop);
        Assert.Equal(CheckOutcome.Good, Needs(needed)(again, []).Outcome);
        Assert.All(again.Layers.Where(l => l.SourceNode.Contains("c5")), l => Assert.NotEqual("Fp32", l.Precision));
    }

    [Theory]
    [InlineData(PrecisionSearchMode.Forward, "c3")]
    [InlineData(PrecisionSearchMode.Backward, "c10")]
    public void The_first_or_the_last_layers_are_found(PrecisionSearchMode mode, string needed)
    {
        PrecisionFinding found = Search(Bytes, Needs(needed), mode);
        bool[] kept = [.. found.Layer.Select(l => l.KeepFp32)];
        int at = Array.FindIndex(found.Layer, l => l.SourceNode.Contains(needed));
        Assert.InRange(at, 1, kept.Length - 2);
        Assert.Equal(Enumerable.Range(0, kept.Length).Select(i => mode == PrecisionSearchMode.Forward ? i <= at : i >= at), kept);
        Assert.True(found.CheckCount <= 2 + Math.Ceiling(Math.Log2(found.LayerCount)));
    }

    [Fact]
    public void The_most_sensitive_layers_come_first()
    {
        PrecisionFinding found = Search(Bytes, Needs("c3"));
        Assert.All(found.Layer.Where(l => l.Kind.Contains("Conv", StringComparison.Ordinal)), l => Assert.InRange(l.Sensitivity ?? double.NaN, 5, 200));
        found = Search(Half, Needs("c3"));
        Assert.All(found.Layer.Where(l => l.Kind.Contains("Conv", StringComparison.Ordinal)), l => Assert.InRange(l.Sensitivity ?? double.NaN, 40, 200));
    }

    [Fact]
    public void Nothing_is_kept_where_the_check_passes_and_precision_is_not_blamed_where_it_never_does()
    {
        PrecisionFinding found = Search(Bytes, (_, _) => new CheckVerdict(CheckOutcome.Good));
        Assert.Equal((0, 1, 0), (found.KeptCount, found.CheckCount, found.LayerPrecision.Count));
        Assert.Contains("FP32 too", Assert.Throws<TrtToolsException>(() => Search(Bytes, (_, _) => new CheckVerdict(CheckOutcome.Bad, "never"))).Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => Search(Bytes with { Int8 = false }, Needs("c3"))).Code);
    }

    [Fact]
    public void What_was_asked_for_a_layer_stays_and_is_part_of_the_answer()
    {
        PrecisionFinding found = Search(Bytes with { LayerPrecision = new Dictionary<string, Engines.EnginePrecision> { ["c1"] = Engines.EnginePrecision.Fp32 } }, Needs("c1", "c9"));
        Assert.Equal("Fp32", found.LayerPrecision["c1"]);
        Assert.Equal(1, found.KeptCount);
        Assert.DoesNotContain(found.Layer, l => l.SourceNode.Contains("c1"));
    }

    [Fact]
    public void A_search_goes_on_where_it_was_stopped_and_ends_at_its_limit()
    {
        using TestFolder folder = new();
        string path = folder.File("replay.json");
        int calls = 0;
        CheckVerdict Counted(Engine engine, OrderedDictionary kept)
        {
            calls++;
            return Needs("c3", "c7")(engine, kept);
        }
        RecordingReport report = new();
        PrecisionFinding short_ = Search(Bytes, Counted, maximum: 4, replay: path, report: report);
        Assert.Equal(4, calls);
        Assert.False(short_.Complete);
        Assert.All(new[] { "c3", "c7" }, n => Assert.Contains(n, Kept(short_)));
        Assert.Contains(report.Warnings, w => w.Contains("-MaximumCheck", StringComparison.Ordinal));
        PrecisionFinding found = Search(Bytes, Counted, replay: path);
        Assert.Equal(2, found.KeptCount);
        Assert.Equal(found.CheckCount, calls);
        Assert.Equal(4, found.Check.Count(c => c.Replayed));
        Assert.Equal(ErrorCode.DataInvalid, Assert.Throws<TrtToolsException>(() => Search(Bytes with { Strict = true }, Counted, replay: path)).Code);
    }
}
