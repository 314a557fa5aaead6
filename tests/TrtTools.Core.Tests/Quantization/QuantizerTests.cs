using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Quantization;
using TrtTools.Tensors;

namespace TrtTools.Tests.Quantization;

public sealed class QuantizerTests
{
    private const string Residual = """
        <opset 13> (x: Float32[1,3,16,16]) -> (y) {
            w1 = Float32[8,3,3,3] random(1); b1 = Float32[8] random(2); w2 = Float32[8,8,3,3] random(3); w3 = Float32[4,8,1,1] random(4); b3 = Float32[4] random(5)
            a = Conv{pads = [1,1,1,1]}(x, w1, b1); r = Relu(a); c = Conv{pads = [1,1,1,1]}(r, w2); s = Add(c, r); p = MaxPool{kernel_shape = [2,2], strides = [2,2]}(s); y = Conv(p, w3, b3)
        }
        """;

    private static OnnxGraph Parse(string text)
    {
        string trimmed = text.Trim();
        return GraphText.Parse(trimmed.Replace("(x: Float32[1,3,16,16])", "x: Float32[1,3,16,16]", StringComparison.Ordinal).Replace("(y)", "y", StringComparison.Ordinal));
    }

    private static CalibrationCache Calibrate(OnnxGraph graph, InputSource? data = null, double outputSqnr = 0) =>
        Calibrator.Calibrate(graph, data ?? InputSources.Synthetic(InputInfo.Of(graph), 4), new CalibrationOptions { Algorithm = CalibrationAlgorithm.MinMax, OutputSqnr = outputSqnr }, Report.None, TestContext.Current.CancellationToken);

