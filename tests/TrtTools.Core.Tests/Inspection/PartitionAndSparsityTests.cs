using TrtTools.Audit;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;

namespace TrtTools.Tests.Inspection;

public sealed class PartitionAndSparsityTests
{
    private static IReadOnlyList<(GraphPartition Part, OnnxGraph Graph)> Split(string text) => GraphPartitioner.Split(TestGraphs.Parse(text), SupportTarget.Cpu, Report.None, CancellationToken.None);

    private static string[] Parts(IEnumerable<(GraphPartition Part, OnnxGraph Graph)> parts) => [.. parts.Select(p => $"{(p.Part.Supported ? "yes" : "no")} {string.Join('+', p.Part.NodeNames)}: {string.Join(',', p.Part.Inputs)} -> {string.Join(',', p.Part.Outputs)}")];

    [Fact]
    public void A_supported_graph_is_one_part() => Assert.Equal(["yes a+b: x -> b"], Parts(Split("x: Float32[2] -> b { a = Relu(x); b = Exp(a) }")));

    [Fact]
    public void Unsupported_nodes_are_cut_out() =>
        Assert.Equal(["yes a: x -> a", "no b+c: a -> c", "yes d: c -> d"], Parts(Split("x: Float32[2] -> d { a = Relu(x); b = Nope(a); c = Nope(b); d = Exp(c) }")));

    [Fact]
    public void A_way_around_does_not_make_a_part_read_its_own_results() =>
        // a and d may not be one part: d reads b, which reads a.
        Assert.Equal(["yes a+e: x -> a,e", "no b: a -> b", "yes d: b,e -> d"], Parts(Split("x: Float32[2] -> d { a = Relu(x); b = Nope(a); e = Exp(a); d = Add(b, e) }")));

    [Fact]
    public void Parts_that_do_not_touch_are_apart() =>
        Assert.Equal(["yes a: x -> a", "yes b: y -> b"], Parts(Split("x: Float32[2], y: Float32[2] -> a, b { a = Relu(x); b = Exp(y) }")));

    [Fact]
    public void A_node_is_unsupported_when_its_subgraph_is() =>
        Assert.Equal(["no y: c,x -> y"], Parts(Split("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch = () -> t { t = Relu(x) }, else_branch = () -> e { e = Nope(x) }} }")));

    [Fact]
    public void The_parts_of_style_candy_are_whole_graphs()
    {
        OnnxGraph graph = OnnxFile.Import(SharedModels.Path("style-candy"), Report.None, CancellationToken.None);
        IReadOnlyList<(GraphPartition Part, OnnxGraph Graph)> parts = GraphPartitioner.Split(graph, SupportTarget.Cpu, Report.None, CancellationToken.None);
        Assert.Contains(parts, p => !p.Part.Supported);
        Assert.Equal(graph.Nodes.Count, parts.Sum(p => p.Part.NodeCount));
        foreach ((GraphPartition part, OnnxGraph piece) in parts)
        {
            Assert.Equal(part.Supported, OperatorAudit.Check(piece, SupportTarget.Cpu, detailed: false).All(r => r.Supported));
            Assert.Equal(part.Outputs, piece.Outputs.Select(o => o.Name));
            if (part.Supported) OrtSession.Create(OnnxFile.Serialize(piece), new OrtOptions { Subject = "part" }).Dispose();
            else Assert.NotEmpty(part.Reasons);
        }
    }

    [Fact]
    public void Two_of_four_is_sparse_along_the_summed_axis()
    {
        WeightSparsity Of(string text) => Assert.Single(SparsityCheck.Check(TestGraphs.Parse(text), CancellationToken.None));
        Assert.True(Of("x: Float32[1,4] -> y { w = Float32[4,2] [1,2, 0,3, 4,0, 0,0]; y = MatMul(x, w) }").IsSparse);
        WeightSparsity dense = Of("x: Float32[1,4] -> y { w = Float32[4,2] [1,2, 1,3, 4,0, 0,0]; y = MatMul(x, w) }");
        Assert.Equal((false, 2L, 1L), (dense.IsSparse, dense.GroupCount, dense.DenseGroupCount));
        Assert.Equal(37.5, dense.ZeroPercent);
        // The same numbers along the other axis: two rows are no group of four.
        Assert.Equal("the summed axis has 2 elements, no multiple of 4", Of("x: Float32[1,2] -> y { w = Float32[2,4] [1,0,1,0, 1,0,1,0]; y = Gemm(x, w) }").Reason);
        Assert.True(Of("x: Float32[1,4] -> y { w = Float32[2,4] [1,0,1,0, 1,0,1,0]; y = Gemm(x, w){transB=1} }").IsSparse);
        Assert.False(Of("x: Float32[1,4] -> y { w = Float32[2,4] [1,0,1,1, 1,0,1,0]; y = Gemm(x, w){transB=1} }").IsSparse);
        Assert.True(Of("x: Float32[1,4,1,1] -> y { w = Float32[1,4,1,1] [0,1,1,0]; y = Conv(x, w) }").IsSparse);
        Assert.Empty(SparsityCheck.Check(TestGraphs.Parse("x: Float32[1,4], w: Float32[4,4] -> y { y = MatMul(x, w) }"), CancellationToken.None));
    }
}
