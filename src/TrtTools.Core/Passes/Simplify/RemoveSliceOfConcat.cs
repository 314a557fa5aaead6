using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>A Slice or Split that takes out just what a Concat put in reads that; a Concat of all parts of a Split in order is what was split.</summary>
internal sealed class RemoveSliceOfConcat : NodePass
{
    public override string Name => "remove-slice-of-concat";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Slice", "Split", "Concat"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.OpType == "Concat") return Rejoin(node, context);
        if (node.Input(0) is not { Producer: { } concat } joined || !concat.Is("Concat") || Types.RankOf(joined) is not { } rank) return false;
        if (Offsets(concat, context.View(concat).Axis, rank) is not { } offsets) return false;
        int axis = Normalize(context.View(concat).Axis, rank);
        return node.OpType == "Slice" ? TakePart(node, concat, axis, rank, offsets, context) : TakeParts(node, concat, axis, rank, offsets, context);
    }

    private static bool TakePart(Node node, Node concat, int axis, int rank, long[] offsets, PassContext context)
    {
        OperatorView view = context.View(node);
        if (view.SliceStarts is not [var start] || view.SliceEnds is not [var end] || (view.HasAxes && view.Axes is null) || node.Output() is not { } output) return false;
        if (view.Opset >= 10 && view.Has(4) && view.SliceSteps is not [1]) return false;
        if (Normalize(view.Axes is { } axes ? axes[0] : 0, rank) != axis) return false;
        long total = offsets[^1];
        start = Math.Clamp(start < 0 ? start + total : start, 0, total);
        end = Math.Clamp(end < 0 ? end + total : end, 0, total);
        for (int i = 0; i < concat.Inputs.Count; i++)
        {
            if (offsets[i] != start || offsets[i + 1] != end || concat.Input(i) is not { } part || !PassContext.CanReplace(output, part)) continue;
            context.Replace(output, part);
            return true;
        }
        return false;
    }

    private static bool TakeParts(Node node, Node concat, int axis, int rank, long[] offsets, PassContext context)
    {
        if (Normalize(context.View(node).Axis, rank) != axis || node.Outputs.Count != concat.Inputs.Count) return false;
        for (int i = 0; i < node.Outputs.Count; i++)
        {
            if (node.Outputs[i] is not { } output || Types.ShapeOf(output)?[axis] is not { IsConstant: true } extent || extent.Value != offsets[i + 1] - offsets[i]) return false;
            if (concat.Input(i) is not { } part || !PassContext.CanReplace(output, part)) return false;
        }
        // Two outputs may not take over one value's name.
        if (concat.Inputs.Distinct().Count() != concat.Inputs.Count) return false;
        List<Value> outputs = [.. node.Outputs.Select(o => o!)];
        for (int i = 0; i < outputs.Count; i++) context.Replace(outputs[i], concat.Input(i)!);
        return true;
    }

    private static bool Rejoin(Node node, PassContext context)
    {
        if (node.Input(0) is not { Producer: { } split } || !split.Is("Split") || split.Input(0) is not { } whole || node.Output() is not { } output) return false;
        if (node.Inputs.Count != split.Outputs.Count || Types.RankOf(whole) is not { } rank) return false;
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            if (!ReferenceEquals(node.Input(i), split.Outputs[i])) return false;
        }
        if (Normalize(context.View(node).Axis, rank) != Normalize(context.View(split).Axis, rank) || !PassContext.CanReplace(output, whole)) return false;
        context.Replace(output, whole);
        return true;
    }

    /// <summary>Where each input begins along the axis, and where the last ends.</summary>
    private static long[]? Offsets(Node concat, long axis, int rank)
    {
        long[] offsets = new long[concat.Inputs.Count + 1];
        for (int i = 0; i < concat.Inputs.Count; i++)
        {
            if (Types.ShapeOf(concat.Input(i)) is not { } shape || shape.Rank != rank || shape[Normalize(axis, rank)] is not { IsConstant: true, Value: >= 0 and < 1L << 40 } extent) return null;
            offsets[i + 1] = offsets[i] + extent.Value;
        }
        return offsets;
    }

    private static int Normalize(long axis, int rank) => (int)(axis < 0 ? axis + rank : axis);
}
