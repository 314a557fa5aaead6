using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class PatternTests
{
    private static OnnxGraph Replace(string text, string pattern, Func<PatternMatch, string?> replacement) => On(text, g =>
    {
        PatternSession session = PatternSession.Start(g, pattern);
        foreach (PatternMatch match in session.Matches)
        {
            if (replacement(match) is { } expression) session.Replace(match, expression);
        }
        return session.Finish();
    });

    [Theory]
    // The order of inputs does not matter, at any depth.
    [InlineData("s = Sigmoid(x); y = Mul(s, x)", "Mul(x, Sigmoid(x))", 1)]
    [InlineData("p = Mul(b, a); y = Add(p, a)", "Add(x, Mul(x, y))", 1)]
    [InlineData("p = Mul(a, b); q = Mul(b, c); y = Add(q, p)", "Add(Mul(u, v), Mul(w, v))", 1)]
    [InlineData("p = Neg(a); y = Max(b, p, c)", "Max(u, v, Neg(w))", 1)]
    [InlineData("p = Neg(a); y = Sub(p, b)", "Sub(b, Neg(a))", 0)]
    [InlineData("k = Float32 0.5; y = Mul(a, k)", "Mul(0.5, a)", 1)]
    [InlineData("k = Float32 0.5; y = Mul(a, k)", "Mul(c#, a)", 1)]
    [InlineData("k = Float32 0.5; y = Mul(a, k)", "Mul(a, 0.25)", 0)]
    [InlineData("y = com.microsoft::Gelu(a)", "Gelu(x)", 0)]
    [InlineData("y = com.microsoft::Gelu(a)", "com.microsoft::Gelu(x)", 1)]
    // Each node belongs to one match.
    [InlineData("p = Relu(a); q = Relu(p); y = Relu(q)", "Relu(Relu(x))", 1)]
    [InlineData("p = Relu(a); q = Relu(p); y = Relu(q)", "Relu(x)", 3)]
    public void Finds(string graph, string pattern, int count) => Assert.Equal(count, PatternSession.Find(TestGraphs.Parse(graph), pattern).Count);

    [Fact]
    public void A_match_says_what_it_holds()
    {
        PatternMatch match = Assert.Single(PatternSession.Find(TestGraphs.Parse("k = Float32 0.5; n = Neg(x) @neg; y = Mul(k, n) @mul"), "Mul(f#, n:Neg(x))"));
        Assert.Equal("mul", match.Name);
        Assert.Equal(["Neg", "Mul"], match.Nodes.Select(n => n.OpType));
        Assert.Equal(["f", "n", "x"], match.Tensor.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("n", match.Tensor["n"].Name);
        Assert.Equal(0.5f, match.Constant["f"].Data.GetValue(0));
    }

    [Fact]
    public void Replaces_by_an_expression()
    {
        OnnxGraph after = Replace("x: Float32[2] -> y: Float32[2] { s = Sigmoid(x); a = Mul(x, s); y = Exp(a) }", "Mul(x, Sigmoid(x))", _ => "HardSwish(x)");
        Assert.Equal("a = HardSwish(x); y = Exp(a)", TestGraphs.Nodes(after));
        Assert.Equal(["a", "s"], after.Body.Find("a")!.Producer!.SourceNodes.Order(StringComparer.Ordinal));
        after = Replace("x: Float32[2] -> y: Float32[2] { y = Relu(x) }", "Relu(x)", _ => "Clip(x, 0, _)");
        Assert.Equal("y = Clip(x, y_constant, _)", TestGraphs.Nodes(after));
        after = Replace("x: Float32[1,3,2,2] -> y: Float32[1,3,2,2] { y = Relu(x) }", "Relu(x)", _ => "Add(Mul(x, 2), Float32[1,3,1,1] [1 2 3])");
        Assert.Equal("y_Mul = Mul(x, y_constant); y = Add(y_Mul, y_constant_1)", TestGraphs.Nodes(after));
    }

    [Fact]
    public void Attributes_and_lists_have_the_operators_types()
    {
        OnnxGraph after = Replace("x: Float32[4,4] -> y { y = Relu(x) }", "Relu(x)", _ => "LeakyRelu(Slice(x, [1, 1], [3, 3], [0, 1])){alpha=1}");
        Assert.Equal("y_Slice = Slice(x, y_constant, y_constant_1, y_constant_2); y = LeakyRelu(y_Slice){alpha=1.0}", TestGraphs.Nodes(after));
        Assert.Equal("y: Float32[2,2]", after.Outputs[0].ToString());
    }

    [Fact]
    public void Replaces_each_match_or_leaves_it()
    {
        OnnxGraph after = Replace("x: Float32[2] -> y: Float32[2] { a = Elu(x){alpha=2.0}; b = Elu(a); y = Elu(b){alpha=3.0} }", "Elu(x)", m => m.Attributes.TryGetValue("alpha", out object? alpha) ? FormattableString.Invariant($"Mul(x, {alpha})") : null);
        Assert.Equal("a = Mul(x, a_constant); b = Elu(a); y = Mul(b, y_constant)", TestGraphs.Nodes(after));
        Assert.Equal("-Pattern Elu(x): 2 of 3 replaced", after.History[^1].Parameters);
    }

    [Fact]
    public void Replaces_by_a_tensor_that_is_there()
    {
        Assert.Equal("y = Exp(x)", TestGraphs.Nodes(Replace("x: Float32[2] -> y: Float32[2] { a = Neg(x); b = Neg(a); y = Exp(b) }", "Neg(Neg(x))", _ => "x")));
        // Matches in a row: the second reads what took the first one's place.
        Assert.Equal("y = Exp(x)", TestGraphs.Nodes(Replace("x: Float32[2] -> y: Float32[2] { a = Identity(x); b = Identity(a); y = Exp(b) }", "Identity(x)", _ => "x")));
    }

    [Fact]
    public void What_others_read_of_the_match_stays()
    {
        OnnxGraph after = Replace("x: Float32[2] -> y: Float32[2], z: Float32[2] { s = Sigmoid(x); y = Mul(x, s); z = Neg(s) }", "Mul(x, Sigmoid(x))", _ => "HardSwish(x)");
        Assert.Equal("s = Sigmoid(x); y = HardSwish(x); z = Neg(s)", TestGraphs.Nodes(after));
    }

    [Fact]
    public void Replaces_by_a_node_with_new_weights()
    {
        OnnxGraph after = On("x: Float32[2] -> y: Float32[2] { a = Relu(x) @act; y = Exp(a) }", g =>
        {
            PatternSession session = PatternSession.Start(g, "Relu(x)");
            session.Replace(session.Matches[0], new NodeSpec { OpType = "PRelu", Inputs = ["x", "slope"], Initializers = [Operating.Tensor("slope", 0.1f)] });
            return session.Finish();
        });
        Assert.Equal("a = PRelu(x, slope); y = Exp(a)", TestGraphs.Nodes(after));
        Assert.Equal("act", after.Nodes[0].Name);
    }

    [Fact]
    public void Subgraphs_are_looked_through_too()
    {
        OnnxGraph after = Replace("c: Bool, x: Float32[2] -> y: Float32[2] { y = If(c){then_branch=() -> t: Float32[2] { s = Sigmoid(x); t = Mul(x, s) }, else_branch=() -> e: Float32[2] { e = Abs(x) }} }", "Mul(x, Sigmoid(x))", _ => "Mul(x, 2)");
        Assert.Contains("t: Float32[2] = Mul(x, t_constant)", TestGraphs.Print(after), StringComparison.Ordinal);
        Assert.DoesNotContain("Sigmoid", TestGraphs.Print(after), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Relu(x", "x", ErrorCode.OptionInvalid)]
    [InlineData("x", "x", ErrorCode.OptionInvalid)]
    [InlineData("Relu(x)", "Add(x", ErrorCode.OptionInvalid)]
    [InlineData("Relu(x)", "Add(x, q)", ErrorCode.TensorNotFound)]
    [InlineData("Relu(x)", "Not(x)", ErrorCode.ChangeRefused)]
    [InlineData("Relu(x)", "Exp(y)", ErrorCode.ChangeRefused)]
    public void What_is_wrong_is_said(string pattern, string replacement, ErrorCode code) => Refused("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", code, g =>
    {
        PatternSession session = PatternSession.Start(g, pattern);
        session.Replace(session.Matches[0], replacement);
        session.Finish();
    });

    [Fact]
    public void Functions_are_expanded_by_name()
    {
        const string Graph = "<f 1> x: Float32[2] -> y: Float32[2] { a = f::Twice(x); y = f::Flip(a) } function f::Twice(p) -> q { q = Add(p, p) } function f::Flip(p) -> q { q = Neg(p) }";
        OnnxGraph all = On(Graph, g => FunctionInlining.Expand(g, [], Report.None));
        Assert.Equal("a = Add(x, x); y = Neg(a)", TestGraphs.Nodes(all));
        Assert.Empty(all.Functions);
        Assert.False(all.Opset.ContainsKey("f"));
        OnnxGraph one = On(Graph, g => FunctionInlining.Expand(g, ["f::Tw*"], Report.None));
        Assert.Equal("a = Add(x, x); y = f::Flip(a)", TestGraphs.Nodes(one));
        Assert.True(one.Opset.ContainsKey("f"));
        Assert.Contains("'f::Flip'", Refused(Graph, ErrorCode.FunctionNotFound, g => FunctionInlining.Expand(g, ["f::Flop"], Report.None)).Message, StringComparison.Ordinal);
    }
}
