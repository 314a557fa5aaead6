using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Surgery;
using TrtTools.Tensors;
using TrtTools.Tests.Passes;

namespace TrtTools.Tests.Surgery;

/// <summary>What must not change what real models compute does not.</summary>
public sealed class SharedModelSurgeryTests(ITestOutputHelper output)
{
    private const string NotRunnable = "style-candy";

    private static IEnumerable<(string Name, OnnxGraph Graph)> Models() => SharedModels.Names.Select(n => (n, OnnxFile.Import(SharedModels.Path(n), Report.None, CancellationToken.None)));

    [Fact]
    public void Models_cut_and_joined_again_compute_the_same()
    {
        foreach ((string name, OnnxGraph graph) in Models())
        {
            OnnxGraph joined = GraphSplit.Into(graph, 3, Report.None).Aggregate((one, two) => GraphMerge.Merge(one, two, new MergeOptions { Map = [.. two.Inputs.Where(i => one.Body.Find(i.Name) is not null).Select(i => KeyValuePair.Create(i.Name, i.Name))], KeepOutput = true }));
            // Tensors that crossed a cut are outputs too: only the model's own are wanted.
            OnnxGraph same = OutputChange.Set(joined, new OutputChangeOptions { Name = [.. graph.Outputs.Select(o => o.Name)], Action = OutputAction.Only }, Report.None);
            output.WriteLine($"{name}: {graph.Nodes.Count} nodes, {same.Nodes.Count} after");
            AssertSame(name, graph, same);
        }
    }

    [Fact]
    public void Models_under_other_names_compute_the_same()
    {
        foreach ((string name, OnnxGraph graph) in Models())
        {
            string[] inside = [.. graph.Body.Values.Where(v => v.Graph == graph.Body && !v.IsGraphInput && !graph.Body.Outputs.Contains(v)).Select(v => v.Name)];
            OnnxGraph renamed = TensorRenaming.Rename(graph, [.. inside.Select((n, i) => KeyValuePair.Create(n, $"t{i}"))]);
            AssertSame(name, graph, renamed);
            Assert.Equal(inside.Length, renamed.Body.Values.Count(v => v.Name.StartsWith('t') && v.Origin.TensorNames.Count > 0));
        }
    }

    [Fact]
    public void Models_with_a_node_put_in_and_taken_out_compute_the_same()
    {
        foreach ((string name, OnnxGraph graph) in Models())
        {
            OnnxGraph more = graph;
            string[] tensors = [.. graph.Body.Values.Where(v => v.Producer is not null && v.Type is null or { DataType: DataType.Float32 } && v.Producer is { } p && !p.Is("Constant")).Select(v => v.Name)];
            foreach (string tensor in new[] { tensors[0], tensors[tensors.Length / 2], tensors[^1] }.Distinct(StringComparer.Ordinal)) more = NodeInsertion.Add(more, new NodeSpec { OpType = "Identity", InsertAfter = tensor, Name = $"put in behind {tensor}" });
            AssertSame(name, graph, more);
            AssertSame(name, graph, NodeRemoval.Remove(more, new NodeRemovalOptions { Name = ["put in behind *"], Reconnect = true }));
            // All that is said of a part that was taken out: it runs.
            OnnxGraph part = SubgraphSelection.Select(graph, new SubgraphOptions { Outputs = [tensors[tensors.Length / 2]] }, Report.None);
            Assert.InRange(part.Nodes.Count, 1, graph.Nodes.Count);
        }
    }

    private static void AssertSame(string name, OnnxGraph before, OnnxGraph after)
    {
        Assert.Equal(before.Inputs.Select(i => i.Name).Order(StringComparer.Ordinal), after.Inputs.Select(i => i.Name).Order(StringComparer.Ordinal));
        if (name == NotRunnable) return;
        IReadOnlyDictionary<string, TensorData> inputs = SampleData.Inputs(name, before).First();
        IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(before, inputs, CancellationToken.None);
        IReadOnlyDictionary<string, TensorData> actual = ModelRunner.Run(after, inputs, CancellationToken.None);
        foreach (string output in expected.Keys) Results.AssertClose(expected[output], actual[output], 1e-6, $"{name}: {output}");
    }
}
