namespace TrtTools.Tests.Passes;

public sealed class FoldingTests
{
    private const string BatchNorm = "s = Float32[4] [0.5,1,-1.5,2]; b = Float32[4] [0.1,0.2,0.3,0.4]; m = Float32[4] [-1,0,1,2]; v = Float32[4] [0.5,1,2,3]";

    [Theory]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); " + BatchNorm + "; c = Conv(x, w); y = BatchNormalization(c, s, b, m, v) }", "y = Conv(x, w_scaled, c_bias_folded)")]
    [InlineData("x: Float32[1,4,8,8] -> y { w = Float32[4,2,3,3] random(1); b0 = Float32[4] random(2); " + BatchNorm + "; c = ConvTranspose(x, w, b0){group=2}; y = BatchNormalization(c, s, b, m, v) }", "y = ConvTranspose(x, w_scaled, b0_folded){group=2}")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[4,3] random(1); " + BatchNorm + "; c = Gemm(x, w){transB=1}; y = BatchNormalization(c, s, b, m, v) }", "y = Gemm(x, w_scaled, c_bias_folded){transB=1}")]
    public void Batch_normalization_is_folded(string graph, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, "fold-batchnorm-into-conv"));

    [Theory]
    // Another reader of the convolution, its result as an output, and weights that are no constants.
    [InlineData("x: Float32[1,3,8,8] -> y, z { w = Float32[4,3,3,3] random(1); " + BatchNorm + "; c = Conv(x, w); y = BatchNormalization(c, s, b, m, v); z = Relu(c) }")]
    [InlineData("x: Float32[1,3,8,8] -> y, c { w = Float32[4,3,3,3] random(1); " + BatchNorm + "; c = Conv(x, w); y = BatchNormalization(c, s, b, m, v) }")]
    [InlineData("x: Float32[1,3,8,8], w: Float32[4,3,3,3] -> y { " + BatchNorm + "; c = Conv(x, w); y = BatchNormalization(c, s, b, m, v) }")]
    public void Batch_normalization_stays(string graph) => Rewriting.AssertUntouched(graph, "fold-batchnorm-into-conv");

    [Theory]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[4,1,1] random(2); c = Conv(x, w); y = Mul(k, c) }", "fold-scale-into-conv", "y = Conv(x, w_scaled)")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32 4.0; c = Conv(x, w); y = Div(c, k) }", "fold-scale-into-conv", "y = Conv(x, w_scaled)")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[1,4,1,1] random(2); c = Conv(x, w); y = Add(c, k) }", "fold-bias-into-conv", "y = Conv(x, w, c_bias_folded)")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32 2.0; c = Conv(x, w); y = Sub(c, k) }", "fold-bias-into-conv", "y = Conv(x, w, c_bias_folded)")]
    [InlineData("x: Float32[2,3] -> y { w = Float32[3,4] random(1); k = Float32[4] random(2); c = Gemm(x, w); y = Add(c, k) }", "fold-bias-into-conv", "y = Gemm(x, w, c_bias_folded)")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); p = Int64[8] [0,0,1,2,0,0,3,0]; c = Pad(x, p); y = Conv(c, w) }", "fold-pad-into-conv", "y = Conv(x, w){pads=[1, 2, 3, 0]}")]
    public void Constants_are_folded(string graph, string pass, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, pass));

    [Theory]
    // Per column, not per channel; and a constant of higher rank than the result.
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[6] random(2); c = Conv(x, w); y = Mul(c, k) }", "fold-scale-into-conv")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[1,1,1,1,1] random(2); c = Conv(x, w); y = Add(c, k) }", "fold-bias-into-conv")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32 4.0; c = Conv(x, w); y = Div(k, c) }", "fold-scale-into-conv")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32 1.0; p = Int64[8] [0,0,1,1,0,0,1,1]; c = Pad(x, p, k); y = Conv(c, w) }", "fold-pad-into-conv")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); p = Int64[8] [0,0,1,1,0,0,1,1]; c = Pad(x, p){mode=\"reflect\"}; y = Conv(c, w) }", "fold-pad-into-conv")]
    public void Others_stay(string graph, string pass) => Rewriting.AssertUntouched(graph, pass);

    [Theory]
    [InlineData("x: Float32[2] -> z { a = Float32[2] [1,2]; b = Float32[2] [3,4]; c = Add(a, b); d = Mul(c, b); z = Add(x, d) }", "z = Add(x, d)")]
    [InlineData("x: Float32[2,3] -> z { s = Shape(x); i = Int64 1; n = Gather(s, i); f = Cast(n){to=1}; z = Div(x, f) }", "z = Div(x, f)")]
    [InlineData("x: Float32[2] -> y, z { a = Float32[2] [1,2]; y = Neg(a); z = Add(x, y) }", "y = Identity(y_constant); z = Add(x, y_constant)")]
    public void What_depends_on_constants_is_computed(string graph, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, "fold-constants"));

    [Theory]
    // 1 MB out of a few bytes; quantization; random numbers.
    [InlineData("x: Float32[512,512] -> z { s = Int64[2] [512,512]; c = ConstantOfShape(s); z = Add(x, c) }")]
    [InlineData("x: Float32[2] -> z { w = Int8[2] [1,2]; s = Float32 0.5; d = DequantizeLinear(w, s); z = Add(x, d) }")]
    public void What_must_stay_stays(string graph) => Rewriting.AssertUntouched(graph, "fold-constants");

    [Fact]
    public void Random_numbers_stay() => Rewriting.AssertUntouched("x -> z { r = RandomNormal(){shape=[2]}; z = Add(x, r) }", "fold-constants");

    [Fact]
    public void A_large_intermediate_value_is_no_hindrance() => Assert.Equal("z = Add(x, r)",
        Rewriting.Apply("x: Float32[1] -> z { s = Int64[2] [512,512]; c = ConstantOfShape(s){value=Float32[1] [2]}; r = ReduceSum(c){keepdims=0}; z = Add(x, r) }", "fold-constants"));

    [Fact]
    public void Constants_in_branches_are_folded() => Assert.Equal("z = If(c){else_branch=() -> e { e = Neg(x) }, then_branch=() -> t { d = Float32[2] [-1.0, -2.0] t = Add(x, d) }}",
        Flat(Rewriting.Apply("c: Bool, x: Float32[2] -> z { a = Float32[2] [1,2]; z = If(c){then_branch=() -> t { d = Neg(a); t = Add(x, d) }, else_branch=() -> e { e = Neg(x) }} }", "fold-constants")));

    [Fact]
    public void The_branch_taken_replaces_the_If() => Assert.Equal("d = Neg(x); z = Add(x, d)",
        Rewriting.Apply("x: Float32[2] -> z { c = Bool true; z = If(c){then_branch=() -> t { d = Neg(x); t = Add(x, d) }, else_branch=() -> e { e = Neg(x) }} }", "inline-constant-if"));

    [Fact]
    public void A_branch_that_passes_a_value_through_keeps_the_output() => Assert.Equal("z = Identity(x)",
        Rewriting.Apply("x: Float32[2] -> z { c = Bool false; z = If(c){then_branch=() -> t { t = Neg(x) }, else_branch=() -> e { e = Identity(x) }} }", "inline-constant-if", "remove-identity"));

    private static string Flat(string text) => text.ReplaceLineEndings(" ").Replace("  ", " ").Replace("  ", " ");
}
