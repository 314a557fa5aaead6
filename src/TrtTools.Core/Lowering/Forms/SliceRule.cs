using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Slice: starts and steps of the axes it cuts.</summary>
internal static class SliceRule
{
    public static string? Lower(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        bool fromInputs = node.View.Opset >= 10;
        DimExpr[]? starts = fromInputs ? node.Extents(1) : node.View.Ints("starts")?.Select(DimExpr.Constant).ToArray();
        if (starts is null) return "where it starts depends on the run";
        long[]? steps = fromInputs && node.Has(4) ? node.View.SliceSteps : [.. Enumerable.Repeat(1L, starts.Length)];
        long[]? axes = node.View.HasAxes ? node.View.Axes : [.. Enumerable.Range(0, starts.Length).Select(a => (long)a)];
        if (steps is null || axes is null) return "its axes or steps depend on the run";
        DimExpr?[] first = new DimExpr?[source.Rank];
        long[] by = [.. Enumerable.Repeat(1L, source.Rank)];
        for (int i = 0; i < axes.Length; i++)
        {
            int axis = (int)(axes[i] < 0 ? axes[i] + source.Rank : axes[i]);
            if (First(starts[i], source.Shape[axis], steps[i]) is not { } start) return $"where it starts on axis {axis} depends on the run";
            (first[axis], by[axis]) = (start, steps[i]);
        }
        return MovementForm.Move(node, index => [.. index.Select((e, axis) => first[axis] is { } start ? Ex.Add(Ex.Mul(e, Ex.Int(by[axis])), Ex.Extent(start)) : e)]);
    }

    private static DimExpr? First(DimExpr start, DimExpr extent, long step)
    {
        if (start.TryGetValue(out long value))
        {
            if (extent.TryGetValue(out long size))
            {
                long own = value < 0 ? value + size : value;
                return step > 0 ? Math.Clamp(own, 0, size) : Math.Clamp(own, -1, Math.Max(-1, size - 1));
            }
            if (step < 0) return value < 0 ? extent + value : value >= int.MaxValue ? extent - DimExpr.One : DimExpr.Min(value, extent - DimExpr.One);
            return value < 0 ? DimExpr.Max(extent + value, DimExpr.Zero) : value == 0 ? DimExpr.Zero : DimExpr.Min(value, extent);
        }
        if (step < 0 || !start.HasOnlyNonNegativeTerms) return null;
        return (extent - start).HasOnlyNonNegativeTerms ? start : DimExpr.Min(start, extent);
    }
}
