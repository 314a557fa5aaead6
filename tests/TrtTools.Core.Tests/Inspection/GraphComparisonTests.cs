using TrtTools.Evaluation;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Tests.Inspection;

public sealed class GraphComparisonTests
{
    private const string Net = """
        x: Float32[1,3,8,8] -> y {
            w = Float32[4,3,3,3] random(1)
            c = Conv(x, w){pads=[1,1,1,1]}
            r = Relu(c)
            s = Sigmoid(c)
            y = Mul(r, s)
        }
        """;

    private static string[] Compare(string reference, string graph, bool renames = false) => Compare(TestGraphs.Parse(reference), TestGraphs.Parse(graph), renames);

    private static string[] Compare(OnnxGraph reference, OnnxGraph graph, bool renames = false) =>
        [.. GraphComparison.Compare(reference, graph, renames, CancellationToken.None).Select(d => $"{d.Kind} {d.Part} {d.Name}{(d.Property.Length > 0 ? " " + d.Property : "")}{(d.Scope.Length > 0 ? $" in {d.Scope}" : "")}")];

    [Fact]
    public void A_graph_is_equal_to_itself() => Assert.Empty(Compare(Net, Net));

    [Fact]
    public void Order_and_inner_names_do_not_count()
    {
        string other = """
            x: Float32[1,3,8,8] -> y {
                w2 = Float32[4,3,3,3] random(1)
                c2 = Conv(x, w2){pads=[1,1,1,1]}
                s2 = Sigmoid(c2)
                r2 = Relu(c2)
                y = Mul(s2, r2)
            }
            """;
        Assert.Empty(Compare(Net, other));
        // The Mul has its name in both.
        Assert.Equal(["Renamed Node c2", "Renamed Node r2", "Renamed Node s2"], Compare(Net, other, renames: true).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Operands_of_a_subtraction_may_not_change_places() =>
        Assert.Equal(["Changed Connection y input 0", "Changed Connection y input 1"], Compare("a: Float32[2], b: Float32[2] -> y { y = Sub(a, b) }", "a: Float32[2], b: Float32[2] -> y { y = Sub(b, a) }"));

    [Fact]
    public void Attributes_are_compared_by_name()
    {
        Assert.Equal(["Changed Attribute c pads"], Compare(Net, Net.Replace("pads=[1,1,1,1]", "pads=[0,0,1,1]", StringComparison.Ordinal)));
        Assert.Equal(["Added Attribute c group"], Compare(Net, Net.Replace("pads=[1,1,1,1]", "group=1, pads=[1,1,1,1]", StringComparison.Ordinal)));
        Assert.Equal(["Removed Attribute c pads"], Compare(Net, Net.Replace("{pads=[1,1,1,1]}", "", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_changed_attribute_under_other_names_is_no_more_than_that() =>
        Assert.Equal(["Changed Attribute q pads"], Compare(Net, """
            x: Float32[1,3,8,8] -> y {
                w = Float32[4,3,3,3] random(1)
                q = Conv(x, w){pads=[2,2,2,2]}
                t = Relu(q)
                u = Sigmoid(q)
                y = Mul(t, u)
            }
            """));

    [Fact]
    public void Nodes_come_and_go()
    {
        Assert.Equal(["Changed Connection y input 0", "Added Node t"], Compare(Net, Net.Replace("y = Mul(r, s)", "t = Tanh(r); y = Mul(t, s)", StringComparison.Ordinal)));
        Assert.Equal(["Removed Node t", "Changed Connection y input 0"], Compare(Net.Replace("y = Mul(r, s)", "t = Tanh(r); y = Mul(t, s)", StringComparison.Ordinal), Net));
        Assert.Equal(["Changed Operator r"], Compare(Net, Net.Replace("r = Relu(c)", "r = Elu(c)", StringComparison.Ordinal)));
    }

    [Fact]
    public void Weights_are_compared_by_value_once_each()
    {
        GraphDifference changed = Assert.Single(GraphComparison.Compare(TestGraphs.Parse("x: Float32[2] -> y, z { w = Float32[2] [1, 2]; y = Add(x, w); z = Sub(x, w) }"),
            TestGraphs.Parse("x: Float32[2] -> y, z { w = Float32[2] [1, 2.5]; y = Add(x, w); z = Sub(x, w) }"), false, CancellationToken.None));
        Assert.Equal((DifferenceKind.Changed, DifferencePart.Weight, "w", 0.5), (changed.Kind, changed.Part, changed.Property, changed.MaxAbsoluteDifference));
        Assert.Empty(Compare("x: Float32[2] -> y { w = Float32[2] [1, 2]; y = Add(x, w) }", "x: Float32[2] -> y { v = Constant{value=Float32[2] [1, 2]}(); y = Add(x, v) }"));
        Assert.Null(Assert.Single(GraphComparison.Compare(TestGraphs.Parse("x: Float32[2] -> y { w = Float32[2] [1, 2]; y = Add(x, w) }"), TestGraphs.Parse("x: Float32[2] -> y { w = Float32[1] [1]; y = Add(x, w) }"), false, CancellationToken.None)).MaxAbsoluteDifference);
    }

    [Fact]
    public void Inputs_outputs_and_opsets_count()
    {
        Assert.Equal(["Changed Input x type", "Removed Input b", "Changed Connection y input 1", "Removed Output y", "Added Output z"],
            Compare("x: Float32[2], b: Float32[2] -> y { y = Add(x, b) }", "x: Float32[3] -> z { w = Float32[1] [1]; y = Add(x, w); z = Identity(y) }").Where(d => !d.Contains(" Node ", StringComparison.Ordinal)));
        Assert.Equal(["Changed Opset ai.onnx"], Compare("<opset 17> x: Float32[2] -> y { y = Relu(x) }", "<opset 18> x: Float32[2] -> y { y = Relu(x) }"));
    }

    [Fact]
    public void Subgraphs_are_looked_into() =>
        Assert.Equal(["Changed Operator e in y else_branch"], Compare("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch = () -> t { t = Relu(x) }, else_branch = () -> e { e = Neg(x) }} }",
            "c: Bool[], x: Float32[2] -> y { y = If(c){then_branch = () -> t { t = Relu(x) }, else_branch = () -> e { e = Abs(x) }} }"));

    [Fact]
    public void Functions_are_looked_into()
    {
        OnnxGraph graph = TestGraphs.Parse(Net), fused = LayerFusion.Fuse(graph, new FusionOptions(), Report.None, CancellationToken.None);
        Assert.Empty(Compare(fused, LayerFusion.Fuse(graph, new FusionOptions(), Report.None, CancellationToken.None)));
        Assert.Contains(Compare(graph, fused), d => d.StartsWith("Added Function trt.tools::", StringComparison.Ordinal));
    }

    [Fact]
    public void Shuffled_models_are_equal_and_one_changed_weight_is_found()
    {
        foreach (string name in new[] { "ppocrv4-rec", "silero-vad-v6", "synth-bert-mini" })
        {
            OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
            OnnxGraph other = Shuffle(graph);
            Assert.Empty(GraphComparison.Compare(graph, other, renames: false, CancellationToken.None));
            Value weight = other.Body.WithSubgraphs.SelectMany(g => g.Values).First(v => v is { Data: { Type: DataType.Float32, ElementCount: > 8 } } && v.Uses.Count == 1 || v.Producer is { } p && p.Is("Constant") && v.Uses.Count == 1 && ConstantReader.ReadNode(p) is { Type: DataType.Float32, ElementCount: > 8 });
            float[] values = (weight.Data ?? ConstantReader.ReadNode(weight.Producer!))!.AsSpan<float>().ToArray();
            values[^1] += 1;
            TensorData changed = TensorData.From<float>(values, (weight.Data ?? ConstantReader.ReadNode(weight.Producer!))!.Shape);
            if (weight.Data is not null) weight.Graph.SetData(weight, changed);
            else weight.Producer!.Attributes.Set(TrtTools.Ir.Attribute.Tensor("value", changed));
            GraphDifference found = Assert.Single(GraphComparison.Compare(graph, other, renames: false, CancellationToken.None));
            Assert.Equal((DifferencePart.Weight, weight.Name), (found.Part, found.Property));
            Assert.Equal(1, found.MaxAbsoluteDifference!.Value, 3);
        }
    }

    /// <summary>The same graph in another order that is also one.</summary>
    private static OnnxGraph Shuffle(OnnxGraph graph)
    {
        OnnxGraph copy = graph.Copy();
        List<Node> left = [.. copy.Body.Nodes];
        HashSet<Node> waiting = [.. left];
        Random random = new(5);
        List<Node> order = [];
        Dictionary<Node, int> missing = left.ToDictionary(n => n, n => Rewiring.ReadBy(n).Select(v => v.Producer).OfType<Node>().Distinct().Count(waiting.Contains));
        List<Node> ready = [.. left.Where(n => missing[n] == 0)];
        while (ready.Count > 0)
        {
            int at = random.Next(ready.Count);
            Node node = ready[at];
            ready.RemoveAt(at);
            order.Add(node);
            foreach (Node reader in node.Outputs.OfType<Value>().SelectMany(Rewiring.ReadersOf).Select(r => Captures.AncestorIn(copy.Body, r)!).Distinct())
            {
                if (--missing[reader] == 0) ready.Add(reader);
            }
        }
        foreach (Node node in order) copy.Body.Move(node, null);
        return copy;
    }
}
