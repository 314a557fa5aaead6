using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Tests.Passes;

public sealed class FusionTests
{
    private const string Gelu = "k = Float32 1.4142135; o = Float32 1.0; h = Float32 0.5; a = Div(g, k); b = Erf(a); c = Add(b, o); d = Mul(g, c)";
    private const string Norm = "two = Float32 2.0; eps = Float32 1e-5; m = ReduceMean(x){axes=[-1]}; d = Sub(x, m); p = Pow(d, two); v = ReduceMean(p){axes=[-1]}; e = Add(v, eps); s = Sqrt(e); n = Div(d, s)";
    private const string Weights = "w = Float32[4,3,3,3] random(1); wb = Float32[4] random(2)";

    public static TheoryData<string, string> Fusions => new()
    {
        { "x: Float32[1,3,8,8] -> y { " + Weights + "; c = Conv(x, w, wb); y = Relu(c) }", "y = trt.tools::ConvBiasRelu(x, w, wb)" },
        { "x: Float32[1,3,8,8] -> y { " + Weights + "; c = Conv(x, w); lo = Float32 0.0; hi = Float32 6.0; y = Clip(c, lo, hi) }", "y = trt.tools::ConvClip(x, w){c0=0.0, c1=6.0}" },
        { "x: Float32[1,3,8,8], r: Float32[1,4,6,6] -> y { " + Weights + "; c = Conv(x, w, wb); a = Add(c, r); y = Relu(a) }", "y = trt.tools::ConvBiasAddRelu(x, w, wb, r)" },
        { "x: Float32[1,3,8,8] -> y { " + Weights + "; c = Conv(x, w, wb); s = Sigmoid(c); y = Mul(c, s) }", "y = trt.tools::ConvBiasSilu(x, w, wb)" },
        { "x: Float32[1,3,8,8] -> y { " + Weights + "; c = Conv(x, w, wb); t = Float32 3.0; z = Float32 0.0; u = Float32 6.0; a = Add(c, t); b = Clip(a, z, u); d = Mul(c, b); y = Div(d, u) }",
            "y = trt.tools::ConvBiasHardSwish(x, w, wb){c0=3.0, c1=0.0, c2=6.0}" },
        { "x: Float32[1,4,8,8] -> y { w = Float32[4,2,3,3] random(1); c = ConvTranspose(x, w); y = LeakyRelu(c){alpha=0.1} }", "y = trt.tools::ConvTransposeLeakyRelu(x, w)" },
        { "x: Float32[2,3] -> y { w = Float32[3,4] random(1); b = Float32[4] random(2); c = Gemm(x, w, b); y = Tanh(c) }", "y = trt.tools::GemmBiasTanh(x, w, b)" },
        { "x: Float32[1,2,3] -> y { w = Float32[3,4] random(1); wb = Float32[4] random(2); q = MatMul(x, w); g = Add(q, wb); " + Gelu + "; y = Mul(d, h) }",
            "y = trt.tools::MatMulBiasGelu(x, w, wb){c0=1.4142135, c1=1.0, c2=0.5}" },
        { "g: Float32[2,3] -> y { " + Gelu + "; y = Mul(d, h) }", "y = trt.tools::Gelu(g){c0=1.4142135, c1=1.0, c2=0.5}" },
        { "x: Float32[2,8] -> y { " + Norm + "; w = Float32[8] random(1); wb = Float32[8] random(2); t = Mul(n, w); y = Add(t, wb) }", "y = trt.tools::LayerNorm(x, w, wb){c0=2.0, c1=1e-05}" },
        { "x: Float32[2,8] -> y { two = Float32 2.0; eps = Float32 1e-5; p = Pow(x, two); v = ReduceMean(p){axes=[-1]}; e = Add(v, eps); s = Sqrt(e); n = Div(x, s); w = Float32[8] random(1); y = Mul(n, w) }",
            "y = trt.tools::RmsNorm(x, w){c0=2.0, c1=1e-05}" },
        { "x: Float32[2,8] -> y { m = ReduceMax(x){axes=[-1]}; d = Sub(x, m); e = Exp(d); a = Int64[1] [-1]; s = ReduceSum(e, a); y = Div(e, s) }", "y = trt.tools::Softmax(x){c0=[-1]}" },
        { "q: Float32[1,2,4,8], k: Float32[1,2,8,4], v: Float32[1,2,4,8], m: Float32[1,1,4,4] -> y { c = Float32 2.83; s = MatMul(q, k); d = Div(s, c); a = Add(d, m); p = Softmax(a){axis=-1}; y = MatMul(p, v) }",
            "y = trt.tools::Attention(q, k, m, v){c0=2.83}" },
        { "x: Float32[2,3], b: Float32[2,3] -> y { a = Mul(x, b); y = Sub(a, b) }", "y = trt.tools::PointwiseChain_MulSub(x, b)" },
        // What another node reads leaves the group as a second output.
        { "x: Float32[2,3], b: Float32[2,3] -> y, z { a = Mul(x, b); y = Sub(a, b); z = Softmax(a){axis=-1} }", "a, y = trt.tools::PointwiseChain_MulSub(x, b); z = Softmax(a){axis=-1}" },
        { "x: Float32[1,3,8,8] -> y { s = Float32 0.02; z = Int8 0; w = Int8[4,3,3,3] random(1); ws = Float32[4] [0.1,0.2,0.3,0.4]; wz = Int8[4] zeros; "
            + "q = QuantizeLinear(x, s, z); d = DequantizeLinear(q, s, z); e = DequantizeLinear(w, ws, wz){axis=0}; c = Conv(d, e); r = Relu(c); y = QuantizeLinear(r, s, z) }",
            "q = QuantizeLinear(x, s, z); y = trt.tools::QuantizedConvRelu(q, w, ws, wz){c0=0.02, c1=Int8 0}" },
    };