    private static IReadOnlyDictionary<string, TensorData> Run(OnnxGraph graph, IReadOnlyDictionary<string, TensorData> inputs, OrtOptimization optimization = OrtOptimization.None)
    {
        // Without it ONNX Runtime's integer sums overflow on processors without VNNI.
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Optimization = optimization, Configuration = [new("session.x64quantprecision", "1")] });
        return session.Run(inputs);
    }

    private static Dictionary<string, TensorData> Inputs(OnnxGraph graph, ulong seed = 9) =>
        InputInfo.Of(graph).ToDictionary(i => i.Name, i => SyntheticData.Create(i.Name, i.DataType, [.. i.Shape!.Select(d => d < 0 ? 1 : d)], seed).Content, StringComparer.Ordinal);

    private static double Sqnr(TensorData expected, TensorData actual)
    {
        double[] x = expected.ToDouble(), y = actual.ToDouble();
        return 10 * Math.Log10(x.Sum(v => v * v) / x.Zip(y, (a, b) => (a - b) * (a - b)).Sum());
    }

    [Fact]
    public void The_graph_is_what_TensorRT_accepts()
    {
        OnnxGraph graph = Parse(Residual);
        OnnxGraph result = Quantizer.Quantize(graph, Calibrate(graph), new QuantizeOptions(), Report.None);
        Assert.True(Quantizer.HasQuantization(result));
        Assert.False(Quantizer.HasQuantization(graph));
        foreach (Node node in result.Body.Nodes.Where(n => n.OpType is "QuantizeLinear" or "DequantizeLinear"))
        {
            TensorData zero = node.Input(2)!.Data!;
            Assert.Equal(DataType.Int8, zero.Type);
            Assert.All(zero.ToInt64(), z => Assert.Equal(0, z));
        }
        foreach (Node conv in result.Body.Nodes.Where(n => n.Is("Conv")))
        {
            Node weight = conv.Input(1)!.Producer!;
            Assert.True(weight.Is("DequantizeLinear"));
            Assert.Equal(0, weight.Attributes.Int("axis", 1));
            Assert.Equal(DataType.Int8, weight.Input(0)!.Data!.Type);
            Assert.Equal(conv.Input(1) is null ? 0 : weight.Input(0)!.Data!.Shape[0], weight.Input(1)!.Data!.ElementCount);
            Assert.True(conv.Input(0)!.Producer!.Is("DequantizeLinear"));
            if (conv.Input(2) is { } bias) Assert.Equal(DataType.Float32, bias.Data!.Type);
        }
        // Both sides of the sum, and the pool between integers.
        Assert.All(result.Body.Nodes.Single(n => n.Is("Add")).Inputs, i => Assert.True(i!.Producer!.Is("DequantizeLinear")));
        Node pool = result.Body.Nodes.Single(n => n.Is("MaxPool"));
        Assert.True(pool.Input(0)!.Producer!.Is("DequantizeLinear"));
        Assert.Equal(pool.Input(0)!.Producer!.Input(1)!.Data!.AsSpan<float>()[0], pool.Output()!.Uses.Single().Node.Input(1)!.Data!.AsSpan<float>()[0]);
        Assert.Equal(["y"], result.Body.Outputs.Select(o => o.Name));
        Assert.DoesNotContain(result.Body.Initializers, i => i.Type!.DataType == DataType.Float32 && i.Data!.Rank == 4);
    }

    [Theory]
    [InlineData(false, (int)OrtOptimization.None)]
    [InlineData(true, (int)OrtOptimization.None)]
    [InlineData(true, (int)OrtOptimization.Full)]
    public void Results_stay_near(bool cpu, int optimization)
    {
        OnnxGraph graph = Parse(Residual);
        OnnxGraph result = Quantizer.Quantize(graph, Calibrate(graph), new QuantizeOptions { CpuEncoding = cpu }, Report.None);
        Dictionary<string, TensorData> inputs = Inputs(graph);
        Assert.True(Sqnr(Run(graph, inputs)["y"], Run(result, inputs, (OrtOptimization)optimization)["y"]) > 25);
    }

    [Fact]
    public void Relu6_ends_in_integers_where_it_ended()
    {
        OnnxGraph graph = Parse(Residual.Replace("r = Relu(a)", "lo = Float32 0.0; hi = Float32 1.0; r = Clip(a, lo, hi)", StringComparison.Ordinal));
        OnnxGraph signed = Quantizer.Quantize(graph, Calibrate(graph), new QuantizeOptions(), Report.None), cpu = Quantizer.Quantize(graph, Calibrate(graph), new QuantizeOptions { CpuEncoding = true }, Report.None);
        Dictionary<string, TensorData> inputs = Inputs(graph);
        Assert.True(Sqnr(Run(signed, inputs)["y"], Run(cpu, inputs)["y"]) > 30);
        Assert.DoesNotContain(cpu.Body.Nodes, n => n.Is("Clip") && n.Input(0)!.Type?.DataType == DataType.Float32);
    }

    [Fact]
    public void Concat_shares_a_scale_unless_ranges_differ_much()
    {
        foreach ((float gain, bool shared) in new[] { (1f, true), (50f, false) })
        {
            OnnxGraph graph = GraphText.Parse($$"""
                <opset 13> x: Float32[1,3,8,8] -> y {
                    w1 = Float32[4,3,1,1] random(1); g = Float32[4,3,1,1] fill({{gain.ToString("F1", System.Globalization.CultureInfo.InvariantCulture)}}); w3 = Float32[4,8,1,1] random(3)
                    a = Conv(x, w1); b = Conv(x, g); c = Concat{axis = 1}(a, b); y = Conv(c, w3)
                }
                """);
            OnnxGraph result = Quantizer.Quantize(graph, Calibrate(graph), new QuantizeOptions { SqnrThreshold = 0 }, Report.None);
            float[] scales = [.. result.Body.Nodes.Single(n => n.Is("Concat")).Inputs.Select(i => i!.Producer!.Input(1)!.Data!.AsSpan<float>()[0])];
            Assert.Equal(shared && scales[0] == scales[1], scales.Distinct().Count() == 1);
            if (!shared) Assert.NotEqual(scales[0], scales[1]);
        }
    }

    [Fact]
    public void Layers_without_scales_stay_and_are_named()
    {
        OnnxGraph graph = Parse(Residual);
        CalibrationCache whole = Calibrate(graph);
        RecordingReport report = new();
        OnnxGraph result = Quantizer.Quantize(graph, new CalibrationCache([.. whole.Tensors.Where(t => t.Name != "p")]), new QuantizeOptions(), report);
        Assert.Contains(report.Warnings, w => w.Contains("'p'", StringComparison.Ordinal));
        Assert.Contains(result.Body.Nodes, n => n.Is("Conv") && n.Input(1)!.Data is not null);
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Quantizer.Quantize(graph, new CalibrationCache([new() { Name = "other", Scale = 1 }]), new QuantizeOptions(), Report.None));
        Assert.Equal(ErrorCode.CalibrationCacheInvalid, e.Code);
    }

    [Fact]
    public void Noisy_layers_stay_with_a_warning_and_in_the_history()
    {
        OnnxGraph graph = Parse(Residual);
        RecordingReport report = new();
        OnnxGraph result = Quantizer.Quantize(graph, Calibrate(graph), new QuantizeOptions { SqnrThreshold = 100 }, report);
        Assert.Contains(report.Warnings, w => w.Contains("SQNR", StringComparison.Ordinal));
        Assert.Contains("SQNR", result.History[^1].Parameters, StringComparison.Ordinal);
        Assert.False(Quantizer.HasQuantization(result));
    }

    [Fact]
    public void Sensitive_layers_are_found()
    {
        OnnxGraph graph = Parse(Residual);
        CalibrationCache content = Calibrate(graph, outputSqnr: 5);
        Assert.Empty(content.FloatLayers);
        double wanted = content.OutputSqnr!.Value + 2;
        CalibrationCache cache = Calibrate(graph, outputSqnr: wanted);
        Assert.NotEmpty(cache.FloatLayers);
        Assert.True(cache.OutputSqnr is null || cache.OutputSqnr >= wanted);
        RecordingReport report = new();
        Quantizer.Quantize(graph, cache, new QuantizeOptions(), report);
        Assert.Contains(report.Warnings, w => w.Contains("sensitive", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("<opset 9> x: Float32[2,3,4] -> y { y = Softmax{axis = 1}(x) }")]
    [InlineData("<opset 9> x: Float32[2,3,4] -> y { y = Softmax{axis = 2}(x) }")]
    [InlineData("<opset 7> x: Float32[2,3,4,5] -> y { s = Squeeze{axes = [0]}(z); z = Slice{starts = [1], ends = [2], axes = [0]}(x); y = Unsqueeze{axes = [1]}(s) }")]
    [InlineData("<opset 9> x: Float32[2,4,3] -> y { a, b = Split{axis = 1, split = [1,3]}(x); y = ReduceSum{axes = [1], keepdims = 0}(b) }")]
    [InlineData("<opset 7> x: Float32[1,2,4,4] -> y { u = Upsample{mode = \"nearest\", scales = [1.0,1.0,2.0,2.0]}(x); y = Clip{min = -0.5, max = 0.5}(u) }")]
    [InlineData("<opset 9> x: Float32[1,2,4,4] -> y { s = Float32[4] [1.0,1.0,2.0,2.0]; u = Upsample{mode = \"linear\"}(x, s); y = Pad{pads = [0,0,1,1,0,0,1,1], value = 0.25}(u) }")]
    [InlineData("<opset 10> x: Float32[1,2,4,4] -> y { s = Float32[4] [1.0,1.0,1.5,1.5]; u = Resize{mode = \"nearest\"}(x, s); y = Dropout{ratio = 0.5}(u) }")]
    [InlineData("<opset 8> x: Float32[3,5] -> y { y, i = TopK{k = 2}(x) }")]
    public void A_raised_opset_computes_the_same(string text)
    {
        // The text form keeps order free within a line only as the graph does.
        OnnxGraph graph = GraphText.Parse(text.Replace("s = Squeeze{axes = [0]}(z); z = Slice{starts = [1], ends = [2], axes = [0]}(x)", "z = Slice{starts = [1], ends = [2], axes = [0]}(x); s = Squeeze{axes = [0]}(z)", StringComparison.Ordinal));
        OnnxGraph raised = graph.Copy();
        Assert.True(OpsetUplift.Apply(raised));
        Assert.Equal(13, raised.OnnxOpset);
        Dictionary<string, TensorData> inputs = Inputs(graph);
        Assert.True(Run(graph, inputs)["y"].ContentEquals(Run(raised, inputs)["y"]));
    }
}
