using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Tests.Passes;

/// <summary>Each composite where it fuses, and next to that.</summary>
public sealed class CompositeTests
{
    private const string Cached = "q: Float32[1,2,1,4], past: Float32[1,2,P,4], k0: Float32[1,2,1,4], pastv: Float32[1,2,P,4], v0: Float32[1,2,1,4], mask: Float32[1,1,1,1] -> y, pk, pv { ";
    private const string Shared = "q: Float32[1,4,3,4], k0: Float32[1,2,3,4], v0: Float32[1,2,3,4] -> y { t = Int64[1] [2]; e = Int64[5] [1,2,2,3,4]; r = Int64[4] [1,4,3,4]; "
        + "ku = Unsqueeze(k0, t); ke = Expand(ku, e); k = Reshape(ke, r); vu = Unsqueeze(v0, t); ve = Expand(vu, e); v = Reshape(ve, r); kt = Transpose(k){perm=[0,1,3,2]}; ";
    private const string Rope = "x: Float32[1,2,3,8], cos: Float32[3,8], sin: Float32[3,8] -> y { a = Int64[1] [0]; h = Int64[1] [4]; e = Int64[1] [8]; d = Int64[1] [3]; ";
    private const string Mean = "two = Float32 2.0; eps = Float32 1e-5; ";

