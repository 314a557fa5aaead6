using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class NodeRemovalTests
{
    private static string After(string text, NodeRemovalOptions options) => TestGraphs.Nodes(On(text, g => NodeRemoval.Remove(g, options)));

    [Theory]
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Relu(x); b = Neg(a); y = Exp(b) }", "b", "a = Relu(x); y = Exp(a)")]
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Relu(x); b = Neg(a); y = Exp(b) }", "*b", "a = Relu(x); y = Exp(a)")]
    // A chain of nodes at once.
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Relu(x); b = Neg(a); y = Exp(b) }", "a;b", "y = Exp(x)")]
    // The graph's output keeps its name.
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", "y", "y = Relu(x)")]
    // What only an input can give is carried by a node.
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Exp(x) }", "y", "y = Identity(x)")]
    // The constant is not what the readers read, and goes.
    [InlineData("x: Float32[2] -> y: Float32[2] { k = Float32 2.0; a = Mul(k, x); y = Exp(a) }", "a", "y = Exp(x)")]
    // Names with wildcard characters are taken as they stand first.
    [InlineData("x: Float32[2] -> y: Float32[2] { \"a*\" = Relu(x); ab = Neg(\"a*\"); y = Exp(ab) }", "a*", "ab = Neg(x); y = Exp(ab)")]
    [InlineData("x: Float32[2] -> y: Float32[2] { \"a[0]\" = Relu(x); y = Exp(\"a[0]\") }", "a[0]", "y = Exp(x)")]
    public void Readers_read_what_the_node_read(string graph, string names, string expected) => Assert.Equal(expected, After(graph, new NodeRemovalOptions { Name = names.Split(';'), Reconnect = true }));

    [Fact]
    public void All_nodes_of_an_operator_go() =>
        Assert.Equal("y = Exp(x)", After("x: Float32[2] -> y: Float32[2] { a = Identity(x); b = Identity(a); y = Exp(b) }", new NodeRemovalOptions { OpType = ["identity"], Reconnect = true }));

    [Fact]
    public void An_input_can_be_chosen() =>
        Assert.Equal("y = Exp(z)", After("x: Float32[2], z: Float32[2] -> y: Float32[2] { a = Add(x, z); y = Exp(a) }", new NodeRemovalOptions { Name = ["a"], Reconnect = true, Through = "z" }));

    [Fact]
    public void Outputs_and_inputs_go_in_pairs()
    {
        // A node of another library, with as many outputs that are read as inputs.
        const string Graph = "<lib 1> x: Float32[2], z: Float32[2] -> y: Float32[2] { a: Float32[2], b: Float32[2] = lib::Both(x, z); y = Sub(a, b) }";
        Assert.Equal("y = Sub(x, z)", After(Graph, new NodeRemovalOptions { Name = ["a"], Reconnect = true }));
        Assert.Contains("no input 1", Refused("<opset 18> x: Float32[4] -> y: Float32[2] { a, b = Split(x){num_outputs=2}; y = Add(a, b) }", ErrorCode.ChangeRefused, g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["a"], Reconnect = true })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_only_fed_the_node_goes_too_unless_it_is_to_stay()
    {
        const string Graph = "x: Float32[2] -> y: Float32[2] { k = Float32[2] ones; n = Neg(k); a = Mul(x, n); y = Exp(a) }";
        Assert.Equal("y = Exp(x)", After(Graph, new NodeRemovalOptions { Name = ["a"], Reconnect = true }));
        Assert.Equal("n = Neg(k); y = Exp(x)", After(Graph, new NodeRemovalOptions { Name = ["a"], Reconnect = true, KeepUnused = true }));
    }

    [Fact]
    public void A_stub_is_an_input_of_the_same_name_and_type()
    {
        OnnxGraph after = On("x: Float32[2,N] -> y: Float32[2] { a = Relu(x); b = Neg(a); y = ReduceMax(b){axes=[1], keepdims=0} }", g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["b"], Stub = NodeStub.Input }));
        Assert.Equal("b: Float32[2,N]", after.Inputs.Single(i => i.Name == "b").ToString());
        Assert.Equal("y = ReduceMax(b){axes=[1], keepdims=0}", TestGraphs.Nodes(after));
    }

    [Fact]
    public void A_stub_of_zeros_is_a_constant()
    {
        OnnxGraph after = On("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["a"], Stub = NodeStub.Zero }));
        Assert.Equal("y = Exp(a)", TestGraphs.Nodes(after));
        Assert.Equal([0f, 0f], after.Body.Find("a")!.Data!.AsSpan<float>().ToArray());
        // An output comes from a node.
        Assert.Equal("y = Identity(y_zero)", After("x: Float32[2] -> y: Float32[2] { y = Relu(x) }", new NodeRemovalOptions { Name = ["y"], Stub = NodeStub.Zero }));
    }

    [Fact]
    public void Nodes_of_subgraphs_go_too()
    {
        const string Graph = "c: Bool, x: Float32[2] -> y: Float32[2] { r = Relu(x); y = If(c){then_branch=() -> t: Float32[2] { n = Neg(r); t = Exp(n) }, else_branch=() -> e: Float32[2] { e = Abs(r) }} }";
        OnnxGraph after = On(Graph, g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["n"], Reconnect = true }));
        Assert.Contains("Exp(r)", TestGraphs.Print(after), StringComparison.Ordinal);
        // The node around goes with all that is in it, and what the branches alone read.
        Assert.Equal("y = Identity(c)", TestGraphs.Nodes(On(Graph.Replace("y: Float32[2] {", "y {", StringComparison.Ordinal), g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["y", "n"], Reconnect = true }))));
    }

    [Fact]
    public void A_body_that_returns_an_outer_value_follows()
    {
        const string Graph = "c: Bool, x: Float32[2] -> y: Float32[2] { r = Relu(x); s = Neg(r); y = If(c){then_branch=() -> s { }, else_branch=() -> e: Float32[2] { e = Abs(r) }} }";
        OnnxGraph after = NodeRemoval.Remove(TestGraphs.Parse(Graph), new NodeRemovalOptions { Name = ["s"], Reconnect = true });
        Assert.Same(after.Body.Find("r"), after.Body.Find("y")!.Producer!.Attributes.Subgraph("then_branch")!.Outputs[0]);
    }

    [Fact]
    public void A_node_that_is_read_needs_something_in_its_place() =>
        Assert.Contains("-Reconnect", Refused("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", ErrorCode.ChangeRefused, g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["a"] })).Message, StringComparison.Ordinal);

    [Fact]
    public void A_node_that_nobody_reads_just_goes() =>
        Assert.Equal("y = Exp(x)", After("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(x) }", new NodeRemovalOptions { Name = ["a"] }));

    [Fact]
    public void A_reader_that_would_not_take_the_input_stops_it()
    {
        TrtToolsException error = Refused("x: Float32[2] -> y: Bool[2] { a = Greater(x, x); y = Not(a) }", ErrorCode.ChangeRefused, g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["a"], Reconnect = true }));
        Assert.Contains("'y' (Not)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_names_give_the_nearest()
    {
        const string Graph = "x: Float32[2] -> y: Float32[2] { conv1 = Relu(x); y = Exp(conv1) }";
        Assert.Contains("'conv1'", Refused(Graph, ErrorCode.NodeNotFound, g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["conv2"] })).Message, StringComparison.Ordinal);
        Assert.Contains("'Relu'", Refused(Graph, ErrorCode.NodeNotFound, g => NodeRemoval.Remove(g, new NodeRemovalOptions { OpType = ["Relux"] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Several_nodes_of_one_name_go_by_their_tensors()
    {
        const string Graph = "x: Float32[2] -> y: Float32[2] { a = Relu(x) @same; b = Neg(a) @same; y = Exp(b) }";
        Assert.Contains("'b'", Refused(Graph, ErrorCode.NodeNotFound, g => NodeRemoval.Remove(g, new NodeRemovalOptions { Name = ["same"], Reconnect = true })).Message, StringComparison.Ordinal);
        Assert.Equal("a = Relu(x); y = Exp(a)", After(Graph, new NodeRemovalOptions { Name = ["b"], Reconnect = true }));
    }
}