    [Theory, MemberData(nameof(Fusions))]
    public void Fuses(string graph, string expected)
    {
        OnnxGraph before = TestGraphs.Parse(graph);
        OnnxGraph fused = Fuse(before);
        Assert.Equal(expected, TestGraphs.Nodes(fused));
        Assert.All(fused.Body.Nodes.Where(n => n.Domain == OnnxGraph.FusionDomain), n => Assert.NotEmpty(n.SourceNodes));
        Assert.Contains(fused.FusionReport, r => r.Fused);
        Rewriting.AssertSameResults(before, fused);
        OnnxGraph expanded = FunctionExpansion.Expand(fused);
        Assert.Empty(expanded.FunctionTable);
        Rewriting.AssertSameResults(before, expanded);
        // The fused model goes to a file and back, and is the same.
        Assert.Equal(TestGraphs.Nodes(fused), TestGraphs.Nodes(Fuse(fused)));
    }

    [Fact]
    public void Expanding_gives_back_names_types_and_order()
    {
        foreach (string graph in Fusions.Select(f => (string)f.Data.Item1))
        {
            OnnxGraph plain = FunctionExpansion.Expand(Fuse(TestGraphs.Parse(graph), new FusionOptions { Pattern = ["ConvBatchNorm"] }));
            OnnxGraph expanded = FunctionExpansion.Expand(Fuse(TestGraphs.Parse(graph)));
            Assert.Equal(Canonical(plain), Canonical(expanded));
        }
    }

    [Theory]
    [InlineData("x: Float32[1,3,8,8] -> y, z { " + Weights + "; c = Conv(x, w); y = Relu(c); z = Softmax(c){axis=1} }", "'c' is also read by 'z'")]
    [InlineData("x: Float32[1,3,8,8] -> y, c { " + Weights + "; c = Conv(x, w); y = Relu(c) }", "'c' is a graph output")]
    [InlineData("x: Float32[1,3,8,8], t: Float32[4,1,1] -> y { " + Weights + "; c = Conv(x, w); y = PRelu(c, t) }", "'t' is not constant")]
    [InlineData("x: Float32[1,3,8,8], r: Float32[2,4,6,6] -> y { " + Weights + "; c = Conv(x, w); a = Add(c, r); y = Softmax(a){axis=1} }", "the shapes of 'c' and 'a' are not known to be equal")]
    [InlineData("x: Float32[2,8] -> y, v { " + Norm + "; w = Float32[8] random(1); y = Mul(n, w) }", "'v' is a graph output")]
    public void A_near_miss_is_reported_with_its_reason(string graph, string reason)
    {
        OnnxGraph before = TestGraphs.Parse(graph);
        OnnxGraph fused = Fuse(before);
        Assert.Contains(fused.FusionReport, r => !r.Fused && r.Reason.Contains(reason, StringComparison.Ordinal));
        Rewriting.AssertSameResults(before, fused);
    }

    [Fact]
    public void A_path_that_leaves_a_chain_and_comes_back_keeps_it_apart()
    {
        OnnxGraph before = TestGraphs.Parse("x: Float32[2,3] -> y { a = Exp(x); s = Softmax(a){axis=-1}; y = Mul(a, s) }");
        OnnxGraph fused = Fuse(before);
        Assert.Equal("a = Exp(x); s = Softmax(a){axis=-1}; y = Mul(a, s)", TestGraphs.Nodes(fused));
        Assert.Contains(fused.FusionReport, r => !r.Fused && r.Reason.Contains("leaves the group", StringComparison.Ordinal));
    }

    [Fact]
    public void Equal_bodies_share_one_function_and_others_get_their_own()
    {
        OnnxGraph fused = Fuse(TestGraphs.Parse("x: Float32[1,4,8,8] -> y { w = Float32[4,4,3,3] random(1); v = Float32[4,4,3,3] random(2); a = Conv(x, w){pads=[1,1,1,1]}; b = Relu(a); "
            + "c = Conv(b, v){pads=[1,1,1,1]}; d = Relu(c); e = Conv(d, w); y = Relu(e) }"));
        Assert.Equal("b = trt.tools::ConvRelu(x, w); d = trt.tools::ConvRelu(b, v); y = trt.tools::ConvRelu_2(d, w)", TestGraphs.Nodes(fused));
        Assert.Equal(["trt.tools::ConvRelu", "trt.tools::ConvRelu_2"], fused.Functions);
    }

