using TrtTools.Ir;
using TrtTools.Surgery;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class NodeInsertionTests
{
    private const string Chain = "x: Float32[2,3] -> y: Float32[2,3] { a = Relu(x); y = Exp(a) }";
    private const string Branch = "c: Bool, x: Float32[2] -> y: Float32[2] { r = Relu(x); y = If(c){then_branch=() -> t: Float32[2] { t = Neg(r) }, else_branch=() -> e: Float32[2] { e = Abs(r) }} }";

    [Fact]
    public void Goes_behind_a_tensor_and_its_readers_read_it() =>
        Assert.Equal("a = Relu(x); b = Tanh(a); y = Exp(b)", TestGraphs.Nodes(On(Chain, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Tanh", InsertAfter = "a", Outputs = ["b"] }))));

    [Fact]
    public void Behind_an_input_all_readers_follow() =>
        Assert.Equal("b = Neg(x); a = Relu(b); y = Add(a, b)", TestGraphs.Nodes(On("x: Float32[2,3] -> y: Float32[2,3] { a = Relu(x); y = Add(a, x) }", g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", InsertAfter = "x", Outputs = ["b"] }))));

    [Fact]
    public void Behind_an_output_the_output_keeps_its_name()
    {
        OnnxGraph after = On(Chain, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", InsertAfter = "y" }));
        Assert.Equal("a = Relu(x); y_before = Exp(a); y = Neg(y_before)", TestGraphs.Nodes(after));
        Assert.Equal(["y"], after.Outputs.Select(o => o.Name));
        // A calibration cache that knows y means the value that is y_before now.
        Assert.Equal(["y"], after.Body.Find("y_before")!.Origin.TensorNames);
        Assert.DoesNotContain("y", after.Body.Find("y")!.Origin.TensorNames);
    }

    [Fact]
    public void Only_the_named_readers_read_the_new_output() =>
        Assert.Equal("a = Relu(x); n = Neg(a); b = Exp(n); y = Add(a, b)",
            TestGraphs.Nodes(On("x: Float32[2] -> y: Float32[2] { a = Relu(x); b = Exp(a); y = Add(a, b) }", g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", InsertAfter = "a", Outputs = ["n"], Consumers = ["b"] }))));

    [Fact]
    public void Readers_in_subgraphs_follow() =>
        Assert.Contains("t: Float32[2] = Neg(r2)", TestGraphs.Print(On(Branch, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Sin", InsertAfter = "r", Outputs = ["r2"] }))), StringComparison.Ordinal);

    [Fact]
    public void Stands_in_the_subgraph_that_its_tensor_is_of()
    {
        string text = TestGraphs.Print(On(Branch, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Sin", InsertAfter = "t" })));
        Assert.Contains("t_before = Neg(r)", text.Replace(": Float32[2]", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("t: Float32[2] = Sin(t_before)", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Takes_new_initializers_and_attributes()
    {
        OnnxGraph after = On(Chain, g => NodeInsertion.Add(g, new NodeSpec { OpType = "LeakyRelu", InsertAfter = "a", Attributes = new Dictionary<string, object> { ["alpha"] = 1 } }));
        Assert.Equal(1f, after.Body.Nodes.Single(n => n.OpType == "LeakyRelu").Attributes.Float("alpha", 0));
        after = On(Chain, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Mul", InsertAfter = "a", Inputs = ["s"], Outputs = ["m"], Initializers = [Operating.Tensor("s", 2)] }));
        Assert.Equal("a = Relu(x); m = Mul(a, s); y = Exp(m)", TestGraphs.Nodes(after));
    }

    [Fact]
    public void An_output_that_is_there_is_computed_by_the_new_node_and_the_old_one_goes() =>
        Assert.Equal("y = Neg(x)", TestGraphs.Nodes(On(Chain, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", Inputs = ["x"], Outputs = ["y"] }))));

    [Fact]
    public void Moves_before_what_reads_it() =>
        Assert.Equal("b = Exp(x); a = Neg(b); y = Add(a, b)",
            TestGraphs.Nodes(On("x: Float32[2] -> y: Float32[2] { a = Relu(x); b = Exp(x); y = Add(a, b) }", g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", Inputs = ["b"], Outputs = ["a"] }))));

    [Fact]
    public void A_circle_is_refused_with_its_nodes()
    {
        TrtToolsException error = Refused(Chain, ErrorCode.ChangeRefused, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", Inputs = ["y"], Outputs = ["a"] }));
        Assert.Contains("'y'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_domains_are_imported() =>
        Assert.Equal(1, On(Chain, g => NodeInsertion.Add(g, new NodeSpec { OpType = "com.microsoft::Gelu", InsertAfter = "a" })).Opset["com.microsoft"]);

    [Theory]
    [InlineData("Relux", "a", "Relu", ErrorCode.ChangeRefused)]     // no such operator, with the nearest
    [InlineData("Not", "a", "Float32", ErrorCode.ChangeRefused)]    // takes Booleans
    [InlineData("Conv", "a", "Conv", ErrorCode.ChangeRefused)]      // needs weights
    [InlineData("Relu", "aa", "'a'", ErrorCode.TensorNotFound)]
    public void What_would_break_the_graph_is_refused_with_the_reason(string opType, string after, string said, ErrorCode code) =>
        Assert.Contains(said, Refused(Chain, code, g => NodeInsertion.Add(g, new NodeSpec { OpType = opType, InsertAfter = after })).Message, StringComparison.Ordinal);

    [Fact]
    public void Names_that_are_taken_are_refused()
    {
        Assert.Contains("'x'", Refused(Chain, ErrorCode.ChangeRefused, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", Inputs = ["a"], Outputs = ["x"] })).Message, StringComparison.Ordinal);
        Assert.Contains("'y'", Refused(Chain, ErrorCode.ChangeRefused, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", InsertAfter = "a", Name = "y" })).Message, StringComparison.Ordinal);
        // A name that a subgraph uses would hide the new one there.
        Refused(Branch, ErrorCode.ChangeRefused, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", InsertAfter = "r", Outputs = ["t"] }));
    }

    [Fact]
    public void An_output_that_is_an_input_cannot_move() =>
        Assert.Contains("output", Refused("x: Float32[2] -> x, y: Float32[2] { y = Relu(x) }", ErrorCode.ChangeRefused, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Neg", InsertAfter = "x" })).Message, StringComparison.Ordinal);

    [Fact]
    public void An_absent_optional_input_has_an_empty_name()
    {
        OnnxGraph after = On(Chain, g => NodeInsertion.Add(g, new NodeSpec { OpType = "Clip", InsertAfter = "a", Inputs = ["a", "", "top"], Outputs = ["c"], Initializers = [Operating.Tensor("top", 6)] }));
        Assert.Equal("a = Relu(x); c = Clip(a, _, top); y = Exp(c)", TestGraphs.Nodes(after));
    }

    [Fact]
    public void A_graph_can_be_an_attribute()
    {
        OnnxGraph body(string op) => TestGraphs.Parse($"<opset 17> -> a: Float32[2] {{ k = Float32[2] [1, 2]; a = {op}(k) }}");
        OnnxGraph after = On("c: Bool, x: Float32[2] -> y: Float32[2] { y = Relu(x) }", g => OutputChange.Set(NodeInsertion.Add(g, new NodeSpec
        {
            OpType = "If", Inputs = ["c"], Outputs = ["z"], Attributes = new Dictionary<string, object> { ["then_branch"] = body("Neg"), ["else_branch"] = body("Abs") },
        }), new OutputChangeOptions { Name = ["z"], Action = OutputAction.Add }, Report.None) is var two ? WithOneChange(two) : throw new InvalidOperationException());
        Assert.Equal("If", after.Body.Find("z")!.Producer!.OpType);
    }

    // Two operations in one: the helper counts one line of history.
    private static OnnxGraph WithOneChange(OnnxGraph graph)
    {
        graph.History = [graph.History[^1]];
        return graph;
    }

    [Fact]
    public void Stale_declarations_behind_the_node_follow()
    {
        OnnxGraph after = On("x: Float32[2,3] -> y: Float32[2,3] { a: Float32[2,3] = Relu(x); b: Float32[2,3] = Neg(a); y = Exp(b) }",
            g => NodeInsertion.Add(g, new NodeSpec { OpType = "Transpose", InsertAfter = "a" }));
        Assert.Equal("Float32[3,2]", after.Body.Find("b")!.Type!.ToString());
        Assert.Equal("Float32[3,2]", after.Body.Find("y")!.Type!.ToString());
        Assert.Equal("Float32[2,3]", after.Body.Find("a")!.Type!.ToString());
    }
}
