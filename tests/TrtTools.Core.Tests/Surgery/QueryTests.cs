using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Tests.Surgery;

public sealed class QueryTests
{
    private static readonly OnnxGraph s_graph = TestGraphs.Parse("x: Float32[N,3], c: Bool -> y: Float32[N,3], z { w = Float32[3] ones; k = Constant(){value=Int64 1}; a = Mul(x, w) @mul; b = Relu(a) @\"act[1]\"; "
        + "y = Add(b, w) @add; z = If(c){then_branch=() -> t: Float32[N,3] { t = Neg(b) @inner }, else_branch=() -> e: Float32[N,3] { e = Abs(a) }} @branch }");

    private static string Nodes(NodeQuery query) => string.Join(' ', GraphQuery.Nodes(s_graph, query).Select(n => n.Name));

    private static string Tensors(TensorQuery query) => string.Join(' ', GraphQuery.Tensors(s_graph, query).Select(n => n.Name));

    [Fact]
    public void Nodes_by_name_operator_and_tensor()
    {
        Assert.Equal("k mul act[1] add branch", Nodes(new NodeQuery()));
        Assert.Equal("k mul act[1] add branch inner e", Nodes(new NodeQuery { Recurse = true }));
        Assert.Equal("act[1] add", Nodes(new NodeQuery { Name = ["a*"] }));
        Assert.Equal("act[1]", Nodes(new NodeQuery { Name = ["act[1]"] }));
        Assert.Equal("inner", Nodes(new NodeQuery { Name = ["inner"] }));
        Assert.Equal("", Nodes(new NodeQuery { Name = ["inn*"] }));
        Assert.Equal("mul add", Nodes(new NodeQuery { OpType = ["mul", "ADD"] }));
        Assert.Equal("mul add", Nodes(new NodeQuery { OpType = ["ai.onnx::*"], InputTensor = ["w"] }));
        Assert.Equal("act[1]", Nodes(new NodeQuery { OutputTensor = ["b"] }));
        Assert.Contains("'mul'", Assert.Throws<TrtToolsException>(() => Nodes(new NodeQuery { Name = ["mull"] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nodes_up_and_down_the_stream()
    {
        Assert.Equal("mul act[1]", Nodes(new NodeQuery { UpstreamOf = ["b"] }));
        Assert.Equal("mul", Nodes(new NodeQuery { UpstreamOf = ["act[1]"] }));
        Assert.Equal("mul act[1]", Nodes(new NodeQuery { UpstreamOf = ["add"] }));
        Assert.Equal("act[1]", Nodes(new NodeQuery { UpstreamOf = ["add"], Depth = 1 }));
        // A branch reads for the node around it.
        Assert.Equal("mul act[1]", Nodes(new NodeQuery { UpstreamOf = ["branch"] }));
        Assert.Equal("add branch", Nodes(new NodeQuery { DownstreamOf = ["b"] }));
        Assert.Equal("add branch inner", Nodes(new NodeQuery { DownstreamOf = ["b"], Recurse = true }));
        Assert.Equal("mul act[1] add branch", Nodes(new NodeQuery { DownstreamOf = ["x"] }));
    }

    [Fact]
    public void Tensors_by_what_they_are()
    {
        Assert.Equal("x c", Tensors(new TensorQuery { IsInput = true }));
        Assert.Equal("y z", Tensors(new TensorQuery { IsOutput = true }));
        Assert.Equal("w", Tensors(new TensorQuery { IsInitializer = true }));
        Assert.Equal("k a b", Tensors(new TensorQuery { IsInput = false, IsOutput = false, IsInitializer = false }));
        Assert.Equal("a", Tensors(new TensorQuery { Producer = ["Mul"] }));
        Assert.Equal("x w", Tensors(new TensorQuery { Consumer = ["mul"] }));
        Assert.Equal("c", Tensors(new TensorQuery { DataType = DataType.Bool }));
        Assert.Equal("t", Tensors(new TensorQuery { Name = ["t"] }));
        Assert.Equal("x w k a b y z c", string.Join(' ', GraphQuery.Tensors(s_graph, new TensorQuery()).Select(t => t.Name).OrderBy("x w k a b y z c".IndexOf)));
        GraphTensor a = Assert.Single(GraphQuery.Tensors(s_graph, new TensorQuery { Name = ["a"] }));
        // The file says nothing of it: inference does, and leaves the graph as it is.
        Assert.Equal("a: Float32[N,3]", a.ToString());
        Assert.Null(s_graph.Body.Find("a")!.Type);
        Assert.Equal("mul", a.Producer!.Name);
        Assert.Equal(["act[1]", "e"], a.GetConsumers().Select(n => n.Name));
        Assert.Equal("branch/then_branch", GraphQuery.Tensors(s_graph, new TensorQuery { Name = ["t"] })[0].Scope);
    }

    [Fact]
    public void Weights_with_their_content()
    {
        Tensor w = Assert.Single(GraphQuery.Initializers(s_graph, new TensorQuery(), constantNodes: false));
        Assert.Equal([1f, 1f, 1f], (float[])w.Data);
        Assert.Equal(["w", "k"], GraphQuery.Initializers(s_graph, new TensorQuery(), constantNodes: true).Select(t => t.Name));
        Assert.Equal(["k"], GraphQuery.Initializers(s_graph, new TensorQuery { DataType = DataType.Int64 }, constantNodes: true).Select(t => t.Name));
        Assert.Equal(["w"], GraphQuery.Initializers(s_graph, new TensorQuery { Consumer = ["Add"] }, constantNodes: true).Select(t => t.Name));
        Assert.Equal(ErrorCode.TensorNotFound, Assert.Throws<TrtToolsException>(() => GraphQuery.Initializers(s_graph, new TensorQuery { Name = ["a"] }, constantNodes: false)).Code);
    }
}
