using System.Xml.Linq;
using TrtTools.Build;
using TrtTools.Comparison;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Tests.Comparison;

public sealed class ComparatorTests
{
    private static string Judge(CompareOptions options, float[] engine, float[] reference)
    {
        OutputStatistics statistics = EngineComparison.StatisticsOf("y", options);
        statistics.Add(TensorData.From<float>(engine, engine.Length), TensorData.From<float>(reference, reference.Length));
        return Verdicts.Of(statistics, options, exact: true).Reason;
    }

    private static bool Passes(ComparatorKind kind, float[] engine, float[] reference, double? threshold = null, double? absolute = null, double? relative = null, double quantile = 0.99) =>
        Judge(new CompareOptions { Comparator = kind, Threshold = threshold, AbsoluteTolerance = absolute, RelativeTolerance = relative, Quantile = quantile }, engine, reference).Length == 0;

    [Fact]
    public void An_element_fails_when_it_exceeds_both_tolerances()
    {
        Assert.True(Passes(ComparatorKind.Elementwise, [1.000005f, 1000.005f], [1, 1000]));
        Assert.False(Passes(ComparatorKind.Elementwise, [1.00005f], [1]));
        // Small in size, large in share; large in size, small in share: one of the two is enough to pass.
        Assert.True(Passes(ComparatorKind.Elementwise, [2e-6f], [1e-6f]));
        Assert.True(Passes(ComparatorKind.Elementwise, [1.05f], [1], absolute: 0.1));
        Assert.False(Passes(ComparatorKind.Elementwise, [float.NaN], [1]));
        Assert.True(Passes(ComparatorKind.Elementwise, [float.NaN, float.NegativeInfinity], [float.NaN, float.NegativeInfinity]));
    }

    [Fact]
    public void Statistics_of_the_errors_are_held_against_the_tolerances()
    {
        float[] engine = [1, 1, 1, 1.5f], reference = [1, 1, 1, 1];
        Assert.True(Passes(ComparatorKind.Median, engine, reference));
        Assert.False(Passes(ComparatorKind.Mean, engine, reference));
        Assert.True(Passes(ComparatorKind.Mean, engine, reference, absolute: 0.125));
        Assert.False(Passes(ComparatorKind.Max, engine, reference, absolute: 0.4));
        Assert.True(Passes(ComparatorKind.Max, engine, reference, absolute: 0.5));
        Assert.True(Passes(ComparatorKind.Quantile, engine, reference, quantile: 0.6));
        Assert.False(Passes(ComparatorKind.Quantile, engine, reference, quantile: 0.9));
    }

    [Fact]
    public void Distances_and_ratios_have_Polygraphys_limits()
    {
        Assert.True(Passes(ComparatorKind.L2, [3.000003f], [3]));
        Assert.False(Passes(ComparatorKind.L2, [3.1f], [3]));
        Assert.True(Passes(ComparatorKind.L2, [3.1f, 4], [3, 4], threshold: 0.2));
        Assert.True(Passes(ComparatorKind.Cosine, [2, 2], [1, 1]));
        Assert.False(Passes(ComparatorKind.Cosine, [1, 1.2f], [1, 1]));
        Assert.True(Passes(ComparatorKind.Cosine, [1, 1.2f], [1, 1], threshold: 0.99));
        Assert.True(Passes(ComparatorKind.Snr, [1.05f], [1]));
        Assert.False(Passes(ComparatorKind.Snr, [1.2f], [1]));
        Assert.True(Passes(ComparatorKind.Psnr, [0.01f, 1], [0, 1]));
        Assert.False(Passes(ComparatorKind.Psnr, [0.1f, 1], [0, 1]));
        Assert.False(Passes(ComparatorKind.Cosine, [float.NaN, 1], [1, 1]));
    }

