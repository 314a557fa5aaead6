using System.Text;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>An If whose branches compute the same takes the first, whatever the condition.</summary>
internal sealed class MergeEqualBranches : NodePass
{
    public override string Name => "merge-equal-branches";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["If"];

    public override bool Apply(Node node, PassContext context)
    {
        if (PassContext.Constant(node.Input(0)) is not null || node.Attributes.Subgraph("then_branch") is not { } then || node.Attributes.Subgraph("else_branch") is not { } other) return false;
        if (!IsSame(then, other)) return false;
        // InlineConstantIf does the rest.
        context.SetInput(node, 0, node.Graph.AddConstant(node.DisplayName + "_condition", TensorData.From<bool>([true], [])));
        return true;
    }

    /// <summary>The same nodes in the same order, reading the same outer values and equal constants.</summary>
    private static bool IsSame(Graph a, Graph b)
    {
        if (a.NodeCount != b.NodeCount || a.Inputs.Count != b.Inputs.Count || a.Outputs.Count != b.Outputs.Count) return false;
        Dictionary<Value, Value> twins = [];
        for (int i = 0; i < a.Inputs.Count; i++) twins[a.Inputs[i]] = b.Inputs[i];
        bool Matches(Value? x, Value? y) => x is null || y is null ? x is null && y is null
            : ReferenceEquals(x, y) || (twins.TryGetValue(x, out Value? twin) ? ReferenceEquals(twin, y) : x.Graph == a && y.Graph == b && x is { IsConstant: true } && y is { IsConstant: true } && x.Data!.ContentEquals(y.Data!));
        foreach ((Node first, Node second) in a.Nodes.Zip(b.Nodes))
        {
            if (first.OpType != second.OpType || first.Domain != second.Domain || first.Overload != second.Overload || Traits.IsRandom(first)) return false;
            if (first.Attributes.HasGraphs || second.Attributes.HasGraphs || first.Inputs.Count != second.Inputs.Count || first.Outputs.Count != second.Outputs.Count) return false;
            if (Text(first) is not { } text || text != Text(second)) return false;
            for (int i = 0; i < first.Inputs.Count; i++)
            {
                if (!Matches(first.Inputs[i], second.Inputs[i])) return false;
            }
            for (int i = 0; i < first.Outputs.Count; i++)
            {
                if (first.Outputs[i] is null != second.Outputs[i] is null) return false;
                if (first.Outputs[i] is { } output) twins[output] = second.Outputs[i]!;
            }
        }
        return a.Outputs.Zip(b.Outputs).All(p => Matches(p.First, p.Second));
    }

    private static string? Text(Node node)
    {
        StringBuilder text = new();
        foreach (Attribute attribute in node.Attributes.OrderBy(x => x.Name, StringComparer.Ordinal))
        {
            text.Append('|');
            if (!AttributeText.Append(text, attribute)) return null;
        }
        return text.ToString();
    }
}
