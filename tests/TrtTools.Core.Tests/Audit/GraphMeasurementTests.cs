using System.Text.Json;
using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Onnx;

namespace TrtTools.Tests.Audit;

public sealed class GraphMeasurementTests
{
    [Theory]
    // 2 * outputs * (channels per group * kernel)
    [InlineData("x: Float32[1,4,8,8] -> y { k = Float32[6,2,3,3] ones; y = Conv{group=2, pads=[1,1,1,1]}(x, k) }", 2 * 6 * 64 * 2 * 9)]
    [InlineData("x: Float32[1,4,8,8] -> y { k = Float32[6,4,1,1] ones; b = Float32[6] ones; y = Conv(x, k, b) }", (2 * 6 * 64 * 4) + (6 * 64))]
    [InlineData("x: Float32[1,4,8,8] -> y { k = Float32[4,6,2,2] ones; y = ConvTranspose{strides=[2,2]}(x, k) }", 2 * 4 * 64 * 6 * 4)]
    [InlineData("x: Float32[3,5] -> y { w = Float32[7,5] ones; b = Float32[7] ones; y = Gemm{transB=1}(x, w, b) }", (2 * 3 * 5 * 7) + 21)]
    [InlineData("x: Float32[2,3,5], z: Float32[2,5,7] -> y { y = MatMul(x, z) }", 2 * 2 * 3 * 5 * 7)]
    [InlineData("x: Float32[2,3,5], z: Float32[2,5,7] -> y { y = Einsum{equation=\"bij,bjk->bik\"}(x, z) }", 2 * 2 * 3 * 5 * 7)]
    [InlineData("x: Float32[4,5] -> y { y = Relu(x) }", 20)]
    [InlineData("x: Float32[4,5] -> y { y = Transpose(x) }", 0)]
    [InlineData("x: Float32[1,2,8,8] -> y { y = AveragePool{kernel_shape=[2,2], strides=[2,2]}(x) }", 2 * 16 * 4)]
    [InlineData("x: Float32[n,5] -> y { w = Float32[5,7] ones; y = MatMul(x, w) }", 2 * 5 * 7)]
    public void Flops(string text, long expected)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        Assert.Equal(expected, GraphMeasurement.Measure(graph).Flops);
    }

    [Fact]
    public void A_fused_call_costs_what_its_body_costs()
    {
        using OnnxGraph plain = TestGraphs.Parse("x: Float32[3,5], v: Float32[9,5] -> y, z { w = Float32[5,7] ones; a = MatMul(x, w); y = Relu(a); b = MatMul(v, w); z = Relu(b) }");
        using OnnxGraph fused = TestGraphs.Parse("""
            <trt.tools 1> x: Float32[3,5], v: Float32[9,5] -> y, z { w = Float32[5,7] ones; y = trt.tools::MatMulRelu(x, w); z = trt.tools::MatMulRelu(v, w) }
            function trt.tools::MatMulRelu (x, w) -> r { p = MatMul(x, w); r = Relu(p) }
            """);
        Assert.Equal(GraphMeasurement.Measure(plain).Flops, GraphMeasurement.Measure(fused).Flops);
    }

    [Fact]
    public void The_peak_is_where_most_tensors_live()
    {
        // x and a and b at once while Add runs: 3 tensors and its result; c is read last.
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[256] -> y { a = Relu(x); b = Exp(a); c = Add(a, b); d = Add(c, x); y = Neg(d) }");
        Assert.Equal(4 * 1024, GraphMeasurement.Measure(graph).PeakActivationBytes);
    }

    [Fact]
    public void Given_shapes_count_and_open_ones_are_noted()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[batch,4] -> y { w = Float32[4,4] ones; s = Int64[2] [-1,4]; h = MatMul(x, w); y = Reshape(h, s) }");
        GraphSummary open = GraphMeasurement.Measure(graph), eight = GraphMeasurement.Measure(graph, new Dictionary<string, long[]> { ["x"] = [8, 4] });
        Assert.Equal(8 * open.Flops, eight.Flops);
        Assert.Equal(1, open.UnresolvedDimensions);
        Assert.Contains("'batch'", Assert.Single(open.Notes), StringComparison.Ordinal);
        Assert.Equal(0, eight.UnresolvedDimensions);
        Assert.Empty(eight.Notes);
        Assert.Equal(16, open.Parameters);
        Assert.Equal((16 * 4) + 16, open.WeightBytes);
        Assert.Equal("Float32[batch,4]", graph.Body.Find("x")!.Type!.ToString());
        Assert.Null(graph.Body.Find("h")!.Type);
    }

    [Fact]
    public void An_unknown_input_is_named()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[4] -> y { y = Relu(x) }");
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => GraphMeasurement.Measure(graph, new Dictionary<string, long[]> { ["z"] = [4] }));
        Assert.Equal(ErrorCode.InputNotFound, error.Code);
        Assert.Contains("'x'", error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Models => [.. SharedModels.Exists ? SharedModels.Names : [""]];

    [Theory]
    [MemberData(nameof(Models))]
    public void Every_model_is_measured(string name)
    {
        using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
        GraphSummary summary = GraphMeasurement.Measure(graph);
        Assert.True(summary is { Flops: > 0, PeakActivationBytes: > 0, Parameters: > 0 });
        Assert.Equal(summary.NodeCount, summary.Operators.Sum(o => int.Parse(o.Split(": ")[1], System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Contains("\"Model\"", JsonSerializer.Serialize(summary), StringComparison.Ordinal);
        TestContext.Current.SendDiagnosticMessage($"{name}: {summary.Flops:N0} FLOPs, {summary.Parameters:N0} parameters, peak {summary.PeakActivationBytes:N0}, notes {string.Join("; ", summary.Notes)}");
    }
}
