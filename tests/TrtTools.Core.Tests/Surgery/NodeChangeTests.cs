using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class NodeChangeTests
{
    private const string Graph = "x: Float32[1,1,4,4] -> y: Float32[1,1,4,4] { w = Float32[1,1,3,3] ones; c: Float32[1,1,4,4] = Conv(x, w){pads=[1,1,1,1]}; y = Relu(c) }";

    private static OnnxGraph Set(string text, NodeChangeOptions options) => On(text, g => NodeChange.Set(g, options));

    [Fact]
    public void Attributes_are_set_and_removed()
    {
        Assert.Equal("c = Conv(x, w){group=1, pads=[1, 1, 1, 1]}; y = Relu(c)", TestGraphs.Nodes(Set(Graph, new NodeChangeOptions { Name = ["c"], Attributes = new Dictionary<string, object?> { ["group"] = 1 } })));
        OnnxGraph after = Set(Graph, new NodeChangeOptions { Name = ["c"], Attributes = new Dictionary<string, object?> { ["pads"] = null } });
        Assert.Equal("c = Conv(x, w); y = Relu(c)", TestGraphs.Nodes(after));
        // What was declared for the old shape follows.
        Assert.Equal("Float32[1,1,2,2]", after.Body.Find("y")!.Type!.ToString());
    }

    [Fact]
    public void The_operator_decides_between_whole_and_other_numbers()
    {
        OnnxGraph after = Set("x: Float32[2] -> y: Float32[2] { y = Relu(x) }", new NodeChangeOptions { Name = ["y"], OpType = "Elu", Attributes = new Dictionary<string, object?> { ["alpha"] = 2 } });
        Assert.Equal("y = Elu(x){alpha=2.0}", TestGraphs.Nodes(after));
        Refused("x: Float32[2] -> y: Float32[2] { y = Relu(x) }", ErrorCode.OptionInvalid, g => NodeChange.Set(g, new NodeChangeOptions { Name = ["y"], OpType = "Elu", Attributes = new Dictionary<string, object?> { ["alpha"] = "two" } }));
    }

    [Fact]
    public void The_operator_of_many_nodes_changes_at_once() =>
        Assert.Equal("a = Tanh(x); b = Tanh(a); y = Exp(b)", TestGraphs.Nodes(Set("x: Float32[2] -> y: Float32[2] { a = Relu(x) @act1; b = Relu(a) @act2; y = Exp(b) }", new NodeChangeOptions { Name = ["act*"], OpType = "Tanh" })));

    [Fact]
    public void Inputs_change_and_what_only_fed_the_old_ones_goes()
    {
        const string Text = "x: Float32[2], z: Float32[2] -> y: Float32[2] { k = Float32[2] ones; n = Neg(k); a = Add(x, n); y = Exp(a) }";
        Assert.Equal("a = Add(x, z); y = Exp(a)", TestGraphs.Nodes(Set(Text, new NodeChangeOptions { Name = ["a"], InputAt = new Dictionary<int, string> { [1] = "z" } })));
        Assert.Equal("n = Neg(k); a = Add(z, z); y = Exp(a)", TestGraphs.Nodes(Set(Text, new NodeChangeOptions { Name = ["a"], Inputs = ["z", "z"], KeepUnused = true })));
    }

    [Fact]
    public void An_optional_input_comes_and_goes()
    {
        Assert.Equal("c = Conv(x, w, bias){pads=[1, 1, 1, 1]}; y = Relu(c)",
            TestGraphs.Nodes(Set(Graph, new NodeChangeOptions { Name = ["c"], InputAt = new Dictionary<int, string> { [2] = "bias" }, Initializers = [new Tensor("bias", TensorData.Vector<float>(0.5f))] })));
        Assert.Equal("y = Clip(x, _, t)", TestGraphs.Nodes(Set("x: Float32[2] -> y: Float32[2] { b = Float32 0.0; t = Float32 6.0; y = Clip(x, b, t) }", new NodeChangeOptions { Name = ["y"], InputAt = new Dictionary<int, string> { [1] = "" } })));
        Assert.Equal("y = Clip(x, b)", TestGraphs.Nodes(Set("x: Float32[2] -> y: Float32[2] { b = Float32 0.0; t = Float32 6.0; y = Clip(x, b, t) }", new NodeChangeOptions { Name = ["y"], InputAt = new Dictionary<int, string> { [2] = "" } })));
    }

    [Fact]
    public void A_new_name_keeps_where_the_node_came_from()
    {
        Node node = Set(Graph, new NodeChangeOptions { Name = ["c"], NewName = "first" }).Body.Find("c")!.Producer!;
        Assert.Equal("first", node.Name);
        Assert.Equal(["c"], node.SourceNodes);
        Refused(Graph, ErrorCode.ChangeRefused, g => NodeChange.Set(g, new NodeChangeOptions { Name = ["c"], NewName = "y" }));
    }

    [Theory]
    [InlineData("pads", new long[] { 1, 1 }, "pads")]     // no table here knows, ONNX Runtime does
    [InlineData("auto_pad", 3L, "takes a text")]
    [InlineData("nothing", 1L, "'nothing'")]
    public void Attributes_that_break_the_node_are_refused(string name, object value, string said)
    {
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => NodeChange.Set(TestGraphs.Parse(Graph), new NodeChangeOptions { Name = ["c"], Attributes = new Dictionary<string, object?> { [name] = value } }));
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Circles_and_tensors_out_of_sight_are_refused()
    {
        Refused(Graph, ErrorCode.ChangeRefused, g => NodeChange.Set(g, new NodeChangeOptions { Name = ["c"], InputAt = new Dictionary<int, string> { [0] = "y" } }));
        const string Branch = "c: Bool, x: Float32[2] -> y: Float32[2] { y = If(c){then_branch=() -> t: Float32[2] { t = Neg(x) }, else_branch=() -> e: Float32[2] { e = Abs(x) }} }";
        Assert.Contains("then_branch", Refused(Branch, ErrorCode.ChangeRefused, g => NodeChange.Set(g, new NodeChangeOptions { Name = ["e"], Inputs = ["t"] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_wrong_before_does_not_stop_other_changes()
    {
        OnnxGraph broken = TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { a: Float32[2] = Crop(x); b: Float32[2] = Relu(a); y = Exp(b) }");
        OnnxGraph after = NodeChange.Set(broken, new NodeChangeOptions { Name = ["b"], OpType = "Tanh" });
        Assert.Equal("a = Crop(x); b = Tanh(a); y = Exp(b)", TestGraphs.Nodes(after));
        Assert.Throws<TrtToolsException>(() => NodeChange.Set(broken, new NodeChangeOptions { Name = ["b"], OpType = "Tenh" }));
    }
}