    public static TheoryData<string, string> Fusions => new()
    {
        // The present keys and values are results too.
        { Cached + "pk = Concat(past, k0){axis=2}; pv = Concat(pastv, v0){axis=2}; kt = Transpose(pk){perm=[0,1,3,2]}; s = MatMul(q, kt); c = Float32 2.0; d = Div(s, c); a = Add(d, mask); p = Softmax(a){axis=-1}; y = MatMul(p, pv) }",
            "pk, pv, y = trt.tools::CachedAttention(past, k0, pastv, v0, q, mask){c0=2.0}" },
        { Shared + "s = MatMul(q, kt); p = Softmax(s){axis=3}; y = MatMul(p, v) }", "y = trt.tools::GroupedQueryAttention(k0, v0, q){c0=[2], c1=[1, 2, 2, 3, 4], c2=[1, 4, 3, 4]}" },
        { "q: Float32[1,2,4,8], k: Float32[1,2,8,4], v: Float32[1,2,4,8], m: Float32[1,1,4,4] -> y { c = Float32 0.6; e = Float32 0.5; qs = Mul(q, c); ks = Mul(k, e); s = MatMul(qs, ks); a = Add(s, m); p = Softmax(a){axis=-1}; y = MatMul(p, v) }",
            "y = trt.tools::Attention(q, k, m, v){c0=0.6, c1=0.5}" },
        // Cross attention: the keys' length is another.
        { "q: Float32[1,2,4,8], k: Float32[1,2,8,6], v: Float32[1,2,6,8] -> y { c = Float32 0.35; s = MatMul(q, k); d = Mul(s, c); p = Softmax(d){axis=-1}; y = MatMul(p, v) }", "y = trt.tools::Attention(q, k, v){c0=0.35}" },
        { Rope + "lo = Slice(x, a, h, d); hi = Slice(x, h, e, d); n = Neg(hi); r = Concat(n, lo){axis=-1}; p = Mul(x, cos); q = Mul(r, sin); y = Add(p, q) }", "y = trt.tools::RotaryEmbedding(x, cos, sin){c0=[4, 4]}" },
        { "x: Float32[1,4,3,5] -> y { i = Int64[3] [1,2,-1]; o = Int64[4] [1,4,3,5]; s = Float32[2] ones; b = Float32[2] zeros; g = Float32[4,1,1] random(1); h = Float32[4,1,1] random(2); "
            + "r = Reshape(x, i); n = InstanceNormalization(r, s, b); t = Reshape(n, o); m = Mul(t, g); y = Add(m, h) }", "y = trt.tools::GroupNorm(x, s, b, g, h){c0=[1, 2, -1], c1=[1, 4, 3, 5]}" },
        { "x: Float32[1,4,3,5] -> y { " + Mean + "w = Float32[4,1,1] random(1); b = Float32[4,1,1] random(2); m = ReduceMean(x){axes=[2,3]}; d = Sub(x, m); p = Pow(d, two); v = ReduceMean(p){axes=[2,3]}; e = Add(v, eps); s = Sqrt(e); n = Div(d, s); g = Mul(n, w); y = Add(g, b) }",
            "y = trt.tools::InstanceNorm(x, w, b){c0=2.0, c1=1e-05}" },
        { "x: Float32[1,4,3,5] -> y { " + Mean + "w = Float32[4,1,1] random(1); b = Float32[4,1,1] random(2); m = ReduceMean(x){axes=[1]}; d = Sub(x, m); p = Pow(d, two); v = ReduceMean(p){axes=[1]}; e = Add(v, eps); s = Sqrt(e); n = Div(d, s); g = Mul(w, n); y = Add(b, g) }",
            "y = trt.tools::LayerNormAcross(x, w, b){c0=2.0, c1=1e-05}" },
        { "x: Float32[2,8] -> y { eps = Float32 1e-12; n = ReduceL2(x){axes=[1]}; c = Clip(n, eps); y = Div(x, c) }", "y = trt.tools::L2Normalize(x){c0=1e-12}" },
        { "x: Float32[2,8] -> y { eps = Float32 1e-6; a = Int64[1] [1]; p = Mul(x, x); n = ReduceSum(p, a); e = Add(n, eps); s = Sqrt(e); y = Div(x, s) }", "y = trt.tools::L2Normalize(x){c0=[1], c1=1e-06}" },
        { "x: Float32[2,8] -> y { a = Int64[1] [1]; m = ReduceMax(x){axes=[1]}; d = Sub(x, m); e = Exp(d); s = ReduceSum(e, a); l = Log(s); y = Sub(d, l) }", "y = trt.tools::LogSoftmax(x){c0=[1]}" },
        { "x: Float32[2,3] -> y { o = Float32 1.0; a = Abs(x); b = Add(o, a); y = Div(x, b) }", "y = trt.tools::Softsign(x){c0=1.0}" },
        { "x: Float32[1,2,3] -> y { w = Float32[3,4] random(1); o = Float32 1.0; p = MatMul(x, w); a = Abs(p); b = Add(a, o); y = Div(p, b) }", "y = trt.tools::MatMulSoftsign(x, w){c0=1.0}" },
        { "x: Float32[1,4,5,5] -> y { v = Float32[2,4,1,1] random(1); w = Float32[4,2,1,1] random(2); g = GlobalAveragePool(x); a = Conv(g, v); r = Relu(a); b = Conv(r, w); s = Sigmoid(b); y = Mul(x, s) }", "y = trt.tools::SqueezeExcite(x, v, w)" },
        { "x: Float32[1,3,9,9] -> y { w = Float32[4,3,3,3] random(1); c = Conv(x, w); r = Relu(c); y = MaxPool(r){kernel_shape=[2,2]} }", "y = trt.tools::ConvReluMaxPool(x, w)" },
        { "x: Float32[1,2,3] -> a, b, c { q = Float32[3,4] random(1); k = Float32[3,4] random(2); v = Float32[3,4] random(3); a = MatMul(x, q); b = MatMul(x, k); c = MatMul(x, v) }", "a, b, c = trt.tools::MatMul_x3(x, q, k, v)" },
        { "a: Int8[1,2,4,4], b: Int8[1,2,4,4] -> y { s = Float32 0.02; t = Float32 0.03; u = Float32 0.05; z = Int8 0; d = DequantizeLinear(a, s, z); e = DequantizeLinear(b, t, z); f = Add(d, e); y = QuantizeLinear(f, u, z) }",
            "y = trt.tools::QuantizedAdd(a, b){c0=0.02, c1=Int8 0, c2=0.03, c3=0.05}" },
        { "a: Int8[1,2,4,4] -> y { s = Float32 0.02; z = Int8 0; d = DequantizeLinear(a, s, z); f = MaxPool(d){kernel_shape=[2,2]}; y = QuantizeLinear(f, s, z) }", "y = trt.tools::QuantizedMaxPool(a){c0=0.02, c1=Int8 0}" },
    };

