using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Passes;
using TrtTools.Quantization;
using TrtTools.Tensors;
using TrtTools.Tests.Lowering;

namespace TrtTools.Tests.Quantization;

/// <summary>What -Int8 makes of whole networks for a GPU: which tensors are integers, which layers are one region, and that the program computes what ONNX Runtime computes of Q/DQ.</summary>
public sealed class QuantizedNetworkTests
{
    private static readonly LoweringOptions s_half = new() { FloatStorage = DataType.Float16, ChannelsLast = true, Strict = true };

    private static OnnxGraph Quantize(string text, out OnnxGraph graph)
    {
        graph = GraphOptimizer.Optimize(TestGraphs.Parse(text), new OptimizeOptions(), Report.None, CancellationToken.None);
        CalibrationCache cache = Calibrator.Calibrate(graph, InputSources.Synthetic(InputInfo.Of(graph), 4), new CalibrationOptions { OutputSqnr = 0 }, Report.None, TestContext.Current.CancellationToken);
        return Quantizer.Quantize(graph, cache, new QuantizeOptions { SqnrThreshold = 0, ForDevice = true, FloatResults = true }, Report.None);
    }

    private static IReadOnlyDictionary<string, TensorData> Run(OnnxGraph graph, IReadOnlyDictionary<string, TensorData> inputs)
    {
        // Without it ONNX Runtime's integer sums overflow on processors without VNNI.
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Optimization = OrtOptimization.None, Configuration = [new("session.x64quantprecision", "1")] });
        return session.Run(inputs);
    }

    private static string Plain(Region region) => $"{region.Kind} {string.Join(" + ", region.Operators.Split(" + ").Where(o => o is not ("Identity" or "Transpose" or "Flatten")))} -> {region.Nests[^1].Target.Type}";

    [Fact]
    public void A_residual_network_hands_on_integers_and_nothing_else()
    {
        OnnxGraph quantized = Quantize(ResidualNetwork.Text(32, 16, [1, 2], 10, "2"), out _);
        LoweredProgram program = GraphLowering.Lower(quantized, s_half, Report.None, TestContext.Current.CancellationToken);
        const string layer = "Convolution Conv + Relu + QuantizeLinear -> Int8", skip = "Convolution Conv + QuantizeLinear -> Int8", sum = "Convolution Conv + DequantizeLinear + Add + Relu + QuantizeLinear -> Int8";
        Region[] regions = [.. program.Steps.Cast<RegionStep>().Select(s => s.Region)];
        // The stem reads the image as it comes; the layer of classes reads and multiplies half precision.
        Assert.Equal([layer, "Pool MaxPool -> Int8", layer, layer, skip, sum, layer, layer, skip, sum, layer, layer, sum, "Reduce DequantizeLinear + GlobalAveragePool -> Float16", "MatMul Gemm -> Float32"], regions.Select(Plain));
        // Between stem and pooling every tensor stands channels last.
        Assert.All(regions[..13], r => Assert.Equal(1L, r.Nests[^1].Target.Strides[1].Value));
        foreach (ConvolutionFacts facts in regions[2..13].Select(r => r.Facts).Cast<ConvolutionFacts>()) Assert.Equal((DataType.Int8, DataType.Int8), (facts.Input.Type, facts.Weight.Type));
        ConvolutionFacts stem = Assert.IsType<ConvolutionFacts>(regions[0].Facts);
        Assert.Equal((DataType.Float32, DataType.Float16), (stem.Input.Type, stem.Weight.Type));
        // A pool of integers reads integers and compares them.
        Assert.Equal(DataType.Int8, Ex.Loads(regions[1].Nests[0].Body).Single().Source.Type);
        Assert.Equal(ScalarType.Int64, regions[1].Nests[0].Body!.Type);
        // Of a sum's two terms one is read as integers, and the sums of the layer itself are never rounded before.
        foreach (Region residual in regions.Where(r => r.Operators.Contains("Add", StringComparison.Ordinal)))
        {
            Assert.Single(Ex.Parts(residual.Nests[0].Result).OfType<ConvertExpr>(), c => c.Target == DataType.Int8);
            Assert.Single(Ex.Loads(residual.Nests[0].Result), l => l.Source.Type == DataType.Int8 && l.Source.Rank == 4);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_residual_network_computes_what_its_graph_says(bool half)
    {
        OnnxGraph quantized = Quantize(ResidualNetwork.Text(32, 16, [1, 2], 10, "2"), out OnnxGraph graph);
        Dictionary<string, TensorData> inputs = InputInfo.Of(graph).ToDictionary(i => i.Name, i => SyntheticData.Create(i.Name, i.DataType, [.. i.Shape!], 9).Content, StringComparer.Ordinal);
        double[] plain = Run(graph, inputs)["y"].ToDouble(), expected = Run(quantized, inputs)["y"].ToDouble();
        LoweredProgram program = GraphLowering.Lower(quantized, half ? s_half : s_half with { FloatStorage = DataType.Float32 }, Report.None, TestContext.Current.CancellationToken);
        double[] actual = new TrtTools.Lowering.Reference.ReferenceDevice(program).Run(inputs)["y"].ToDouble();
        double scale = expected.Max(Math.Abs);
        // What quantizing costs is far more than what the lowered program differs by: a rounding that falls to the other side now and then.
        Assert.True(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max() < 0.02 * scale);
        Assert.True(plain.Zip(actual, (a, b) => Math.Abs(a - b)).Max() < 0.1 * scale);
        Assert.True(plain.Zip(expected, (a, b) => Math.Abs(a - b)).Max() > 1e-3 * scale);
    }

    [Theory]
    [InlineData("s2 = Float32 0.02", true)]
    [InlineData("s2 = Float32 0.03", false)]
    public void A_pool_compares_integers_where_both_sides_have_one_scale(string other, bool integers)
    {
        string text = $$"""
            x: Float32[2,4,8,8] -> y {
              s1 = Float32 0.02; {{other}}; z = Int8 0; w = Int8[4,4,1,1] random(3); n = Float32 0.01
              q = QuantizeLinear(x, s1, z); d = DequantizeLinear(q, s1, z); p = MaxPool{kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]}(d); q2 = QuantizeLinear(p, s2, z); d2 = DequantizeLinear(q2, s2, z); e = DequantizeLinear(w, n, z); y = Conv(d2, e)
            }
            """;
        LoweringCheck.Equal(text, 1e-2);
        LoweredProgram program = GraphLowering.Lower(TestGraphs.Parse(text), s_half, Report.None, TestContext.Current.CancellationToken);
        Region pool = program.Steps.OfType<RegionStep>().Select(s => s.Region).Single(r => r.Kind == RegionKind.Pool);
        Assert.Equal(integers, pool.Nests[0].Body!.Type == ScalarType.Int64);
    }

    [Fact]
    public void Layers_for_which_tensor_cores_have_no_integers_stay_in_floating_point()
    {
        OnnxGraph quantized = Quantize("""
            x: Float32[1,3,16,16] -> y {
              w1 = Float32[16,3,3,3] random(1); w2 = Float32[16,1,3,3] random(2); w3 = Float32[32,16,1,1] random(3); w4 = Float32[8,32] random(4)
              a = Conv{pads=[1,1,1,1]}(x, w1); b = Relu(a); c = Conv{pads=[1,1,1,1], group=16}(b, w2); d = Relu(c); e = Conv(d, w3); f = Relu(e); g = GlobalAveragePool(f); h = Flatten(g); y = Gemm{transB=1}(h, w4)
            }
            """, out _);
        Node[] integers = [.. quantized.Body.Nodes.Where(n => (n.Is("Conv") || n.Is("Gemm")) && n.Input(1)!.Producer is { } p && p.Is("DequantizeLinear"))];
        Assert.Equal("e", Assert.Single(integers).Output()!.Name);
        // Only what that layer reads is quantized.
        Assert.Equal("d", Assert.Single(quantized.Body.Nodes, n => n.Is("QuantizeLinear")).Input(0)!.Name);
        Assert.Contains("few channels", quantized.History[^1].Parameters, StringComparison.Ordinal);
    }
}
