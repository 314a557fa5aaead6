using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Quantization;

/// <summary>The form in which a graph is calibrated and quantized, the same whether it comes raw, optimized or fused: functions expanded,
/// simplified by the default passes. Names in a cache are those of the model file.</summary>
internal static class CanonicalGraph
{
    public static OnnxGraph Of(OnnxGraph graph, CancellationToken stop)
    {
        OnnxGraph open = graph.Copy();
        FunctionInliner.Inline(open, static _ => true);
        OnnxGraph result = GraphOptimizer.Optimize(open, new OptimizeOptions(), Report.None, stop);
        return Ordered(result, graph);
    }

    /// <summary>Passes leave nodes and initializers in an order of their own; here each node stands where the outputs first need it, each initializer where
    /// it is first read, and domains that nothing uses go, so that equal functions are equal files.</summary>
    private static OnnxGraph Ordered(OnnxGraph model, OnnxGraph source)
    {
        Graph body = OrderedCopy(model.Body, []);
        HashSet<string> domains = new(body.NodesWithSubgraphs.Select(n => n.Domain).Append(""), StringComparer.Ordinal);
        return new OnnxGraph(body, model.Name, model.Path, source.IrVersion, model.OpsetImports.Where(o => domains.Contains(o.Key)), model.Resources)
        {
            Remainder = model.Remainder, Producer = model.Producer, Metadata = model.Metadata, History = source.History, FusionReport = model.FusionReport,
        };
    }

    private static Graph OrderedCopy(Graph source, Dictionary<Value, Value> map)
    {
        Graph copy = new(source.Name) { Remainder = source.Remainder };
        foreach (Value input in source.Inputs) Adopt(copy.AddInput(input.Name, input.Type), input);
        List<Node> nodes = NodesAsNeeded(source);
        IEnumerable<Value> read = nodes.SelectMany(n => n.Subgraphs.SelectMany(NodesAndBelow).Prepend(n)).SelectMany(n => n.Inputs).OfType<Value>().Concat(source.WithSubgraphs.SelectMany(g => g.Outputs));
        foreach (Value constant in read.Where(v => v is { Data: not null, IsGraphInput: false } && ReferenceEquals(v.Graph, source)).Distinct())
        {
            Adopt(copy.AddInitializer(constant.Name, constant.Data!), constant);
        }
        foreach (Node node in nodes)
        {
            Node twin = GraphCopier.CopyNode(node, copy, map);
            foreach (Attribute attribute in node.Attributes.Where(a => a.Content is Graph).ToList())
            {
                twin.Attributes.Set(attribute with { Content = OrderedCopy((Graph)attribute.Content!, map) });
            }
            // A node that stands for itself says so or leaves it out.
            if (twin.SourceNodes.Count == 1 && string.Equals(twin.SourceNodes[0], twin.Name, StringComparison.Ordinal)) twin.SourceNodes = [];
            foreach (Value output in twin.Outputs.OfType<Value>()) output.Origin = Plain(output);
        }
        foreach (Value output in source.Outputs) copy.AddOutput(map.GetValueOrDefault(output, output));
        return copy;

        void Adopt(Value twin, Value original)
        {
            twin.Type = original.Type;
            twin.Origin = original.Origin;
            twin.Remainder = original.Remainder;
            twin.Origin = Plain(twin);
            map[original] = twin;
        }

        static Origin Plain(Value value) => value.Origin.TensorNames.Count == 1 && string.Equals(value.Origin.TensorNames[0], value.Name, StringComparison.Ordinal) ? Origin.None : value.Origin;

        static IEnumerable<Node> NodesAndBelow(Graph graph) => NodesAsNeeded(graph).SelectMany(n => n.Subgraphs.SelectMany(NodesAndBelow).Prepend(n));
    }

    /// <summary>Nodes in the order of a walk from the outputs through the inputs, producers first.</summary>
    private static List<Node> NodesAsNeeded(Graph body)
    {
        List<Node> result = [];
        HashSet<Node> done = [];
        Stack<(Node Node, IEnumerator<Node> Needs)> open = new();
        foreach (Node? root in body.Outputs.Select(o => o.Producer).Concat(body.Nodes))
        {
            if (root is not null && done.Add(root)) open.Push((root, Needs(root)));
            while (open.TryPeek(out (Node Node, IEnumerator<Node> Needs) top))
            {
                if (!top.Needs.MoveNext())
                {
                    result.Add(top.Node);
                    open.Pop();
                }
                else if (done.Add(top.Needs.Current)) open.Push((top.Needs.Current, Needs(top.Needs.Current)));
            }
        }
        return result;

        IEnumerator<Node> Needs(Node node) => node.Subgraphs.SelectMany(g => g.WithSubgraphs).SelectMany(g => g.Nodes.SelectMany(n => n.Inputs).Concat(g.Outputs))
            .Concat(node.Inputs).Where(v => v?.Producer is { } p && ReferenceEquals(p.Graph, body)).Select(v => v!.Producer!).GetEnumerator();
    }

    /// <summary>The names that a value goes by in the model file.</summary>
    public static IReadOnlyList<string> OriginalNames(Value value)
    {
        IReadOnlyList<string> names = value.Origin.TensorNames;
        return names.Count == 0 ? [value.Name] : names.Contains(value.Name, StringComparer.Ordinal) ? names : [.. names, value.Name];
    }

    /// <summary>The floating-point values of the main graph that depend on its inputs, inputs included.</summary>
    public static List<Value> Activations(OnnxGraph graph)
    {
        HashSet<Value> variable = [.. graph.Body.Inputs.Where(i => i.Data is null)];
        List<Value> result = [.. variable.Where(IsFloat)];
        foreach (Node node in graph.Body.Nodes)
        {
            if (!node.Subgraphs.Any() && !node.Inputs.Any(i => i is not null && variable.Contains(i))) continue;
            foreach (Value? output in node.Outputs)
            {
                if (output is null) continue;
                variable.Add(output);
                // Nothing known of its type: ONNX Runtime will say.
                if (output.Type is null || IsFloat(output)) result.Add(output);
            }
        }
        return result;

        static bool IsFloat(Value value) => value.Type?.DataType is DataType.Float32 or DataType.Float16;
    }
}