    [Theory, MemberData(nameof(Fusions))]
    public void Fuses(string graph, string expected)
    {
        OnnxGraph before = TestGraphs.Parse(graph);
        OnnxGraph fused = Fuse(before);
        Assert.Equal(expected, TestGraphs.Nodes(fused));
        Rewriting.AssertSameResults(before, fused);
        Rewriting.AssertSameResults(before, FunctionExpansion.Expand(fused));
    }

    [Theory]
    // A scaled score that somebody else reads; along the wrong axis; without the Softmax's last axis.
    [InlineData("CachedAttention", Cached + "pk = Concat(past, k0){axis=2}; pv = Concat(pastv, v0){axis=2}; kt = Transpose(pk){perm=[0,1,3,2]}; s = MatMul(q, kt); c = Float32 2.0; d = Div(s, c); a = Add(d, mask); p = Softmax(a){axis=1}; y = MatMul(p, pv) }", "does not work along the last axis")]
    [InlineData("GroupedQueryAttention", "q: Float32[1,4,3,4], k0: Float32[1,2,3,4], v0: Float32[1,2,3,4] -> y, p { t = Int64[1] [2]; e = Int64[5] [1,2,2,3,4]; r = Int64[4] [1,4,3,4]; ku = Unsqueeze(k0, t); ke = Expand(ku, e); k = Reshape(ke, r); vu = Unsqueeze(v0, t); ve = Expand(vu, e); v = Reshape(ve, r); kt = Transpose(k){perm=[0,1,3,2]}; s = MatMul(q, kt); p = Softmax(s){axis=3}; y = MatMul(p, v) }", "'p' is a graph output")]
    [InlineData("Attention", "q: Float32[1,2,4,8], k: Float32[1,2,8,4], v: Float32[1,2,4,8] -> y { s = MatMul(q, k); p = Softmax(s){axis=2}; y = MatMul(p, v) }", "does not work along the last axis")]
    [InlineData("RotaryEmbedding", Rope + "lo = Slice(x, a, h, d); hi = Slice(x, h, e, d); n = Neg(hi); r = Concat(n, lo){axis=2}; w = Float32[6,1] ones; u = Float32[1,2,3,8] ones; f = Int64[4] [1,2,3,8]; g = Reshape(r, f); p = Mul(x, cos); q = Mul(g, sin); y = Add(p, q) }", null)]
    [InlineData("GroupNorm", "x: Float32[1,4,3,5], s: Float32[2] -> y { i = Int64[3] [1,2,-1]; o = Int64[4] [1,4,3,5]; b = Float32[2] zeros; g = Float32[4,1,1] random(1); r = Reshape(x, i); n = InstanceNormalization(r, s, b); t = Reshape(n, o); y = Mul(t, g) }", "'s' is not constant")]
    [InlineData("LayerNorm", "x: Float32[2,8] -> y { " + Mean + "m = ReduceMean(x){axes=[1]}; d = Sub(x, m); p = Pow(d, two); v = ReduceMean(p){axes=[0]}; e = Add(v, eps); s = Sqrt(e); y = Div(d, s) }", "reduces other axes")]
    [InlineData("L2Normalize", "x: Float32[2,8] -> y { eps = Float32 1e-12; n = ReduceL2(x){axes=[0,1]}; c = Clip(n, eps); y = Div(x, c) }", "several axes")]
    [InlineData("LogSoftmax", "x: Float32[2,8] -> y, d { a = Int64[1] [1]; m = ReduceMax(x){axes=[1]}; d = Sub(x, m); e = Exp(d); s = ReduceSum(e, a); l = Log(s); y = Sub(d, l) }", "'d' is a graph output")]
    [InlineData("SqueezeExcite", "x: Float32[1,4,5,5], v: Float32[2,4,1,1] -> y { w = Float32[4,2,1,1] random(2); g = GlobalAveragePool(x); a = Conv(g, v); r = Relu(a); b = Conv(r, w); s = Sigmoid(b); y = Mul(x, s) }", "'v' is not constant")]
    [InlineData("Softsign", "x: Float32[2,3] -> y { o = Float32 2.0; a = Abs(x); b = Add(a, o); y = Div(x, b) }", null)]
    [InlineData("Softsign", "x: Float32[2,3], z: Float32[2,3] -> y { o = Float32 1.0; a = Abs(z); b = Add(a, o); y = Div(x, b) }", null)]
    [InlineData("Softsign", "x: Float32[2,3] -> y, a { o = Float32 1.0; a = Abs(x); b = Add(a, o); y = Div(x, b) }", "'a' is a graph output")]
    [InlineData("Conv", "x: Float32[1,3,9,9] -> y, r { w = Float32[4,3,3,3] random(1); c = Conv(x, w); r = Relu(c); y = MaxPool(r){kernel_shape=[2,2]} }", "'r' is a graph output")]
    [InlineData("QuantizedStep", "a: Int8[1,2,4,4], b: Float32[1,2,4,4] -> y { s = Float32 0.02; u = Float32 0.05; z = Int8 0; d = DequantizeLinear(a, s, z); f = Add(d, b); y = QuantizeLinear(f, u, z) }", "not all that it reads is dequantized")]
    [InlineData("QuantizedStep", "a: Int8[1,2,4,4] -> y { s = Float32 0.02; z = Int8 0; d = DequantizeLinear(a, s, z); y = MaxPool(d){kernel_shape=[2,2]} }", "what it gives is not quantized")]
    public void A_near_miss_says_why(string pattern, string graph, string? reason)
    {
        OnnxGraph before = TestGraphs.Parse(graph);
        OnnxGraph fused = Fuse(before);
        Assert.DoesNotContain(fused.FusionReport, r => r.Fused && r.Pattern == pattern && r.Reason.Contains("MaxPool", StringComparison.Ordinal));
        if (reason is not null) Assert.Contains(fused.FusionReport, r => !r.Fused && r.Pattern == pattern && r.Reason.Contains(reason, StringComparison.Ordinal));
        else Assert.DoesNotContain(fused.FusionReport, r => r.Fused && r.Pattern == pattern);
        Rewriting.AssertSameResults(before, fused);
    }

    [Fact]
    public void Products_of_different_bodies_are_not_parallel()
    {
        OnnxGraph before = TestGraphs.Parse("c: Bool[], x: Float32[1,2,3] -> a, y { q = Float32[3,3] random(1); k = Float32[3,3] random(2); a = MatMul(x, q); y = If(c){then_branch=() -> t { t = MatMul(x, k) }, else_branch=() -> e { e = Neg(x) }} }");
        OnnxGraph fused = Fuse(before);
        Assert.Empty(fused.Functions);
        Rewriting.AssertSameResults(before, fused);
    }

    [Fact]
    public void Products_that_feed_each_other_are_not_parallel()
    {
        OnnxGraph before = TestGraphs.Parse("x: Float32[1,2,3] -> a, b { q = Float32[3,3] random(1); k = Float32[3,3] random(2); a = MatMul(x, q); b = MatMul(a, k) }");
        Assert.Equal("a = MatMul(x, q); b = MatMul(a, k)", TestGraphs.Nodes(Fuse(before)));
    }

    private static OnnxGraph Fuse(OnnxGraph graph) => LayerFusion.Fuse(graph, new FusionOptions(), Report.None, CancellationToken.None);
}
