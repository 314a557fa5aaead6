using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Tests.Passes;

/// <summary>Einsum as products, what scales a product's input, and quantization steps around what moves elements.</summary>
public sealed class ProductPassTests
{
    private const string Int8 = "s = Float32 0.02; z = Int8 0; ";

    [Theory]
    [InlineData("a: Float32[2,3], b: Float32[3,4] -> y { y = Einsum{equation=\"ik,kj->ij\"}(a, b) }", "y = MatMul(a, b)")]
    [InlineData("a: Float32[2,3], b: Float32[3,4] -> y { y = Einsum{equation=\"ik,kj\"}(a, b) }", "y = MatMul(a, b)")]
    [InlineData("a: Float32[5,2,3], b: Float32[5,4,3] -> y { y = Einsum{equation=\"bik,bjk->bij\"}(a, b) }", "b_ordered = Transpose(b){perm=[0, 2, 1]}; y = MatMul(a, b_ordered)")]
    [InlineData("a: Float32[5,2,6,3], b: Float32[5,4,6,3] -> y { y = Einsum{equation=\"bqhd,bkhd->bhqk\"}(a, b) }",
        "a_ordered = Transpose(a){perm=[0, 2, 1, 3]}; b_ordered = Transpose(b){perm=[0, 2, 3, 1]}; y = MatMul(a_ordered, b_ordered)")]
    [InlineData("a: Float32[2,3], b: Float32[3,4] -> y { y = Einsum{equation=\"ik,kj->ji\"}(a, b) }", "y_matmul = MatMul(a, b); y = Transpose(y_matmul){perm=[1, 0]}")]
    public void An_Einsum_of_two_matrices_is_a_product(string graph, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, "infer-shapes", "replace-einsum-with-matmul"));

    [Theory]
    // Three operands; a diagonal; a sum of one's own axis; an outer product; two inner axes; an ellipsis; integers; an extent of 1 that Einsum stretches.
    [InlineData("a: Float32[2,3], b: Float32[3,4], c: Float32[4,2] -> y { y = Einsum{equation=\"ij,jk,kl->il\"}(a, b, c) }")]
    [InlineData("a: Float32[3,3,2], b: Float32[2,4] -> y { y = Einsum{equation=\"iik,kj->ij\"}(a, b) }")]
    [InlineData("a: Float32[2,3], b: Float32[3,4] -> y { y = Einsum{equation=\"ik,kj->j\"}(a, b) }")]
    [InlineData("a: Float32[2], b: Float32[4] -> y { y = Einsum{equation=\"i,j->ij\"}(a, b) }")]
    [InlineData("a: Float32[2,3,4], b: Float32[3,4,5] -> y { y = Einsum{equation=\"ikl,klj->ij\"}(a, b) }")]
    [InlineData("a: Float32[2,2,3], b: Float32[2,3,4] -> y { y = Einsum{equation=\"...ik,...kj->...ij\"}(a, b) }")]
    [InlineData("a: Int64[2,3], b: Int64[3,4] -> y { y = Einsum{equation=\"ik,kj->ij\"}(a, b) }")]
    [InlineData("a: Float32[2,3], b: Float32[3] -> y { y = Einsum{equation=\"ik,k->i\"}(a, b) }")]
    [InlineData("a: Float32[5,2,3], b: Float32[1,3,4] -> y { y = Einsum{equation=\"bik,bkj->bij\"}(a, b) }")]
    public void Another_Einsum_stays(string graph) => Rewriting.AssertUntouched(graph, "infer-shapes", "replace-einsum-with-matmul");

    [Theory]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); k = Float32[3] random(2); s = Mul(x, k); y = MatMul(s, w) }", "y = MatMul(x, w_scaled)")]
    [InlineData("x: Float32[5,2,3] -> y { w = Float32[3,4] random(1); k = Float32 2.0; s = Div(x, k); y = MatMul(s, w) }", "y = MatMul(x, w_scaled)")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[4,3] random(1); k = Float32[1,3] random(2); s = Sub(x, k); y = Gemm{transB=1}(s, w) }", "y = Gemm(x, w, y_bias_shifted){transB=1}")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); b = Float32[4] random(3); k = Float32[3] random(2); s = Add(k, x); y = Gemm(s, w, b) }", "y = Gemm(x, w, b_shifted)")]
    public void What_scales_or_shifts_the_input_of_a_product_becomes_part_of_it(string graph, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, "infer-shapes", "fold-scale-before-gemm"));

    [Theory]
    // Another reader of the middle and of the weights; a constant along another axis, or one that makes the input larger; a shift before what has no bias; alpha; a transposed input; a weight that is none; an activation's last step.
    [InlineData("x: Float32[2,3] -> y, s { w = Float32[3,4] random(1); k = Float32[3] random(2); s = Mul(x, k); y = MatMul(s, w) }")]
    [InlineData("x: Float32[2,3] -> y, t { w = Float32[3,4] random(1); k = Float32[3] random(2); s = Mul(x, k); y = MatMul(s, w); t = Relu(w) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); k = Float32[2,1] random(2); s = Mul(x, k); y = MatMul(s, w) }")]
    [InlineData("x: Float32[2,1] -> y { w = Float32[3,4] random(1); k = Float32[3] random(2); s = Mul(x, k); y = MatMul(s, w) }")]
    [InlineData("x: Float32[3] -> y { w = Float32[3,4] random(1); k = Float32[1,3] random(2); s = Mul(x, k); y = MatMul(s, w) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); k = Float32[3] random(2); s = Add(x, k); y = MatMul(s, w) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); k = Float32[3] random(2); s = Mul(x, k); y = Gemm{alpha=2.0}(s, w) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); b = Float32[4] random(3); k = Float32[3] random(2); s = Add(x, k); y = Gemm{beta=2.0}(s, w, b) }")]
    [InlineData("x: Float32[3,2] -> y { w = Float32[3,4] random(1); k = Float32[2] random(2); s = Mul(x, k); y = Gemm{transA=1}(s, w) }")]
    [InlineData("x: Float32[2,3], w: Float32[3,4] -> y { k = Float32[3] random(2); s = Mul(x, k); y = MatMul(s, w) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); b = Float32[2,1] random(3); k = Float32[3] random(2); s = Add(x, k); y = Gemm(s, w, b) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); b = Float32[2,4] random(3); k = Float32[3] random(2); s = Add(x, k); y = Gemm(s, w, b) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); k = Float32 2.0; s = Div(k, x); y = MatMul(s, w) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); k = Float32 0.0; s = Div(x, k); y = MatMul(s, w) }")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); lo = Float32 0.0; hi = Float32 6.0; six = Float32 6.0; c = Clip(x, lo, hi); s = Div(c, six); y = MatMul(s, w) }")]
    public void What_else_is_before_a_product_stays(string graph) => Rewriting.AssertUntouched(graph, "infer-shapes", "fold-scale-before-gemm");

    [Fact]
    public void A_factor_before_a_transposed_convolution_goes_into_its_weights() => Assert.Equal("y = ConvTranspose(x, w_scaled){group=2, pads=[1, 1, 1, 1]}",
        Rewriting.Apply("x: Float32[1,4,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[4,1,1] random(2); s = Mul(x, k); y = ConvTranspose{group=2, pads=[1,1,1,1]}(s, w) }", "infer-shapes", "fold-scale-before-conv"));

    [Fact]
    public void A_summand_before_a_transposed_convolution_stays() =>
        Rewriting.AssertUntouched("x: Float32[1,4,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[4,1,1] random(2); s = Add(x, k); y = ConvTranspose(s, w) }", "infer-shapes", "fold-scale-before-conv");

    [Theory]
    [InlineData("q: Int8[2,3] -> y { " + Int8 + "d = DequantizeLinear(q, s, z); t = Transpose(d){perm=[1,0]}; y = Relu(t) }", "push-dequantize",
        "t_quantized = Transpose(q){perm=[1, 0]}; t = DequantizeLinear(t_quantized, s, z); y = Relu(t)")]
    [InlineData("x: Float32[2,3] -> y { " + Int8 + "n = Neg(x); f = Int64[1] [-1]; r = Reshape(n, f); y = QuantizeLinear(r, s, z) }", "push-quantize",
        "n = Neg(x); y_quantized = QuantizeLinear(n, s, z); y = Reshape(y_quantized, f)")]
    [InlineData("q: Int8[2,3] -> y { " + Int8 + "d = DequantizeLinear(q, s, z); r = QuantizeLinear(d, s, z); t = Float32 0.5; y = DequantizeLinear(r, t, z) }", "remove-requantization", "y = DequantizeLinear(q, t, z)")]
    public void Quantization_steps_move_and_go(string graph, string pass, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, "infer-shapes", pass));

    [Theory]
    // Another reader; a scale per channel; weights; a scale that is no constant; 32-bit sums.
    [InlineData("q: Int8[2,3] -> d, t { " + Int8 + "d = DequantizeLinear(q, s, z); t = Transpose(d){perm=[1,0]} }", "push-dequantize")]
    [InlineData("q: Int8[2,3] -> t { s = Float32[3] [0.1, 0.2, 0.3]; d = DequantizeLinear(q, s){axis=1}; t = Transpose(d){perm=[1,0]} }", "push-dequantize")]
    [InlineData("x: Float32[2,4] -> y { " + Int8 + "w = Int8[3,4] random(1); d = DequantizeLinear(w, s, z); t = Transpose(d){perm=[1,0]}; y = MatMul(x, t) }", "push-dequantize")]
    [InlineData("q: Int8[2,3], s: Float32[] -> t { d = DequantizeLinear(q, s); t = Transpose(d){perm=[1,0]} }", "push-dequantize")]
    [InlineData("q: Int32[2,3] -> t { s = Float32 0.02; d = DequantizeLinear(q, s); t = Transpose(d){perm=[1,0]} }", "push-dequantize")]
    [InlineData("q: Int8[2,3] -> t { " + Int8 + "d = DequantizeLinear(q, s, z); t = Relu(d) }", "push-dequantize")]
    [InlineData("x: Float32[2,3] -> r, y { " + Int8 + "f = Int64[1] [-1]; r = Reshape(x, f); y = QuantizeLinear(r, s, z) }", "push-quantize")]
    [InlineData("x: Float32[2,3] -> y { s = Float32 0.02; f = Int64[1] [-1]; r = Reshape(x, f); y = QuantizeLinear(r, s) }", "push-quantize")]
    [InlineData("x: Float32[2,3] -> y { s = Float32[3] [0.1, 0.2, 0.3]; z = Int8[3] [0, 0, 0]; r = Transpose(x){perm=[0,1]}; y = QuantizeLinear(r, s, z){axis=1} }", "push-quantize")]
    // Another scale, zero point or type.
    [InlineData("q: Int8[2,3] -> y { " + Int8 + "t = Float32 0.03; d = DequantizeLinear(q, s, z); r = QuantizeLinear(d, t, z); y = DequantizeLinear(r, s, z) }", "remove-requantization")]
    [InlineData("q: Int8[2,3] -> y { " + Int8 + "o = Int8 1; d = DequantizeLinear(q, s, z); r = QuantizeLinear(d, s, o); y = DequantizeLinear(r, s, z) }", "remove-requantization")]
    [InlineData("q: Int8[2,3] -> y { " + Int8 + "u = UInt8 0; d = DequantizeLinear(q, s, z); r = QuantizeLinear(d, s, u); y = DequantizeLinear(r, s, u) }", "remove-requantization")]
    [InlineData("q: Int8[2,3] -> y { s = Float32 1e-35; z = Int8 0; d = DequantizeLinear(q, s, z); r = QuantizeLinear(d, s, z); y = DequantizeLinear(r, s, z) }", "remove-requantization")]
    [InlineData("q: Int8[2,3] -> y { s = Float32[3] [0.1, 0.2, 0.3]; z = Int8[3] [0, 0, 0]; d = DequantizeLinear(q, s, z){axis=1}; r = QuantizeLinear(d, s, z){axis=1}; y = DequantizeLinear(r, s, z){axis=1} }", "remove-requantization")]
    [InlineData("x: Float32[2,3] -> y { " + Int8 + "n = Neg(x); r = QuantizeLinear(n, s, z); y = DequantizeLinear(r, s, z) }", "remove-requantization")]
    public void Other_quantization_steps_stay(string graph, string pass) => Rewriting.AssertUntouched(graph, "infer-shapes", pass);

    [Theory]
    [InlineData("x: Float32[1,4,16,16] -> y { z = Float32[1,4,16,16] zeros; y = Concat(x, z){axis=1} }", "y = Pad(x, y_pads){mode=\"constant\"}")]
    [InlineData("x: Float32[1,4,16,16] -> y { z = Float32[1,2,16,16] zeros; w = Float32[1,1,16,16] zeros; y = Concat(z, x, w){axis=-3} }", "y = Pad(x, y_pads){mode=\"constant\"}")]
    public void A_Concat_with_zeros_is_a_Pad(string graph, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, "infer-shapes", "replace-zero-concat-with-pad"));

    [Theory]
    // Something else than zeros; minus zero; two values; a few zeros; a type that Pad does not take everywhere; nothing but zeros.
    [InlineData("x: Float32[1,4,16,16] -> y { z = Float32[1,4,16,16] ones; y = Concat(x, z){axis=1} }")]
    [InlineData("x: Float32[300] -> y { z = Float32[300] random(1); y = Concat(x, z){axis=0} }")]
    [InlineData("x: Float32[1,4,16,16], w: Float32[1,4,16,16] -> y { z = Float32[1,4,16,16] zeros; y = Concat(x, z, w){axis=1} }")]
    [InlineData("x: Float32[1,4] -> y { z = Float32[1,4] zeros; y = Concat(x, z){axis=1} }")]
    [InlineData("x: Bool[2000] -> y { z = Bool[2000] zeros; y = Concat(x, z){axis=0} }")]
    [InlineData("<opset 9> x: Float32[300] -> y { z = Float32[300] zeros; y = Concat(x, z){axis=0} }")]
    public void Another_Concat_stays(string graph) => Rewriting.AssertUntouched(graph, "infer-shapes", "replace-zero-concat-with-pad");

    [Theory]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,4,1,1] random(2); c = Conv(x, d){group=4}; r = Relu(c); e = Conv(r, p); y = Relu(e) }", "y = trt.tools::ConvRelu_ConvRelu(x, d, p)")]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,4,1,1] random(2); c = Conv(x, d){group=4}; y = Conv(c, p) }", "y = trt.tools::Conv_Conv(x, d, p)")]
    public void A_depthwise_and_a_pointwise_convolution_are_one_layer(string graph, string expected) => AssertFused(graph, expected);

    [Theory]
    // Not depthwise; not pointwise; with a stride; with padding; in groups; and what somebody else reads.
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,2,3,3] random(1); p = Float32[6,4,1,1] random(2); c = Conv(x, d){group=2}; y = Conv(c, p) }", null)]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,4,3,3] random(2); c = Conv(x, d){group=4}; y = Conv(c, p) }", null)]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,4,1,1] random(2); c = Conv(x, d){group=4}; y = Conv(c, p){strides=[2,2]} }", null)]
    [InlineData("x: Float32[1,8,8,8] -> y { d = Float32[4,2,3,3] random(1); p = Float32[6,4,1,1] random(2); c = Conv(x, d){group=4}; y = Conv(c, p) }", null)]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,4,3,1] random(2); c = Conv(x, d){group=4}; y = Conv(c, p) }", null)]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,4,1,3] random(2); c = Conv(x, d){group=4}; y = Conv(c, p) }", null)]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,4,1,1] random(2); c = Conv(x, d){group=4}; y = Conv(c, p){pads=[1,1,1,1]} }", null)]
    [InlineData("x: Float32[1,4,8,8] -> y { d = Float32[4,1,3,3] random(1); p = Float32[6,2,1,1] random(2); c = Conv(x, d){group=4}; y = Conv(c, p){group=2} }", null)]
    [InlineData("x: Float32[1,4,8,8] -> y, c { d = Float32[4,1,3,3] random(1); p = Float32[6,4,1,1] random(2); c = Conv(x, d){group=4}; y = Conv(c, p) }", "'c' is a graph output")]
    public void Other_convolutions_in_a_row_are_two(string graph, string? reason)
    {
        OnnxGraph fused = LayerFusion.Fuse(TestGraphs.Parse(graph), new FusionOptions(), Report.None, CancellationToken.None);
        Assert.DoesNotContain(fused.FusionReport, r => r.Fused && r.Pattern == "Separable");
        if (reason is not null) Assert.Contains(fused.FusionReport, r => !r.Fused && r.Pattern == "Separable" && r.Reason.Contains(reason, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("x: Float32[2,8] -> y { a = Int64[1] [1]; e = Exp(x); s = ReduceSum(e, a); y = Log(s) }", "y = trt.tools::LogSumExp(x){c0=[1]}")]
    [InlineData("x: Float32[2,8] -> y { a = Int64[1] [1]; m = ReduceMax(x){axes=[1]}; d = Sub(x, m); e = Exp(d); s = ReduceSum(e, a); l = Log(s); y = Add(l, m) }", "y = trt.tools::LogSumExp(x){c0=[1]}")]
    [InlineData("x: Float32[2,8] -> y { a = Int64[1] [1]; b = Abs(x); c = ReduceSum(b, a); y = Log(c) }", "b = Abs(x); y = trt.tools::LogSum(b){c0=[1]}")]
    [InlineData("x: Float32[2,8] -> y { a = Int64[1] [1]; p = Mul(x, x); s = ReduceSum(p, a); y = Sqrt(s) }", "y = trt.tools::L2Norm(x){c0=[1]}")]
    [InlineData("x: Float32[2,8] -> y { a = Int64[1] [1]; p = Mul(x, x); y = ReduceSum(p, a) }", "y = trt.tools::SumOfSquares(x){c0=[1]}")]
    [InlineData("x: Float32[2,8] -> y { a = Int64[1] [1]; p = Abs(x); y = ReduceSum(p, a) }", "y = trt.tools::L1Norm(x){c0=[1]}")]
    public void Reductions_in_pieces_are_one_layer(string graph, string expected) => AssertFused(graph, expected);

    [Theory]
    // The square of something else; the maximum along another axis; a square that somebody else reads.
    [InlineData("x: Float32[2,8], z: Float32[2,8] -> y { a = Int64[1] [1]; p = Mul(x, z); y = ReduceSum(p, a) }", "SumOfSquares")]
    [InlineData("x: Float32[8,8] -> y { a = Int64[1] [1]; m = ReduceMax(x){axes=[0]}; d = Sub(x, m); e = Exp(d); s = ReduceSum(e, a); l = Log(s); y = Add(l, m) }", "LogSumExp: Add")]
    [InlineData("x: Float32[2,8] -> y, p { a = Int64[1] [1]; p = Mul(x, x); y = ReduceSum(p, a) }", "SumOfSquares")]
    [InlineData("x: Float32[2,8] -> y { a = Int64[1] [1]; p = Neg(x); y = ReduceSum(p, a) }", "L1Norm")]
    public void Other_reductions_are_not(string graph, string what)
    {
        OnnxGraph before = TestGraphs.Parse(graph), fused = LayerFusion.Fuse(before, new FusionOptions(), Report.None, CancellationToken.None);
        Assert.DoesNotContain(fused.FusionReport, r => r.Fused && r.Pattern == what.Split(':')[0] && (!what.Contains(':') || r.Reason.EndsWith("+ Add", StringComparison.Ordinal)));
        Rewriting.AssertSameResults(before, fused);
    }

    private static void AssertFused(string graph, string expected)
    {
        OnnxGraph before = TestGraphs.Parse(graph), fused = LayerFusion.Fuse(before, new FusionOptions(), Report.None, CancellationToken.None);
        Assert.Equal(expected, TestGraphs.Nodes(fused));
        Rewriting.AssertSameResults(before, fused);
    }
}
