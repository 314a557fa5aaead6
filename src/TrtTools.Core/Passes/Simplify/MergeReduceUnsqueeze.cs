using TrtTools.Ir;
using TrtTools.Ops;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>A reduction that drops its axes, and an Unsqueeze (or a Reshape to just that shape) that puts them back, is one that keeps them.</summary>
internal sealed class MergeReduceUnsqueeze : NodePass
{
    public override string Name => "merge-reduce-unsqueeze";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Unsqueeze", "Reshape"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { HasSingleUse: true, Producer: { } reduce } middle || reduce.Graph != node.Graph || node.Output() is not { } output) return false;
        if (reduce.Domain.Length > 0 || !(reduce.OpType.StartsWith("Reduce", StringComparison.Ordinal) || reduce.OpType is "ArgMax" or "ArgMin")) return false;
        OperatorView view = context.View(reduce);
        if (view.KeepsDimensions || Types.RankOf(reduce.Input(0)) is not { } rank) return false;
        long[]? reduced = reduce.OpType.StartsWith("Arg", StringComparison.Ordinal) ? [view.Axis] : view.HasAxes ? view.Axes : view.IsNoOpWithoutAxes ? null : [.. Enumerable.Range(0, rank).Select(i => (long)i)];
        if (reduced is not { Length: > 0 } || reduced.Any(a => a < -rank || a >= rank)) return false;
        HashSet<long> axes = [.. reduced.Select(a => a < 0 ? a + rank : a)];
        if (node.OpType == "Unsqueeze" ? !AddsBack(context.View(node), axes, rank) : !KeepsShape(reduce.Input(0)!, output, axes)) return false;
        reduce.Attributes.Set(Attribute.Int("keepdims", 1));
        reduce.SourceNodes = PassContext.SourcesOf(reduce, node);
        middle.Type = output.Type;
        if (!PassContext.CanReplace(output, middle))
        {
            // Cannot be: a node computes the middle, and it is no output.
            return false;
        }
        context.Replace(output, middle);
        return true;
    }

    private static bool AddsBack(OperatorView view, HashSet<long> axes, int rank) =>
        view.Axes is { } added && added.Length == axes.Count && added.All(a => a >= -rank && a < rank) && axes.SetEquals(added.Select(a => a < 0 ? a + rank : a));

    /// <summary>The result has the source's extents, and 1 at the reduced axes.</summary>
    private static bool KeepsShape(Value source, Value output, HashSet<long> axes)
    {
        if (Types.ShapeOf(source) is not { } before || Types.ShapeOf(output) is not { } after || before.Rank != after.Rank) return false;
        for (int i = 0; i < before.Rank; i++)
        {
            if (axes.Contains(i) ? after[i] is not { IsConstant: true, Value: 1 } : after[i] is not { } extent || !extent.Equals(before[i])) return false;
        }
        return true;
    }
}
