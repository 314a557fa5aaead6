namespace TrtTools.Tests.Passes;

public sealed class NoOpRemovalTests
{
    [Theory]
    [InlineData("x: Float32[2,3] -> z { y = Identity(x); z = Relu(y) }", "remove-identity", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { y = Relu(x); z = Identity(y) }", "remove-identity", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { y = Dropout(x); z = Relu(y) }", "remove-no-op-dropout", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { y = Cast(x){to=1}; z = Relu(y) }", "remove-no-op-cast", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { s = Int64[2] [2,3]; y = Reshape(x, s); z = Relu(y) }", "remove-no-op-reshape", "z = Relu(x)")]
    [InlineData("x: Float32[2,N] -> z { s = Int64[2] [2,-1]; y = Reshape(x, s); z = Relu(y) }", "remove-no-op-reshape", "z = Relu(x)")]
    [InlineData("x: Float32[M,N] -> z { s = Int64[2] [0,0]; y = Reshape(x, s); z = Relu(y) }", "remove-no-op-reshape", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { y = Flatten(x); z = Relu(y) }", "remove-no-op-reshape", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { y = Transpose(x){perm=[0,1]}; z = Relu(y) }", "remove-no-op-transpose", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { p = Int64[4] zeros; y = Pad(x, p); z = Relu(y) }", "remove-no-op-pad", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { a = Int64[2] [0,0]; b = Int64[2] [9223372036854775807,3]; y = Slice(x, a, b); z = Relu(y) }", "remove-no-op-slice", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { y = Concat(x){axis=0}; z = Relu(y) }", "remove-no-op-concat", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { s = Int64[2] ones; y = Expand(x, s); z = Relu(y) }", "remove-no-op-expand", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { s = Int64[2] ones; y = Tile(x, s); z = Relu(y) }", "remove-no-op-expand", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { c = Float32[3] zeros; y = Add(c, x); z = Relu(y) }", "remove-no-op-arithmetic", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { c = Float32 1; y = Div(x, c); z = Relu(y) }", "remove-no-op-arithmetic", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { c = Float32 1; y = Pow(x, c); z = Relu(y) }", "remove-no-op-arithmetic", "z = Relu(x)")]
    [InlineData("x: Float32[2,1,3] -> z { y = ReduceMean(x){axes=[1]}; z = Relu(y) }", "remove-no-op-reduction", "z = Relu(x)")]
    [InlineData("x: Float32[2,3] -> z { y = Relu(x); z = Relu(y) }", "remove-repeated-operation", "z = Relu(x)")]
    public void Removes(string graph, string pass, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, pass));

    [Theory]
    // The output takes its value from an input: a node must carry it.
    [InlineData("x: Float32[2,3] -> y { y = Identity(x) }", "remove-identity")]
    // The mask is wanted.
    [InlineData("x: Float32[2,3] -> y { c = Float32 0.5; t = Bool true; y = Dropout(x, c, t){seed=1} }", "remove-no-op-dropout")]
    [InlineData("x: Float32[2,3] -> y { y = Cast(x){to=11} }", "remove-no-op-cast")]
    [InlineData("x: Float32[2,3] -> z { s = Int64[2] [3,2]; y = Reshape(x, s); z = Relu(y) }", "remove-no-op-reshape")]
    // Two unknown extents: -1 need not be the same one.
    [InlineData("x: Float32[M,N,2] -> z { s = Int64[3] [-1,1,2]; y = Reshape(x, s); z = Relu(y) }", "remove-no-op-reshape")]
    [InlineData("x: Float32[2,3] -> z { y = Transpose(x); z = Relu(y) }", "remove-no-op-transpose")]
    [InlineData("x: Float32[2,3] -> z { p = Int64[4] [0,0,0,1]; y = Pad(x, p); z = Relu(y) }", "remove-no-op-pad")]
    [InlineData("x: Float32[2,3] -> z { a = Int64[1] [0]; b = Int64[1] [1]; y = Slice(x, a, b); z = Relu(y) }", "remove-no-op-slice")]
    [InlineData("x: Float32[2,3] -> z { a = Int64[1] [-1]; b = Int64[1] [-9223372036854775807]; d = Int64[1] [0]; s = Int64[1] [-1]; y = Slice(x, a, b, d, s); z = Relu(y) }", "remove-no-op-slice")]
    [InlineData("x: Float32[1,3] -> z { s = Int64[2] [2,3]; y = Expand(x, s); z = Relu(y) }", "remove-no-op-expand")]
    // The constant's shape broadcasts x up.
    [InlineData("x: Float32[1,3] -> z { c = Float32[2,3] zeros; y = Add(x, c); z = Relu(y) }", "remove-no-op-arithmetic")]
    [InlineData("x: Float32[3] -> z { c = Float32[1,3] zeros; y = Add(x, c); z = Relu(y) }", "remove-no-op-arithmetic")]
    [InlineData("x: Float32[3] -> z { c = Float32 0; y = Sub(c, x); z = Relu(y) }", "remove-no-op-arithmetic")]
    [InlineData("x: Float32[3] -> z { c = Float32 1; y = Div(c, x); z = Relu(y) }", "remove-no-op-arithmetic")]
    [InlineData("x: Float32[2,1,3] -> z { y = ReduceMean(x){axes=[1], keepdims=0}; z = Relu(y) }", "remove-no-op-reduction")]
    [InlineData("x: Float32[2,3] -> z { y = Neg(x); z = Neg(y) }", "remove-repeated-operation")]
    public void Leaves(string graph, string pass) => Rewriting.AssertUntouched(graph, pass);

    [Fact]
    public void An_output_keeps_its_name_when_what_computes_it_is_also_read_elsewhere() =>
        Assert.Equal("out = Relu(x); z = Exp(out)", Rewriting.Apply("x: Float32[2] -> out, z { y = Relu(x); out = Identity(y); z = Exp(y) }", "remove-identity"));

    [Fact]
    public void Two_outputs_of_one_value_keep_both_names() =>
        Assert.Equal("a = Relu(x); b = Identity(a)", Rewriting.Apply("x: Float32[2] -> a, b { a = Relu(x); b = Identity(a) }", "remove-identity"));

    [Fact]
    public void A_value_read_only_in_a_branch_is_followed_there() =>
        Assert.Equal("z = If(c){else_branch=() -> e { e = Neg(x) }, then_branch=() -> t { t = Relu(x) }}",
            Rewriting.Apply("c: Bool, x: Float32[2] -> z { y = Identity(x); z = If(c){then_branch=() -> t { t = Relu(y) }, else_branch=() -> e { e = Neg(y) }} }", "remove-identity").ReplaceLineEndings(" ").Replace("  ", " ").Replace("  ", " "));
}
