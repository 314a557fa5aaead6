using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class SelectionTests
{
    private const string Graph = "x: Float32[N,3], m: Float32[3] -> y: Float32[N,3], z: Float32[N,3] { w = Float32[3] ones; a = Mul(x, w); b = Relu(a); c = Add(b, m); y = Exp(c); z = Neg(b) }";

    private static OnnxGraph Select(string text, string[] inputs, string[] outputs) => On(text, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = inputs, Outputs = outputs }, Report.None));

    [Theory]
    [InlineData("a", "b", "b = Relu(a)", "a: Float32[N,3]")]
    [InlineData("", "b", "a = Mul(x, w); b = Relu(a)", "x: Float32[N,3]")]
    [InlineData("b;m", "", "c = Add(b, m); y = Exp(c); z = Neg(b)", "b: Float32[N,3];m: Float32[3]")]
    [InlineData("c", "", "y = Exp(c)", "c: Float32[N,3]")]
    [InlineData("w;x", "a", "a = Mul(x, w)", "w: Float32[3];x: Float32[N,3]")]
    // An output that is an input.
    [InlineData("b", "b;z", "z = Neg(b)", "b: Float32[N,3]")]
    public void Holds_what_lies_between(string inputs, string outputs, string nodes, string expected)
    {
        OnnxGraph part = Select(Graph, inputs.Split(';', StringSplitOptions.RemoveEmptyEntries), outputs.Split(';', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(nodes, TestGraphs.Nodes(part));
        Assert.Equal(expected.Split(';'), part.Inputs.Select(i => i.ToString()));
        Assert.All(part.Outputs, o => Assert.Equal("Float32[N,3]", o.ToString().Split(": ")[1]));
    }

    [Fact]
    public void Computes_what_the_whole_does()
    {
        OnnxGraph whole = TestGraphs.Parse("x: Float32[2,3] -> y: Float32[2,3] { w = Float32[3] random(1); a = Mul(x, w); b = Sin(a); y = Exp(b) }");
        AssertSameResults(SubgraphSelection.Select(whole, new SubgraphOptions(), Report.None), whole);
    }

    [Fact]
    public void Shapes_and_types_can_be_given()
    {
        OnnxGraph part = On(Graph, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["a"], Outputs = ["b"], Shapes = new Dictionary<string, IReadOnlyList<string>> { ["a"] = ["8", "3"] } }, Report.None));
        Assert.Equal(["a: Float32[8,3]", "b: Float32[8,3]"], part.Inputs.Concat(part.Outputs).Select(t => t.ToString()));
        const string Unknown = "<lib 1> x: Float32[2] -> y: Float32[2] { a = lib::Odd(x); y = Exp(a) }";
        Assert.Contains("-DataType", Refused(Unknown, ErrorCode.ShapeUnknown, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["a"] }, Report.None)).Message, StringComparison.Ordinal);
        part = On(Unknown, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["a"], Types = new Dictionary<string, DataType> { ["a"] = DataType.Float32 } }, Report.None));
        Assert.Equal("y = Exp(a)", TestGraphs.Nodes(part));
        Refused(Graph, ErrorCode.TensorNotFound, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["a"], Outputs = ["b"], Shapes = new Dictionary<string, IReadOnlyList<string>> { ["q"] = ["8"] } }, Report.None));
    }

    [Fact]
    public void What_else_is_needed_is_said()
    {
        Assert.Contains("'m'", Refused(Graph, ErrorCode.ChangeRefused, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["b"], Outputs = ["y"] }, Report.None)).Message, StringComparison.Ordinal);
        Refused(Graph, ErrorCode.ChangeRefused, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["y"], Outputs = ["b"] }, Report.None));
        Assert.Contains("'a'", Refused(Graph, ErrorCode.TensorNotFound, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["aa"] }, Report.None)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_input_that_leads_nowhere_stays_with_a_warning()
    {
        RecordingReport report = new();
        OnnxGraph part = SubgraphSelection.Select(TestGraphs.Parse(Graph), new SubgraphOptions { Inputs = ["a", "m"], Outputs = ["b"] }, report);
        Assert.Equal(["a", "m"], part.Inputs.Select(i => i.Name));
        Assert.Contains(report.Warnings, w => w.Contains("'m'", StringComparison.Ordinal));
    }

    [Fact]
    public void Subgraphs_take_what_they_read_and_functions_come_along()
    {
        const string Branch = "c: Bool, x: Float32[2] -> y: Float32[2] { k = Float32[2] ones; r = Add(x, k); s = Neg(r); i = If(c){then_branch=() -> t: Float32[2] { t = Mul(s, k) }, else_branch=() -> e: Float32[2] { e = Identity(s) }}; y = Exp(i) }";
        OnnxGraph part = On(Branch, g => SubgraphSelection.Select(g, new SubgraphOptions { Inputs = ["c", "r"], Outputs = ["i"] }, Report.None));
        Assert.Equal(["k"], part.Initializers.Select(i => i.Name));
        Assert.StartsWith("s = Neg(r); i = If(c)", TestGraphs.Nodes(part), StringComparison.Ordinal);
        const string Call = "<f 1> x: Float32[2] -> y: Float32[2] { a = f::Twice(x); y = Exp(a) } function f::Twice(p) -> q { q = Add(p, p) } function f::Other(p) -> q { q = Neg(p) }";
        Assert.Equal(["f::Twice"], On(Call, g => SubgraphSelection.Select(g, new SubgraphOptions { Outputs = ["a"] }, Report.None)).Functions);
    }

    [Fact]
    public void A_node_may_be_cut_at_one_output_and_needed_for_another()
    {
        OnnxGraph part = Select("<opset 18> x: Float32[4] -> y: Float32[2] { a, b = Split(x){num_outputs=2}; y = Add(a, b) }", ["x", "a"], ["y"]);
        Assert.Equal("a_1, b = Split(x){num_outputs=2}; y = Add(a, b)", TestGraphs.Nodes(part));
    }

    [Fact]
    public void A_cut_gives_parts_that_compute_what_the_whole_does()
    {
        OnnxGraph whole = TestGraphs.Parse("x: Float32[2,3] -> y: Float32[2,3], z: Float32[2,3] { w = Float32[3] random(1); a = Mul(x, w); b = Sin(a); z = Neg(a); y = Mul(b, w) }");
        IReadOnlyList<OnnxGraph> parts = GraphSplit.At(whole, ["a"], complete: false, Report.None);
        Assert.Equal(["a = Mul(x, w)", "b = Sin(a); z = Neg(a); y = Mul(b, w)"], parts.Select(TestGraphs.Nodes));
        Assert.Equal(["test-1", "test-2"], parts.Select(p => p.Name));
        Assert.All(parts, AssertSound);
        OnnxGraph joined = GraphMerge.Merge(parts[0], parts[1], new MergeOptions());
        Assert.Equal(["y", "z"], joined.Outputs.Select(o => o.Name));
        AssertSameResults(whole, joined);
    }

    [Fact]
    public void A_cut_that_is_not_complete_is_refused_or_completed()
    {
        const string Skip = "x: Float32[2] -> y: Float32[2] { a = Relu(x); b = Sin(a); c = Neg(b); y = Add(c, a) }";
        Assert.Contains("'a'", Refused(Skip, ErrorCode.ChangeRefused, g => GraphSplit.At(g, ["b"], complete: false, Report.None)).Message, StringComparison.Ordinal);
        IReadOnlyList<OnnxGraph> parts = GraphSplit.At(TestGraphs.Parse(Skip), ["b"], complete: true, Report.None);
        Assert.Equal(["a = Relu(x); b = Sin(a)", "c = Neg(b); y = Add(c, a)"], parts.Select(TestGraphs.Nodes));
        Assert.Equal(["a", "b"], parts[1].Inputs.Select(i => i.Name));
        Refused(Skip, ErrorCode.ChangeRefused, g => GraphSplit.At(g, ["x"], complete: true, Report.None));
        Refused(Skip, ErrorCode.ChangeRefused, g => GraphSplit.At(g, ["y"], complete: true, Report.None));
    }

    [Fact]
    public void Parts_of_about_equal_size_are_cut_where_few_tensors_cross()
    {
        OnnxGraph whole = TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { a = Relu(x); b = Sin(a); c = Add(a, b); d = Neg(c); e = Exp(d); f = Add(d, e); g = Abs(f); y = Add(f, g) }");
        IReadOnlyList<OnnxGraph> parts = GraphSplit.Into(whole, 2, Report.None);
        Assert.Equal(["a = Relu(x); b = Sin(a); c = Add(a, b); d = Neg(c)", "e = Exp(d); f = Add(d, e); g = Abs(f); y = Add(f, g)"], parts.Select(TestGraphs.Nodes));
        foreach (int count in new[] { 2, 3, 8 })
        {
            OnnxGraph joined = GraphSplit.Into(whole, count, Report.None).Aggregate((one, two) => GraphMerge.Merge(one, two, new MergeOptions { Map = [.. two.Inputs.Select(i => KeyValuePair.Create(i.Name, i.Name))], KeepOutput = true }));
            Assert.Equal(8, joined.Nodes.Count);
        }
        Refused("x: Float32[2] -> y: Float32[2] { y = Relu(x) }", ErrorCode.OptionInvalid, g => GraphSplit.Into(g, 2, Report.None));
    }
}