    [Fact]
    public void Indices_may_stand_so_many_places_away()
    {
        Assert.True(Passes(ComparatorKind.Index, [0, 1, 2], [0, 1, 2]));
        Assert.False(Passes(ComparatorKind.Index, [1, 0, 2], [0, 1, 2]));
        Assert.True(Passes(ComparatorKind.Index, [1, 0, 2], [0, 1, 2], threshold: 1));
        Assert.False(Passes(ComparatorKind.Index, [1, 2, 0, 9], [0, 1, 2, 9], threshold: 0));
        // The value 0 is two places away; with a tolerance of 1 the last element is not looked at.
        Assert.True(Passes(ComparatorKind.Index, [1, 2, 0], [0, 1, 2], threshold: 1));
        Assert.False(Passes(ComparatorKind.Index, [5, 0, 2], [0, 1, 2], threshold: 1));
    }

    [Fact]
    public void Top_indices_are_those_of_the_largest_elements()
    {
        TensorData top = TopIndices.Of(TensorData.From<float>([0.1f, 0.9f, 0.5f, /**/ 7, 7, float.NaN], 2, 3), 2);
        Assert.Equal([2L, 2], top.Shape.ToArray());
        Assert.Equal([1L, 2, /**/ 0, 1], top.AsSpan<long>().ToArray());
    }

    [Fact]
    public void What_is_not_finite_can_be_refused() =>
        Assert.Equal(("", "it holds NaN"), (Judge(new CompareOptions(), [float.NaN], [float.NaN]), Judge(new CompareOptions { RequireFinite = true }, [float.NaN], [float.NaN])));

