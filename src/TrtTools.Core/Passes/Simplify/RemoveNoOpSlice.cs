using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Passes.Simplify;

/// <summary>Slice that takes everything in order, and Split into one part.</summary>
internal sealed class RemoveNoOpSlice : NodePass
{
    public override string Name => "remove-no-op-slice";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Slice", "Split"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output) return false;
        bool isNoOp = node.OpType == "Split" ? node.Outputs.Count == 1 : TakesAll(context.View(node), input);
        if (!isNoOp || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }

    private static bool TakesAll(OperatorView view, Value input)
    {
        if (view.SliceStarts is not { } starts || view.SliceEnds is not { } ends || ends.Length != starts.Length) return false;
        if (view.Opset >= 10 && view.Has(4) && (view.SliceSteps is not { } steps || steps.Any(s => s != 1))) return false;
        if (view.HasAxes && view.Axes is null) return false;
        long[] axes = view.Axes ?? [.. Enumerable.Range(0, starts.Length).Select(i => (long)i)];
        if (axes.Length != starts.Length) return false;
        SymbolicShape? shape = Types.ShapeOf(input);
        for (int i = 0; i < starts.Length; i++)
        {
            long? extent = null;
            if (shape is not null)
            {
                long axis = axes[i] < 0 ? axes[i] + shape.Rank : axes[i];
                if (axis < 0 || axis >= shape.Rank) return false;
                extent = shape[(int)axis] is { IsConstant: true } known ? known.Value : null;
            }
            bool fromStart = starts[i] == 0 || (extent is { } e && starts[i] <= -e);
            // Exporters write the end as the largest 32- or 64-bit number; no tensor is as long.
            bool toEnd = ends[i] >= int.MaxValue || (extent is { } n && ends[i] >= n);
            if (!fromStart || !toEnd) return false;
        }
        return true;
    }
}
