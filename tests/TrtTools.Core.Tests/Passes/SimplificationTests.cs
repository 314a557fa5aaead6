namespace TrtTools.Tests.Passes;

public sealed class SimplificationTests
{
    [Theory]
    [InlineData("x: Float32[2,3] -> z { y = Softmax(x){axis=-1}; z = Log(y) }", "merge-log-softmax", "z = LogSoftmax(x){axis=-1}")]
    [InlineData("x: Float32[2,3,4] -> z { a = Int64[1] [1]; y = ReduceMean(x){axes=[1], keepdims=0}; z = Unsqueeze(y, a) }", "merge-reduce-unsqueeze", "z = ReduceMean(x){axes=[1], keepdims=1}")]
    [InlineData("x: Float32[2,3,4] -> z { a = Int64[1] [-1]; y = ArgMax(x){axis=2, keepdims=0}; z = Unsqueeze(y, a) }", "merge-reduce-unsqueeze", "z = ArgMax(x){axis=2, keepdims=1}")]
    [InlineData("x: Float32[1,3,8,8] -> z { k = Float32 0.0; p = Int64[8] [0,0,1,1,0,0,1,1]; y = Pad(x, p, k); z = AveragePool(y){kernel_shape=[3,3]} }", "fold-pad-into-pool", "z = AveragePool(x){count_include_pad=1, kernel_shape=[3, 3], pads=[1, 1, 1, 1]}")]
    [InlineData("x: Float32[1,3,8,8] -> z { k = Float32 -3.4028235e38; p = Int64[8] [0,0,1,0,0,0,0,1]; y = Pad(x, p, k); z = MaxPool(y){kernel_shape=[3,3]} }", "fold-pad-into-pool", "z = MaxPool(x){kernel_shape=[3, 3], pads=[1, 0, 0, 1]}")]
    [InlineData("x: Float32[3,2], w: Float32[3,4] -> z { t = Transpose(x){perm=[1,0]}; z = Gemm(t, w) }", "fold-transpose-into-gemm", "z = Gemm(x, w){transA=1}")]
    [InlineData("x: Float32[2,3], w: Float32[3,4] -> z { t = Transpose(w); z = Gemm(x, t){transB=1} }", "fold-transpose-into-gemm", "z = Gemm(x, w){transB=0}")]
    [InlineData("x: Float32[3,2], w: Float32[3,4] -> z { t = Transpose(x){perm=[1,0]}; z = MatMul(t, w) }", "fold-transpose-into-matmul", "z = Gemm(x, w){transA=1}")]
    [InlineData("x: Float32[2], y: Float32[2] -> z { c = Bool[1] [true]; w = Where(c, x, y); z = Relu(w) }", "simplify-where", "z = Relu(x)")]
    [InlineData("x: Float32[2], y: Float32[2] -> z { c = Bool[2] [false,false]; w = Where(c, x, y); z = Relu(w) }", "simplify-where", "z = Relu(y)")]
    [InlineData("c: Bool[2], x: Float32[2], y: Float32[2] -> z { n = Not(c); z = Where(n, x, y) }", "simplify-where", "z = Where(c, y, x)")]
    [InlineData("x: Float32[2] -> z { r = Relu(x); lo = Float32 -1.0; hi = Float32 6.0; z = Clip(r, lo, hi) }", "merge-consecutive-clips", "z = Clip(x, z_min, z_max)")]
    [InlineData("x: Float32[2] -> z { r = Sigmoid(x); y = Relu(r); z = Exp(y) }", "merge-consecutive-clips", "r = Sigmoid(x); z = Exp(r)")]
    [InlineData("x: Float32[2] -> z { a = Float32 -1.0; b = Float32 1.0; r = Clip(x, a); z = Clip(r, _, b) }", "merge-consecutive-clips", "z = Clip(x, z_min, z_max)")]
    [InlineData("a: Float32[2,3], b: Float32[2,4] -> z { c = Concat(a, b){axis=1}; s = Int64[1] [3]; e = Int64[1] [7]; x = Int64[1] [1]; y = Slice(c, s, e, x); z = Relu(y) }", "remove-slice-of-concat", "z = Relu(b)")]
    [InlineData("a: Float32[2,3], b: Float32[2,4] -> y, z { c = Concat(a, b){axis=-1}; s = Int64[2] [3,4]; p, q = Split(c, s){axis=1}; y = Relu(p); z = Exp(q) }", "remove-slice-of-concat", "y = Relu(a); z = Exp(b)")]
    [InlineData("x: Float32[4,3] -> z { s = Int64[2] [1,3]; p, q = Split(x, s); c = Concat(p, q){axis=0}; z = Relu(c) }", "remove-slice-of-concat", "z = Relu(x)")]
    [InlineData("x: Float32[2] -> z { a = Float32[2] [1,2]; b = Float32 3.0; y = Mul(x, a); z = Div(y, b) }", "merge-constant-arithmetic", "z = Mul(x, z_merged)")]
    [InlineData("x: Float32[2] -> z { a = Float32[2] [1,2]; b = Float32[2] [3,5]; y = Sub(x, a); z = Add(b, y) }", "merge-constant-arithmetic", "z = Add(x, z_merged)")]
    [InlineData("x: Float32[2,6] -> y, z { a = Int64[1] [0]; b = Int64[1] [4]; c = Int64[1] [9]; d = Int64[1] [1]; p = Slice(x, a, b, d); q = Slice(x, b, c, d); y = Relu(p); z = Exp(q) }", "merge-sibling-slices", "p, q = Split(x, p_split_sizes){axis=1}; y = Relu(p); z = Exp(q)")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[3,1,1] random(2); s = Mul(x, k); y = Conv(s, w){pads=[1,1,1,1]} }", "fold-scale-before-conv", "y = Conv(x, w_scaled){pads=[1, 1, 1, 1]}")]
    [InlineData("x: Float32[1,4,8,8] -> y { w = Float32[6,2,3,3] random(1); k = Float32[1,4,1,1] random(2); s = Sub(x, k); y = Conv(s, w){group=2} }", "fold-scale-before-conv", "y = Conv(x, w, y_bias_shifted){group=2}")]
    [InlineData("c: Bool, x: Float32[2] -> z { z = If(c){then_branch=() -> t { d = Neg(x); t = Exp(d) }, else_branch=() -> e { f = Neg(x); e = Exp(f) }} }", "merge-equal-branches inline-constant-if", "d = Neg(x); z = Exp(d)")]
    public void Simplifies(string graph, string passes, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, ["infer-shapes", .. passes.Split(' ')]));

    [Theory]
    // The other readers of the softmax, of the middle, and of the dropped axes.
    [InlineData("x: Float32[2,3] -> y, z { y = Softmax(x){axis=-1}; z = Log(y) }", "merge-log-softmax")]
    [InlineData("x: Float32[2,3,4] -> y, z { a = Int64[1] [1]; y = ReduceMean(x){axes=[1], keepdims=0}; z = Unsqueeze(y, a) }", "merge-reduce-unsqueeze")]
    [InlineData("x: Float32[2,3,4] -> z { a = Int64[1] [0]; y = ReduceMean(x){axes=[1], keepdims=0}; z = Unsqueeze(y, a) }", "merge-reduce-unsqueeze")]
    // A window of padding alone, padding that is not counted, ones, and a corner that a pool cannot pad.
    [InlineData("x: Float32[1,3,8,8] -> z { k = Float32 0.0; p = Int64[8] [0,0,3,1,0,0,1,1]; y = Pad(x, p, k); z = AveragePool(y){kernel_shape=[3,3]} }", "fold-pad-into-pool")]
    [InlineData("x: Float32[1,3,8,8] -> z { k = Float32 0.0; p = Int64[8] [0,0,1,1,0,0,1,1]; y = Pad(x, p, k); z = AveragePool(y){kernel_shape=[3,3], pads=[1,1,1,1]} }", "fold-pad-into-pool")]
    [InlineData("x: Float32[1,3,8,8] -> z { k = Float32 0.0; p = Int64[8] [0,0,1,1,0,0,1,1]; y = Pad(x, p, k); z = MaxPool(y){kernel_shape=[3,3]} }", "fold-pad-into-pool")]
    [InlineData("x: Float32[1,3,8,8] -> z { k = Float32 0.0; p = Int64[8] [0,1,1,1,0,0,1,1]; y = Pad(x, p, k); z = AveragePool(y){kernel_shape=[3,3]} }", "fold-pad-into-pool")]
    [InlineData("x: Float32[2,3,2], w: Float32[2,3,4] -> z { t = Transpose(x){perm=[0,2,1]}; z = MatMul(t, w) }", "fold-transpose-into-matmul")]
    [InlineData("x: Float32[3,2], w: Float32[3,4] -> t, z { t = Transpose(x){perm=[1,0]}; z = MatMul(t, w) }", "fold-transpose-into-matmul")]
    // The other side is larger; the condition is mixed.
    [InlineData("x: Float32[1], y: Float32[2] -> z { c = Bool[1] [true]; w = Where(c, x, y); z = Relu(w) }", "simplify-where")]
    [InlineData("x: Float32[2], y: Float32[2] -> z { c = Bool[2] [true,false]; w = Where(c, x, y); z = Relu(w) }", "simplify-where")]
    [InlineData("x: Float32[2] -> r, z { r = Relu(x); lo = Float32 -1.0; hi = Float32 6.0; z = Clip(r, lo, hi) }", "merge-consecutive-clips")]
    [InlineData("x: Float32[2], lo: Float32[] -> z { r = Relu(x); z = Clip(r, lo) }", "merge-consecutive-clips")]
    [InlineData("x: Float32[2] -> z { r = Tanh(x); z = Relu(r) }", "merge-consecutive-clips")]
    [InlineData("a: Float32[2,3], b: Float32[2,4] -> z { c = Concat(a, b){axis=1}; s = Int64[1] [2]; e = Int64[1] [7]; x = Int64[1] [1]; y = Slice(c, s, e, x); z = Relu(y) }", "remove-slice-of-concat")]
    [InlineData("a: Float32[2,3], b: Float32[2,3] -> z { c = Concat(a, b){axis=1}; s = Int64[1] [0]; e = Int64[1] [2]; x = Int64[1] [0]; y = Slice(c, s, e, x); z = Relu(y) }", "remove-slice-of-concat")]
    [InlineData("x: Float32[4,3] -> z { s = Int64[2] [1,3]; p, q = Split(x, s); c = Concat(q, p){axis=0}; z = Relu(c) }", "remove-slice-of-concat")]
    [InlineData("x: Float32[4,4] -> z { s = Int64[2] [2,2]; p, q = Split(x, s); c = Concat(p, q){axis=1}; z = Relu(c) }", "remove-slice-of-concat")]
    // Another reader of the middle; integers; a sum after a product; what would overflow on the way; what loses digits.
    [InlineData("x: Float32[2] -> y, z { a = Float32[2] [1,2]; b = Float32 3.0; y = Mul(x, a); z = Mul(y, b) }", "merge-constant-arithmetic")]
    [InlineData("x: Int64[2] -> z { a = Int64[2] [1,2]; b = Int64 3; y = Mul(x, a); z = Div(y, b) }", "merge-constant-arithmetic")]
    [InlineData("x: Float32[2] -> z { a = Float32[2] [1,2]; b = Float32 3.0; y = Mul(x, a); z = Add(y, b) }", "merge-constant-arithmetic")]
    [InlineData("x: Float32[2] -> z { a = Float32 1e25; b = Float32 1e-25; y = Mul(x, a); z = Mul(y, b) }", "merge-constant-arithmetic")]
    [InlineData("x: Float32[2] -> z { a = Float32 1e10; y = Add(x, a); z = Sub(y, a) }", "merge-constant-arithmetic")]
    [InlineData("x: Float32[2] -> z { a = Float32 2.0; y = Mul(x, a); z = Div(a, y) }", "merge-constant-arithmetic")]
    // A gap; an overlap; a step.
    [InlineData("x: Float32[2,6] -> y, z { a = Int64[1] [0]; b = Int64[1] [3]; f = Int64[1] [4]; c = Int64[1] [9]; d = Int64[1] [1]; y = Slice(x, a, b, d); z = Slice(x, f, c, d) }", "merge-sibling-slices")]
    [InlineData("x: Float32[2,6] -> y, z { a = Int64[1] [0]; b = Int64[1] [5]; f = Int64[1] [4]; c = Int64[1] [9]; d = Int64[1] [1]; y = Slice(x, a, b, d); z = Slice(x, f, c, d) }", "merge-sibling-slices")]
    // The Conv pads: its zeros are not shifted. The scale varies along a row. Another reader.
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[3,1,1] random(2); s = Add(x, k); y = Conv(s, w){pads=[1,1,1,1]} }", "fold-scale-before-conv")]
    [InlineData("x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[8] random(2); s = Mul(x, k); y = Conv(s, w) }", "fold-scale-before-conv")]
    [InlineData("x: Float32[1,3,8,8] -> s, y { w = Float32[4,3,3,3] random(1); k = Float32[3,1,1] random(2); s = Mul(x, k); y = Conv(s, w) }", "fold-scale-before-conv")]
    [InlineData("x: Float32[1,1,8,8] -> y { w = Float32[4,3,3,3] random(1); k = Float32[3,1,1] random(2); s = Mul(x, k); y = Conv(s, w) }", "fold-scale-before-conv")]
    public void Leaves(string graph, string pass) => Rewriting.AssertUntouched(graph, "infer-shapes", pass);

    [Theory]
    // NHWC in the middle, in and out: nothing of it is left.
    [InlineData("x: Float32[1,2,3,4] -> z { a = Transpose(x){perm=[0,2,3,1]}; b = Relu(a); c = Float32[2] [1,2]; d = Mul(b, c); e = Transpose(d){perm=[0,3,1,2]}; z = Exp(e) }",
        "b_untransposed = Relu(x); d_untransposed = Mul(b_untransposed, c_turned); z = Exp(d_untransposed)")]
    [InlineData("x: Float32[1,2,3,4], y: Float32[1,5,3,4] -> z { a = Transpose(x){perm=[0,2,3,1]}; b = Transpose(y){perm=[0,2,3,1]}; c = Concat(a, b){axis=3}; d = Softmax(c){axis=-1}; e = Transpose(d){perm=[0,3,1,2]}; z = Exp(e) }",
        "c_untransposed = Concat(x, y){axis=1}; d_untransposed = Softmax(c_untransposed){axis=1}; z = Exp(d_untransposed)")]
    [InlineData("x: Float32[1,2,3,4] -> z { a = Transpose(x){perm=[0,2,3,1]}; p = Int64[8] [0,1,2,0,0,0,1,0]; b = Pad(a, p); c = ReduceMax(b){axes=[1]}; e = Transpose(c){perm=[0,3,1,2]}; z = Exp(e) }",
        "b_untransposed = Pad(x, b_untransposed_pads); c_untransposed = ReduceMax(b_untransposed){axes=[2]}; z = Exp(c_untransposed)")]
    // Two Transposes become one.
    [InlineData("x: Float32[2,3], y: Float32[2,3] -> z { a = Transpose(x){perm=[1,0]}; b = Transpose(y){perm=[1,0]}; z = Add(a, b) }",
        "z_untransposed = Add(x, y); z = Transpose(z_untransposed){perm=[1, 0]}")]
    // One goes, one is needed by another reader.
    [InlineData("x: Float32[2,3] -> y, z, w { a = Transpose(x){perm=[1,0]}; y = Relu(a); b = Transpose(y){perm=[1,0]}; z = Exp(b); w = Neg(b) }",
        "y_untransposed = Relu(x); y = Transpose(y_untransposed){perm=[1, 0]}; z = Exp(y_untransposed); w = Neg(y_untransposed)")]
    [InlineData("x: Float32[4,3] -> y, z { a = Transpose(x){perm=[1,0]}; s = Int64[2] [1,3]; p, q = Split(a, s){axis=1}; b = Transpose(p){perm=[1,0]}; c = Transpose(q){perm=[1,0]}; y = Exp(b); z = Neg(c) }",
        "p_untransposed, q_untransposed = Split(x, s){axis=0}; y = Exp(p_untransposed); z = Neg(q_untransposed)")]
    public void Transposes_that_cancel_go(string graph, string expected) => Assert.Equal(expected, Rewriting.Apply(graph, "infer-shapes", "push-transposes"));

    [Theory]
    // Nothing is won, or an operator stands between that takes its axes as they are.
    [InlineData("x: Float32[2,3] -> z { a = Transpose(x){perm=[1,0]}; z = Relu(a) }")]
    [InlineData("x: Float32[2,3], y: Float32[3,2] -> z { a = Transpose(x){perm=[1,0]}; z = Add(a, y) }")]
    [InlineData("x: Float32[2,3,4] -> z { a = Transpose(x){perm=[1,2,0]}; b = Softmax(a); z = Transpose(b){perm=[1,2,0]} }")]
    [InlineData("x: Float32[2,3] -> z { w = Float32[2,5] random(1); a = Transpose(x){perm=[1,0]}; b = MatMul(a, w); z = Transpose(b){perm=[1,0]} }")]
    [InlineData("x: Float32[2,3] -> z { a = Transpose(x){perm=[1,0]}; b = ReduceMax(a){axes=[0], keepdims=0}; z = Relu(b) }")]
    public void Transposes_that_do_not_cancel_stay(string graph) => Rewriting.AssertUntouched(graph, "infer-shapes", "push-transposes");

    [Fact]
    public void Different_branches_stay() => Rewriting.AssertUntouched(
        "c: Bool, x: Float32[2] -> z { z = If(c){then_branch=() -> t { d = Neg(x); t = Exp(d) }, else_branch=() -> e { f = Exp(x); e = Neg(f) }} }", "merge-equal-branches");

    [Fact]
    public void A_loop_of_one_round_is_its_body() => Assert.Equal("s = Add(x, x); z = Exp(s)", Rewriting.Apply(
        "x: Float32[2] -> z { n = Int64 1; y = Loop(n, _, x){body=(i: Int64[], c: Bool[], a: Float32[2]) -> c, s { s = Add(a, x) }}; z = Exp(y) }", "unroll-constant-loop", "remove-dead-nodes"));

    [Fact]
    public void A_short_loop_is_unrolled_and_what_it_collects_joined()
    {
        const string Text = "x: Float32[2] -> y, z { n = Int64 2; t = Bool true; y, z = Loop(n, t, x){body=(i: Int64[], c: Bool[], a: Float32[2]) -> d, s, r { d = Identity(c); f = Cast(i){to=1}; s = Add(a, f); r = Neg(s) }} }";
        string unrolled = Rewriting.Apply(Text, "unroll-constant-loop", "remove-dead-nodes");
        Assert.DoesNotContain("Loop", unrolled, StringComparison.Ordinal);
        Assert.Equal(2, unrolled.Split("Unsqueeze").Length - 1);
    }

    [Theory]
    // Not known how often; a condition that is computed; many rounds.
    [InlineData("n: Int64[], x: Float32[2] -> y { y = Loop(n, _, x){body=(i: Int64[], c: Bool[], a: Float32[2]) -> c, s { s = Add(a, x) }} }")]
    [InlineData("x: Float32[2], b: Bool[] -> y { n = Int64 1; y = Loop(n, b, x){body=(i: Int64[], c: Bool[], a: Float32[2]) -> c, s { s = Add(a, x) }} }")]
    [InlineData("x: Float32[2] -> y { n = Int64 3; t = Bool true; y = Loop(n, t, x){body=(i: Int64[], c: Bool[], a: Float32[2]) -> d, s { k = Int64 1; d = Less(i, k); s = Add(a, x) }} }")]
    [InlineData("x: Float32[2] -> y { n = Int64 40; t = Bool true; y = Loop(n, t, x){body=(i: Int64[], c: Bool[], a: Float32[2]) -> c, s { s = Add(a, x) }} }")]
    public void Other_loops_stay(string graph) => Rewriting.AssertUntouched(graph, "unroll-constant-loop");
}