    [Fact]
    public void Each_output_has_a_comparator_of_its_own()
    {
        using Engine engine = EngineBuilder.Build(TestGraphs.Parse("x: Float32[1,4] -> a, b, c { a = Mul(x, x); b = Neg(x); c = Exp(x) }"), new BuildOptions { Device = DeviceKind.Cpu, OptimizationLevel = 0 }, Report.None, CancellationToken.None);
        using Engine other = EngineBuilder.Build(TestGraphs.Parse("x: Float32[1,4] -> a, b, c { k = Float32[] 1.01; m = Mul(x, x); a = Mul(m, k); n = Neg(x); b = Mul(n, k); e = Exp(x); c = Mul(e, k) }"), new BuildOptions { Device = DeviceKind.Cpu, OptimizationLevel = 0 }, Report.None, CancellationToken.None);
        CompareOptions options = new()
        {
            ReferenceEngine = other, InputData = InputSources.FromDictionaries([new Dictionary<string, object> { ["x"] = new float[] { 1, 2, 3, 4 } }], InputInfo.Of(engine)),
            OutputComparators = new Dictionary<string, OutputComparator> { ["b"] = new(ComparatorKind.Cosine), ["c"] = new(ComparatorKind.Index, TopIndex: 2) },
        };
        IReadOnlyList<OutputComparison> found = EngineComparison.Compare(engine, options, Report.None, CancellationToken.None);
        Assert.Equal([("a", ComparatorKind.Scale, false), ("b", ComparatorKind.Cosine, true), ("c", ComparatorKind.Index, true)], found.Select(f => (f.Output, f.Comparator, f.Passed)));
        Assert.Equal([4, 4, 2], found.Select(f => f.ElementCount));
        Assert.All(EngineComparison.Compare(engine, options with { OutputComparators = new Dictionary<string, OutputComparator>() }, Report.None, CancellationToken.None), f => Assert.False(f.Passed));
        TrtToolsException unknown = Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, options with { OutputComparators = new Dictionary<string, OutputComparator> { ["bb"] = new(ComparatorKind.Max) } }, Report.None, CancellationToken.None));
        Assert.Contains("Did you mean 'b'?", unknown.Message, StringComparison.Ordinal);
        Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, options with { OutputComparators = new Dictionary<string, OutputComparator> { ["b"] = new(ComparatorKind.Max, Threshold: 1) } }, Report.None, CancellationToken.None));
    }

    [Fact]
    public void An_outputs_own_tolerance_comes_first()
    {
        CompareOptions options = new() { AbsoluteTolerance = 1e-9, OutputTolerances = new Dictionary<string, (double?, double?)> { ["y"] = (0.5, null) } };
        Assert.Equal("", Judge(options, [1.4f], [1]));
        Assert.NotEqual("", Judge(options with { OutputTolerances = new Dictionary<string, (double?, double?)> { ["z"] = (0.5, null) } }, [1.4f], [1]));
    }

    [Fact]
    public void Another_shape_of_as_many_elements_can_be_compared()
    {
        using TestFolder folder = new();
        using Engine engine = Build(folder, "x: Float32[2,2] -> y { y = Relu(x) }", new BuildOptions { Device = DeviceKind.Cpu });
        TensorFile.Write(folder.File("y.npy"), [new Tensor("y", TensorData.From<float>([1, 2, 3, 4], 4))]);
        CompareOptions options = new() { ExpectedPath = folder.File("y.npy"), InputData = InputSources.FromDictionaries([new System.Collections.Hashtable { ["x"] = new float[] { 1, 2, 3, 4 } }], [new InputInfo("x", DataType.Float32, [2, 2])]) };
        Assert.False(Assert.Single(EngineComparison.Compare(engine, options, Report.None, CancellationToken.None)).Passed);
        Assert.True(Assert.Single(EngineComparison.Compare(engine, options with { IgnoreShape = true }, Report.None, CancellationToken.None)).Passed);
    }

    [Fact]
    public void Pictures_are_XML_and_show_the_error_where_it_is()
    {
        XNamespace svg = "http://www.w3.org/2000/svg";
        XDocument map = XDocument.Parse(ErrorPlot.HeatMap([0, 0, 0, 2, 0, double.NaN], [2, 3], "a < b"));
        string[] fills = [.. map.Descendants(svg + "rect").Skip(1).Select(r => r.Attribute("fill")!.Value)];
        Assert.Equal(6, fills.Length);
        Assert.Equal((fills[0], "#c000c0"), (fills[1], fills[5]));
        Assert.NotEqual(fills[0], fills[3]);
        XDocument.Parse(ErrorPlot.HeatMap([], [0], "empty"));
        XDocument.Parse(ErrorPlot.HeatMap([1], [], "scalar"));
        Assert.Contains("2 elements differ, 1 are equal", XDocument.Parse(ErrorPlot.Scatter([(0, 1), (0.5f, 2), (1e-3f, 0)], "t")).Root!.Value, StringComparison.Ordinal);
        XDocument.Parse(ErrorPlot.Scatter([], "none"));
    }

    private static Engine Build(TestFolder folder, string text, BuildOptions options)
    {
        OnnxFile.Export(TestGraphs.Parse(text), folder.File("m.onnx"), new ExportOptions { Force = true }, Report.None, CancellationToken.None);
        return EngineBuilder.Build(OnnxFile.Import(folder.File("m.onnx"), Report.None, CancellationToken.None), options, Report.None, CancellationToken.None);
    }

    private const string Net = """
        x: Float32[1,3,8,8] -> y {
            w1 = Float32[8,3,3,3] random(1); b1 = Float32[8] random(2)
            w2 = Float32[8,8,3,3] random(3)
            c1 = Conv(x, w1, b1){pads=[1,1,1,1]}
            r1 = Relu(c1)
            c2 = Conv(r1, w2){pads=[1,1,1,1]}
            s = Add(c2, r1)
            p = GlobalAveragePool(s)
            y = Softmax(p){axis=1}
        }
        """;

    [Fact]
    public void Each_layer_of_an_FP32_engine_is_that_of_the_model()
    {
        using TestFolder folder = new();
        using Engine engine = Build(folder, Net, new BuildOptions { Device = DeviceKind.Cpu });
        IReadOnlyList<LayerDifference> layers = LayerComparison.Compare(engine, new CompareOptions(), Report.None, CancellationToken.None);
        Assert.Contains(layers, l => l.Tensor == "y");
        Assert.Contains(layers, l => l.Tensor == "r1");
        Assert.All(layers, l => Assert.True(l is { Passed: true, BeginsHere: false }, $"{l.Tensor}: {l.Reason}"));
        Assert.Equal(layers.Select(l => l.Index).Order(), layers.Select(l => l.Index));
        // Not taken apart: what the engine computes inside a layer is not asked for.
        Assert.DoesNotContain(layers, l => l.Tensor == "c1");
    }

    [Fact]
    public void The_error_begins_at_the_layer_that_differs()
    {
        using TestFolder folder = new();
        using Engine engine = Build(folder, Net, new BuildOptions { Device = DeviceKind.Cpu });
        // The same model but for one weight in the middle.
        OnnxFile.Export(TestGraphs.Parse(Net.Replace("w2 = Float32[8,8,3,3] random(3)", "w2 = Float32[8,8,3,3] random(4)", StringComparison.Ordinal)), folder.File("other.onnx"), new ExportOptions(), Report.None, CancellationToken.None);
        IReadOnlyList<LayerDifference> layers = LayerComparison.Compare(engine, new CompareOptions { ModelPath = folder.File("other.onnx") }, Report.None, CancellationToken.None);
        LayerDifference first = Assert.Single(layers, l => l.BeginsHere);
        Assert.Contains("c2", first.SourceNode);
        Assert.True(layers.First(l => l.Tensor == "r1").Passed);
        Assert.False(layers.First(l => l.Tensor == "y").Passed && layers.First(l => l.Tensor == "p").Passed);
    }

    [Fact]
    public void Layers_of_the_shared_models_are_found()
    {
        foreach (string name in new[] { "mnist-cntk", "ultraface-slim-320-simplified", "ppocrv2-cls" })
        {
            using Engine engine = EngineBuilder.Build(OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None), new BuildOptions { Device = DeviceKind.Cpu }, Report.None, CancellationToken.None);
            IReadOnlyList<LayerDifference> layers = LayerComparison.Compare(engine, new CompareOptions { InputData = InputSources.FromPath(Path.GetDirectoryName(SharedModels.Path(name))!, [.. engine.Inputs.Select(i => new InputInfo(i.Name, i.DataType, i.HasRank ? i.Shape : null))]) }, Report.None, CancellationToken.None);
            int all = engine.Layers.Count(l => l.SourceNode.Length > 0);
            Assert.True(layers.Select(l => l.Index).Distinct().Count() > 0.8 * all, $"{name}: {layers.Count} of {all} layers");
            Assert.All(layers, l => Assert.True(l.Passed, $"{name} {l.Tensor}: {l.Reason}"));
        }
    }

    [Fact]
    public void Layers_of_an_INT8_engine_are_compared_and_the_error_begins_somewhere()
    {
        using TestFolder folder = new();
        OnnxFile.Export(TestGraphs.Parse(Net), folder.File("m.onnx"), new ExportOptions(), Report.None, CancellationToken.None);
        OnnxGraph graph = OnnxFile.Import(folder.File("m.onnx"), Report.None, CancellationToken.None);
        using Engine engine = EngineBuilder.Build(graph, new BuildOptions { Device = DeviceKind.Cpu, Int8 = true, OptimizationLevel = 0 }, Report.None, CancellationToken.None);
        IReadOnlyList<LayerDifference> layers = LayerComparison.Compare(engine, new CompareOptions { AbsoluteTolerance = 1e-7 }, Report.None, CancellationToken.None);
        Assert.NotEmpty(layers);
        Assert.Contains(layers, l => l.BeginsHere);
        Assert.All(layers, l => Assert.True(l.Cosine > 0.9, $"{l.Tensor}: {l.Cosine}"));
    }

    [Fact]
    public void What_cannot_be_looked_into_is_refused()
    {
        using TestFolder folder = new();
        using Engine engine = Build(folder, "x: Float32[4] -> y { y = Relu(x) }", new BuildOptions { Device = DeviceKind.Cpu });
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => LayerComparison.Compare(engine, new CompareOptions { ReferenceEngine = engine }, Report.None, CancellationToken.None)).Code);
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, new CompareOptions { Threshold = 1 }, Report.None, CancellationToken.None)).Code);
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, new CompareOptions { Comparator = ComparatorKind.Index, Threshold = 0.5 }, Report.None, CancellationToken.None)).Code);
    }
}
