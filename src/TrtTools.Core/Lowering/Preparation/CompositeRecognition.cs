using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Passes.Fusion;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Lowering;

/// <summary>Puts one operator in the place of the pieces that exporters write for it, so that all spellings lower alike. The graph is lowering's own: an operator may stand in it that its opset does not have.</summary>
internal static class CompositeRecognition
{
    public static void Run(OnnxGraph graph)
    {
        FusionScope scope = new(graph, []);
        foreach ((string name, Func<OnnxGraph, TreeMatch, bool> replace) in new (string, Func<OnnxGraph, TreeMatch, bool>)[]
        {
            ("LayerNorm", (g, match) => Normalization(g, match, "LayerNormalization", ["x", "scale", "shift"])),
            ("RmsNorm", (g, match) => Normalization(g, match, "RMSNormalization", ["x", "scale"])),
            ("LogSoftmax", (g, match) => Softmax(g, match, "LogSoftmax")),
            ("Softmax", (g, match) => Softmax(g, match, "Softmax")),
        })
        {
            Composite composite = PatternFile.BuiltIn.First(c => c.Name == name);
            foreach (Node node in graph.Body.Nodes.Reverse().ToList())
            {
                if (!node.IsAlive || node.Domain.Length > 0 || composite.Match(node, scope, out _) is not { } match) continue;
                if (replace(graph, match)) RemovePieces(match);
            }
        }
    }

    private static long[] AxesOf(OnnxGraph graph, TreeMatch match) => OperatorView.Of(graph, match.Nodes.First(n => n.OpType.StartsWith("Reduce", StringComparison.Ordinal))).Axes!;

    private static bool Normalization(OnnxGraph graph, TreeMatch match, string opType, string[] inputs)
    {
        if (match["x"] is not { Type: { Shape: { } shape, DataType: var type } } x || match.Last.Output() is not { Type.Shape: { } result } || !shape.Equals(result)) return false;
        if (match["q"] is { } square && !IsSquareOfDifference(square, x)) return false;
        if (match["e"] is not { } e || PassContext.Constant(e) is not { } epsilon || !type.IsFloatingPoint()) return false;
        int rank = shape.Rank, axis = (int)AxesOf(graph, match).Min(a => a < 0 ? a + rank : a);
        Value?[] operands = [.. inputs.Select(name => match[name])];
        // What scales and shifts must do so along the row.
        if (operands.Skip(1).OfType<Value>().Any(v => v.Type?.Shape is not { } own || own.Rank > rank)) return false;
        Replace(graph, match, opType, operands, Attribute.Int("axis", axis), Attribute.Float("epsilon", (float)epsilon.ToDouble()[0]));
        return true;
    }

    /// <summary>(x − mean x)², where a pattern leaves open what it takes the mean of.</summary>
    private static bool IsSquareOfDifference(Value square, Value x)
    {
        if (square.Producer is not { } node) return false;
        bool isSquare = (node.Is("Mul") && ReferenceEquals(node.Input(0), node.Input(1))) || (node.Is("Pow") && PassContext.Constant(node.Input(1)) is { ElementCount: 1 } two && two.ToDouble()[0] == 2);
        return isSquare && node.Input(0)?.Producer is { } difference && difference.Is("Sub") && ReferenceEquals(difference.Input(0), x) && difference.Input(1)?.Producer is { } mean && mean.Is("ReduceMean")
            && ReferenceEquals(mean.Input(0), x);
    }

    private static bool Softmax(OnnxGraph graph, TreeMatch match, string opType)
    {
        if (match["x"] is not { Type.Shape: { } shape }) return false;
        long axis = AxesOf(graph, match)[0];
        if (axis < 0) axis += shape.Rank;
        // Before opset 13 Softmax takes all axes from the given one on.
        if (graph.OnnxOpset < 13 && axis != shape.Rank - 1) return false;
        Replace(graph, match, opType, [match["x"]], Attribute.Int("axis", axis));
        return true;
    }

    private static void Replace(OnnxGraph graph, TreeMatch match, string opType, Value?[] inputs, params Attribute[] attributes)
    {
        Node last = match.Last;
        Value output = last.Output()!;
        Node made = graph.Body.AddNode(opType, inputs, [], before: last);
        made.Name = last.Name;
        made.SourceNodes = PassContext.SourcesOf([.. match.Nodes.Distinct().OrderBy(n => n.Name, StringComparer.Ordinal)]);
        foreach (Attribute attribute in attributes) made.Attributes.Set(attribute);
        graph.Body.MoveOutput(output, made, 0);
    }

    private static void RemovePieces(TreeMatch match)
    {
        // From the end: each is unread once its readers are gone.
        List<Node> left = [.. match.Nodes.Distinct()];
        for (bool changes = true; changes && left.Count > 0;)
        {
            changes = false;
            foreach (Node node in left.ToList())
            {
                if (node.Outputs.OfType<Value>().Any(o => o.HasUses)) continue;
                node.Graph.Remove(node);
                left.Remove(node);
                changes = true;
            }
        }
    }
}
