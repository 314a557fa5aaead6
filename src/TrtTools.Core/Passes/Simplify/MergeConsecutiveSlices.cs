using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>A Slice of a Slice along other axes is one Slice.</summary>
internal sealed class MergeConsecutiveSlices : NodePass
{
    public override string Name => "merge-consecutive-slices";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Slice"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { HasSingleUse: true, Producer: { } inner } || !inner.Is("Slice") || inner.Input(0) is not { } source || context.Opset < 10) return false;
        if (Read(context.View(node)) is not { } second || Read(context.View(inner)) is not { } first) return false;
        // Negative and non-negative axes can only be told apart with the rank.
        if (Types.RankOf(source) is not { } rank) return false;
        HashSet<long> axes = [.. first.Axes.Select(a => a < 0 ? a + rank : a)];
        if (second.Axes.Any(a => axes.Contains(a < 0 ? a + rank : a))) return false;
        node.SourceNodes = PassContext.SourcesOf(inner, node);
        string name = node.Output()!.Name;
        Graph graph = node.Graph;
        long[][] merged = [[.. first.Starts, .. second.Starts], [.. first.Ends, .. second.Ends], [.. first.Axes, .. second.Axes], [.. first.Steps, .. second.Steps]];
        string[] hints = ["_starts", "_ends", "_axes", "_steps"];
        for (int i = 0; i < merged.Length; i++) context.SetInput(node, i + 1, graph.AddConstant(name + hints[i], TensorData.Vector<long>(merged[i])));
        context.SetInput(node, 0, source);
        return true;
    }

    private static (long[] Starts, long[] Ends, long[] Axes, long[] Steps)? Read(OperatorView view)
    {
        if (view.SliceStarts is not { } starts || view.SliceEnds is not { } ends || (view.HasAxes && view.Axes is null)) return null;
        long[] axes = view.Axes ?? [.. Enumerable.Range(0, starts.Length).Select(i => (long)i)];
        if (view.Has(4) && view.SliceSteps is null) return null;
        return (starts, ends, axes, view.SliceSteps ?? [.. Enumerable.Repeat(1L, starts.Length)]);
    }
}