    [Fact]
    public void A_reader_between_the_groups_nodes_moves_behind_the_call()
    {
        OnnxGraph before = TestGraphs.Parse("x: Float32[2,3], b: Float32[2,3] -> y, z { a = Mul(x, b); z = Softmax(a){axis=-1}; y = Sub(a, b) }");
        OnnxGraph fused = Fuse(before);
        Assert.Equal("a, y = trt.tools::PointwiseChain_MulSub(x, b); z = Softmax(a){axis=-1}", TestGraphs.Nodes(fused));
        Rewriting.AssertSameResults(before, fused);
    }

    [Fact]
    public void Layers_in_branches_fuse_there()
    {
        OnnxGraph before = TestGraphs.Parse("c: Bool[], x: Float32[1,3,8,8] -> y { " + Weights + "; y = If(c){then_branch=() -> t { d = Conv(x, w); t = Relu(d) }, else_branch=() -> e { f = Conv(x, w); e = Sigmoid(f) }} }");
        OnnxGraph fused = Fuse(before);
        Assert.Equal(["trt.tools::ConvRelu", "trt.tools::ConvSigmoid"], fused.Functions);
        Rewriting.AssertSameResults(before, fused);
    }

    [Fact]
    public void Batch_normalization_is_folded_and_reported()
    {
        const string Text = "x: Float32[1,3,8,8] -> y { " + Weights + "; s = Float32[4] random(3); b = Float32[4] random(4); m = Float32[4] random(5); v = Float32[4] ones; c = Conv(x, w); n = BatchNormalization(c, s, b, m, v); y = Relu(n) }";
        OnnxGraph fused = Fuse(TestGraphs.Parse(Text));
        Assert.Equal("y = trt.tools::ConvBiasRelu(x, w_scaled, c_bias_folded)", TestGraphs.Nodes(fused));
        Assert.Contains(fused.FusionReport, r => r is { Fused: true, Pattern: "ConvBatchNorm" });
        Assert.Equal(["c", "n", "y"], fused.Body.First!.SourceNodes);
        OnnxGraph kept = Fuse(TestGraphs.Parse(Text), new FusionOptions { Exclude = ["convbatchnorm"] });
        Assert.Contains("BatchNormalization", TestGraphs.Nodes(kept), StringComparison.Ordinal);
    }

    [Fact]
    public void Patterns_are_chosen_by_name_and_a_wrong_name_is_told_the_nearest()
    {
        const string Text = "x: Float32[1,3,8,8] -> y { " + Weights + "; c = Conv(x, w); r = Relu(c); e = Exp(r); y = Neg(e) }";
        Assert.Equal("c = Conv(x, w); y = trt.tools::PointwiseChain_ReluExpNeg(c)", TestGraphs.Nodes(Fuse(TestGraphs.Parse(Text), new FusionOptions { Pattern = ["PointwiseChain"] })));
        Assert.Equal("r = trt.tools::ConvRelu(x, w); e = Exp(r); y = Neg(e)", TestGraphs.Nodes(Fuse(TestGraphs.Parse(Text), new FusionOptions { Exclude = ["pointwisechain"] })));
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Fuse(TestGraphs.Parse(Text), new FusionOptions { Pattern = ["Atention"] }));
        Assert.Equal(ErrorCode.PatternUnknown, error.Code);
        Assert.Contains("'Attention'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fused_model_survives_a_file()
    {
        using TestFolder folder = new();
        OnnxGraph before = TestGraphs.Parse(Fusions.First().Data.Item1);
        string path = folder.File("fused.onnx");
        OnnxFile.Export(Fuse(before), path, new ExportOptions(), Report.None, CancellationToken.None);
        OnnxGraph read = OnnxFile.Import(path, Report.None, CancellationToken.None);
        Assert.Equal("y = trt.tools::ConvBiasRelu(x, w, wb)", TestGraphs.Nodes(read));
        Rewriting.AssertSameResults(before, read);
        Rewriting.AssertSameResults(before, FunctionExpansion.Expand(read));
    }

    private static OnnxGraph Fuse(OnnxGraph graph, FusionOptions? options = null) => LayerFusion.Fuse(graph, options ?? new FusionOptions(), Report.None, CancellationToken.None);

    /// <summary>Nodes with names and types, the ones that do not depend on each other in any order.</summary>
    private static IEnumerable<string> Canonical(OnnxGraph graph) =>
        graph.Body.NodesWithSubgraphs.Select(n => $"{n.Name}: {n} {string.Join(", ", n.Outputs.Select(o => o?.Type?.ToString()))} from {string.Join(",", n.SourceNodes)}").Order(StringComparer.Ordinal);
}
