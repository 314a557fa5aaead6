using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Tests.Passes;

/// <summary>What one guard alone keeps from being rewritten or fused; tools/MutateGuards names guards that no test misses.</summary>
public sealed class GuardTests
{
    private const string Mean = "two = Float32 2.0; eps = Float32 1e-5; ";

    [Theory]
    // Other types, shapes, steps, axes; constants that are results; axes that are dropped.
    [InlineData("x: Float32[2] -> y { c = Cast{to=7}(x); y = Neg(c) }", "remove-no-op-cast")]
    [InlineData("x: Float32[2,3] -> y { s = Int64[2] [3,2]; r = Reshape(x, s); y = Relu(r) }", "remove-no-op-reshape")]
    [InlineData("x: Float32[2,3] -> y { s = Int64[1] [-1]; r = Reshape(x, s); y = Relu(r) }", "remove-no-op-reshape")]
    [InlineData("x: Float32[4,3] -> y { a = Int64[1] [0]; e = Int64[1] [9223372036854775807]; d = Int64[1] [0]; t = Int64[1] [2]; s = Slice(x, a, e, d, t); y = Relu(s) }", "remove-no-op-slice")]
    [InlineData("a: Float32[3,3], b: Float32[3,3] -> z { c = Concat(a, b){axis=1}; s = Int64[1] [0]; e = Int64[1] [3]; x = Int64[1] [0]; y = Slice(c, s, e, x); z = Relu(y) }", "remove-slice-of-concat")]
    [InlineData("x: Float32[2,3,4] -> y { t = Transpose(x){perm=[1,0,2]}; r = ReduceMean(t){axes=[2], keepdims=0}; u = Transpose(r){perm=[1,0]}; y = Relu(u) }", "push-transposes")]
    [InlineData("x: Float32[2,3] -> y { t = Transpose(x){perm=[1,0]}; r = Relu(t); y = Softmax(r){axis=0} }", "push-transposes")]
    [InlineData("x: Float32[2,3,2] -> y { w = Float32[2,4] random(1); t = Transpose(x){perm=[1,0,2]}; y = MatMul(t, w) }", "fold-transpose-into-matmul")]
    [InlineData("x: Float32[2] -> y { r = Relu(x); n = Neg(r); y = Relu(n) }", "merge-consecutive-clips")]
    [InlineData("x: Float32[1,2,5,5] -> y { w = Float32[3,2,3,3] random(1); c = Conv(x, w); b = Float32[3] random(2); s = Add(c, b); y = Relu(s) }", "fold-bias-into-conv")]
    [InlineData("x: Float32[1,2,5,5] -> y { w = Float32[3,2,3,3] random(1); c = Conv(x, w); b = Float32[3,1,3] random(2); s = Mul(c, b); y = Relu(s) }", "fold-scale-into-conv")]
    [InlineData("x: Float32[2,3] -> y { n = Neg(x); b = Float32[3] random(2); s = Add(n, b); y = Relu(s) }", "fold-bias-into-conv")]
    public void Stays(string graph, string pass) => Rewriting.AssertUntouched(graph, "infer-shapes", pass);

    [Fact]
    public void A_Dropout_in_training_stays() => Assert.Contains("Dropout", TestGraphs.Nodes(GraphOptimizer.Optimize(
        TestGraphs.Parse("x: Float32[64] -> y { r = Float32 0.5; t = Bool true; d = Dropout(x, r, t); y = Relu(d) }"), new OptimizeOptions(), Report.None, CancellationToken.None)), StringComparison.Ordinal);

    [Theory]
    // Another bound, another slope; weights that are none; statistics over other axes; a mean that is no square's.
    [InlineData("x: Float32[2] -> y { three = Float32 3.0; lo = Float32 0.0; hi = Float32 5.0; six = Float32 6.0; a = Add(x, three); c = Clip(a, lo, hi); m = Mul(x, c); y = Div(m, six) }", "HardSwish")]
    [InlineData("x: Float32[2] -> y { three = Float32 3.0; lo = Float32 0.0; hi = Float32 5.0; six = Float32 6.0; a = Add(x, three); c = Clip(a, lo, hi); y = Div(c, six) }", "HardSigmoid")]
    [InlineData("x: Float32[2] -> y { h = HardSigmoid(x){alpha=0.2}; y = Mul(x, h) }", "HardSwish")]
    [InlineData("x: Float32[1,4,5,5], w: Float32[4,2,1,1] -> y { v = Float32[2,4,1,1] random(1); g = GlobalAveragePool(x); a = Conv(g, v); r = Relu(a); b = Conv(r, w); s = Sigmoid(b); y = Mul(x, s) }", "SqueezeExcite")]
    [InlineData("x: Float32[4,8] -> y { " + Mean + "w = Float32[8] random(1); p = Mul(x, x); v = ReduceMean(p){axes=[0]}; e = Add(v, eps); s = Sqrt(e); n = Div(x, s); y = Mul(n, w) }", "RmsNorm")]
    [InlineData("x: Float32[4,8] -> y { " + Mean + "m = ReduceMean(x){axes=[1]}; d = Sub(x, m); p = Mul(d, d); v = ReduceMean(p){axes=[0]}; e = Add(v, eps); s = Sqrt(e); y = Div(d, s) }", "LayerNorm")]
    [InlineData("x: Float32[1,4,3,5] -> y { i = Int64[3] [1,2,-1]; o = Int64[4] [1,4,3,5]; b = Float32[2] zeros; s = Float32[2] ones; g = Float32[4,1,1] random(1); r = Reshape(x, i); n = InstanceNormalization(r, s, b); y = Reshape(n, o) }", "GroupNorm")]
    [InlineData("x: Float32[2,8] -> y { a = Int64[2] [0,1]; m = ReduceMax(x){axes=[0,1]}; d = Sub(x, m); e = Exp(d); s = ReduceSum(e, a); y = Div(e, s) }", "Softmax")]
    [InlineData("x: Float32[4,8] -> y { " + Mean + "w = Float32[4,1] random(1); b = Float32[4,1] random(2); m = ReduceMean(x){axes=[1]}; d = Sub(x, m); p = Pow(d, two); v = ReduceMean(p){axes=[1]}; e = Add(v, eps); s = Sqrt(e); n = Div(d, s); g = Mul(n, w); y = Add(g, b) }", "InstanceNorm")]
    public void Does_not_fuse(string graph, string pattern)
    {
        OnnxGraph before = TestGraphs.Parse(graph), fused = LayerFusion.Fuse(before, new FusionOptions(), Report.None, CancellationToken.None);
        Assert.DoesNotContain(fused.FusionReport, r => r.Fused && r.Pattern == pattern);
        Rewriting.AssertSameResults(before, fused);
    }

