namespace TrtTools.Tests.Passes;

public sealed class MergingTests
{
    [Theory]
    [InlineData("x: Float32[2,3] -> a { y = Transpose(x){perm=[1,0]}; z = Transpose(y){perm=[1,0]}; a = Relu(z) }", "merge-consecutive-transposes", "a = Relu(x)")]
    [InlineData("x: Float32[2,3,4] -> z { y = Transpose(x){perm=[1,0,2]}; z = Transpose(y){perm=[2,0,1]} }", "merge-consecutive-transposes", "z = Transpose(x){perm=[2, 1, 0]}")]
    [InlineData("x: Float32[6] -> z { s = Int64[2] [2,3]; t = Int64[2] [3,-1]; y = Reshape(x, s); z = Reshape(y, t) }", "merge-consecutive-reshapes", "z = Reshape(x, t)")]
    [InlineData("x: Float32[2,3] -> z { a = Int64[1] [0]; y = Unsqueeze(x, a); w = Squeeze(y, a); z = Relu(w) }", "merge-consecutive-reshapes", "z = Relu(x)")]
    [InlineData("x: Float16[2] -> z { y = Cast(x){to=1}; z = Cast(y){to=11} }", "merge-consecutive-casts", "z = Cast(x){to=11}")]
    [InlineData("a: Float32[1], b: Float32[2], c: Float32[3] -> z { y = Concat(a, b){axis=0}; z = Concat(y, c){axis=0} }", "merge-consecutive-concats", "z = Concat(a, b, c){axis=0}")]
    [InlineData("x: Float32[2,3], y: Float32[3,4] -> z { c = Float32[4] random(1); m = MatMul(x, y); z = Add(m, c) }", "merge-matmul-add-into-gemm", "z = Gemm(x, y, c)")]
    [InlineData("x: Float32[2] -> z { a = Relu(x); b = Relu(x); z = Add(a, b) }", "merge-common-subexpressions", "a = Relu(x); z = Add(a, a)")]
    public void Merges(string graph, string pass, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, pass));

    [Fact]
    public void Unsqueezes_and_squeezes_of_different_axes_merge()
    {
        Assert.Equal("z = Unsqueeze(x, z_axes)", Rewriting.Apply("x: Float32[2,3] -> z { a = Int64[1] [0]; b = Int64[1] [-1]; y = Unsqueeze(x, a); z = Unsqueeze(y, b) }", "merge-consecutive-reshapes"));
        Assert.Equal("z = Squeeze(x, z_axes)", Rewriting.Apply("x: Float32[1,3,1] -> z { a = Int64[1] [0]; b = Int64[1] [-1]; y = Squeeze(x, a); z = Squeeze(y, b) }", "merge-consecutive-reshapes"));
    }

    [Fact]
    public void Slices_along_different_axes_merge() => Assert.Equal("z = Slice(x, z_starts, z_ends, z_axes, z_steps)", Rewriting.Apply(
        "x: Float32[4,6] -> z { o = Int64[1] [1]; e = Int64[1] [3]; a = Int64[1] [0]; b = Int64[1] [1]; y = Slice(x, o, e, a); z = Slice(y, o, e, b) }", "merge-consecutive-slices"));

    [Theory]
    [InlineData("x: Float32[2] -> z { y = Cast(x){to=7}; z = Cast(y){to=1} }", "merge-consecutive-casts")]
    [InlineData("x: Float32[6] -> z { s = Int64[2] [2,3]; t = Int64[2] [0,3]; y = Reshape(x, s); z = Reshape(y, t) }", "merge-consecutive-reshapes")]
    [InlineData("x: Float32[6,6] -> z { o = Int64[1] [1]; e = Int64[1] [5]; a = Int64[1] [0]; y = Slice(x, o, e, a); z = Slice(y, o, e, a) }", "merge-consecutive-slices")]
    [InlineData("a: Float32[1,1], b: Float32[1,2], c: Float32[1,3] -> z { y = Concat(a, b){axis=1}; z = Concat(y, c){axis=1}; w = Relu(y) }", "merge-consecutive-transposes")]
    // The rows' own summands, and products of more than two dimensions, are no Gemm.
    [InlineData("x: Float32[1,2,3], y: Float32[3,4] -> z { c = Float32[4] random(1); m = MatMul(x, y); z = Add(m, c) }", "merge-matmul-add-into-gemm")]
    [InlineData("x: Float32[1,3], y: Float32[3,4] -> z { c = Float32[2,4] random(1); m = MatMul(x, y); z = Add(m, c) }", "merge-matmul-add-into-gemm")]
    // The product itself is an output.
    [InlineData("x: Float32[2,3], y: Float32[3,4] -> m, z { c = Float32[4] random(1); m = MatMul(x, y); z = Add(m, c) }", "merge-matmul-add-into-gemm")]
    // Both are outputs; random operators differ every time.
    [InlineData("x: Float32[2] -> a, b { a = Relu(x); b = Relu(x) }", "merge-common-subexpressions")]
    public void Leaves(string graph, string pass) => Rewriting.AssertUntouched(graph, pass);

    [Fact]
    public void Random_operators_are_not_merged() =>
        Rewriting.AssertUntouched("x -> z { a = RandomNormalLike(x); b = RandomNormalLike(x); z = Add(a, b) }", "merge-common-subexpressions");

    [Fact]
    public void Equal_initializers_become_one() => Assert.Equal("a = Add(x, c); z = Mul(a, c)",
        Rewriting.Apply("x: Float32[2] -> z { c = Float32[2] [1.5, 2]; d = Float32[2] [1.5, 2]; a = Add(x, c); z = Mul(a, d) }", "merge-duplicate-initializers"));

    [Fact]
    public void A_branch_reuses_what_stands_before_it() => Assert.Equal("a = Relu(x); z = If(c){else_branch=() -> e { e = Exp(a) }, then_branch=() -> t { t = Neg(a) }}",
        Rewriting.Apply("c: Bool, x: Float32[2] -> z { a = Relu(x); z = If(c){then_branch=() -> t { b = Relu(x); t = Neg(b) }, else_branch=() -> e { e = Exp(a) }} }", "merge-common-subexpressions")
            .ReplaceLineEndings(" ").Replace("  ", " ").Replace("  ", " "));
}