    /// <summary>Alone, without the pattern that would take it before.</summary>
    [Fact]
    public void A_normalization_over_the_last_axis_is_none_across()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[4,8] -> y { " + Mean + "m = ReduceMean(x){axes=[1]}; d = Sub(x, m); p = Mul(d, d); v = ReduceMean(p){axes=[1]}; e = Add(v, eps); s = Sqrt(e); y = Div(d, s) }");
        OnnxGraph fused = LayerFusion.Fuse(graph, new FusionOptions { Pattern = ["LayerNormAcross"] }, Report.None, CancellationToken.None);
        Assert.DoesNotContain(fused.FusionReport, r => r.Fused);
    }

    [Theory]
    // A sum with another result is a residual; with a constant, a bias.
    [InlineData("x: Float32[1,2,5,5], r: Float32[1,3,3,3] -> y { w = Float32[3,2,3,3] random(1); c = Conv(x, w); s = Add(c, r); y = Relu(s) }", "y = trt.tools::ConvAddRelu(x, w, r)")]
    [InlineData("x: Float32[2,3], r: Float32[2,4] -> y { w = Float32[3,4] random(1); b = Float32[2,4] random(3); c = MatMul(x, w); s = Add(c, b); t = Add(s, r); y = Relu(t) }", "y = trt.tools::MatMulBiasAddRelu(x, w, b, r)")]
    // A slope per element that only the run knows is no activation's parameter.
    [InlineData("x: Float32[1,2,5,5], r: Float32[3,1,1] -> y { w = Float32[3,2,3,3] random(1); c = Conv(x, w); y = PRelu(c, r) }", "c = Conv(x, w); y = PRelu(c, r)")]
    public void Sums_and_activations_are_told_apart(string graph, string expected)
    {
        OnnxGraph before = TestGraphs.Parse(graph), fused = LayerFusion.Fuse(before, new FusionOptions(), Report.None, CancellationToken.None);
        Assert.Equal(expected, TestGraphs.Nodes(fused));
        Rewriting.AssertSameResults(before, fused);
    }

    [Theory]
    [InlineData("x: Float32[1,3,5,5] -> y { a = Float32[3] ones; b = Float32[3] zeros; r = Relu(x); y = BatchNormalization(r, a, b, b, a) }", "which has no weights to fold into")]
    [InlineData("x: Float32[1,3,5,5] -> y { a = Float32[3] ones; b = Float32[3] zeros; y = BatchNormalization(x, a, b, b, a) }", "it reads a graph input")]
    [InlineData("x: Float32[1,2,5,5], w: Float32[3,2,3,3] -> y { a = Float32[3] ones; b = Float32[3] zeros; c = Conv(x, w); y = BatchNormalization(c, a, b, b, a) }", "are not constant")]
    [InlineData("x: Float32[1,2,5,5] -> y, c { w = Float32[3,2,3,3] random(1); a = Float32[3] ones; b = Float32[3] zeros; c = Conv(x, w); y = BatchNormalization(c, a, b, b, a) }", "'c' is a graph output")]
    public void A_BatchNormalization_that_stays_says_why(string graph, string reason)
    {
        OnnxGraph fused = LayerFusion.Fuse(TestGraphs.Parse(graph), new FusionOptions(), Report.None, CancellationToken.None);
        FusionRecord record = Assert.Single(fused.FusionReport, r => r.Pattern == "ConvBatchNorm");
        Assert.False(record.Fused);
        Assert.Contains(reason, record.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folded_BatchNormalization_is_reported_once()
    {
        OnnxGraph fused = LayerFusion.Fuse(TestGraphs.Parse("x: Float32[1,2,5,5] -> y { w = Float32[3,2,3,3] random(1); a = Float32[3] ones; b = Float32[3] zeros; c = Conv(x, w); d = BatchNormalization(c, a, b, b, a); y = Relu(d) }"), new FusionOptions(), Report.None, CancellationToken.None);
        Assert.Single(fused.FusionReport, r => r is { Pattern: "ConvBatchNorm", Fused: true });
        Assert.DoesNotContain(fused.FusionReport, r => r is { Pattern: "ConvBatchNorm", Fused: false });
    }
}
