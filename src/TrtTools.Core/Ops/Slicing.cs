using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>The extents and elements of a Slice, whose bounds may be symbols.</summary>
internal static class Slicing
{
    public static void Infer(InferenceContext context)
    {
        if (context.Shape(0) is not { } shape)
        {
            context.Set(0, context.ElementType(0), (SymbolicShape?)null);
            return;
        }
        OperatorView view = context.View;
        DimExpr?[]? starts = Bounds(context, 1, "starts"), ends = Bounds(context, 2, "ends");
        int count = starts?.Length ?? ends?.Length ?? -1;
        long[]? axes = view.HasAxes ? view.Axes : count < 0 ? null : [.. Enumerable.Range(0, count).Select(a => (long)a)];
        long[]? steps = context.Opset >= 10 && context.Has(4) ? view.SliceSteps : axes is null ? null : [.. Enumerable.Repeat(1L, axes.Length)];
        if (axes is null)
        {
            context.Set(0, context.ElementType(0), Dims.OfRank(shape.Rank));
            return;
        }
        if (ShapeRules.NormalizeAxes(context, axes, shape.Rank) is not { } own) return;
        DimExpr?[] result = ShapeRules.Copy(shape);
        DimExpr?[]? content = context.Content(0);
        long[]? extents = shape.ToStatic();
        for (int i = 0; i < own.Length; i++)
        {
            DimExpr? start = starts is not null && i < starts.Length ? starts[i] : null, end = ends is not null && i < ends.Length ? ends[i] : null;
            long? step = steps is not null && i < steps.Length ? steps[i] : null;
            if (step == 0)
            {
                context.Contradict($"the step of axis {axes[i]} is 0");
                step = null;
            }
            DimExpr? extent = result[own[i]];
            result[own[i]] = step is { } by ? Length(extent, start, end, by) : null;
            if (content is null || extents is null) continue;
            if (step is null || start is not { IsConstant: true } || result[own[i]] is not { IsConstant: true } length)
            {
                content = null;
                continue;
            }
            long first = Clamp(start.Value, extents[own[i]], step.Value);
            content = ContentRules.Take(content, extents, own[i], [.. Enumerable.Range(0, (int)length.Value).Select(p => first + (p * step.Value))]);
            extents[own[i]] = length.Value;
        }
        context.Set(0, context.ElementType(0), new SymbolicShape(result));
        context.SetContent(0, content);
    }

    private static DimExpr?[]? Bounds(InferenceContext context, int input, string attribute) =>
        context.Opset >= 10 ? context.Content(input) : context.View.Ints(attribute)?.Select(v => (DimExpr?)DimExpr.Constant(v)).ToArray();

    private static long Clamp(long bound, long extent, long step)
    {
        long own = bound < 0 ? bound + extent : bound;
        return step > 0 ? Math.Clamp(own, 0, extent) : Math.Clamp(own, -1, Math.Max(-1, extent - 1));
    }

    /// <summary>Number of elements that a slice takes from an axis; null when the bounds don't tell.</summary>
    public static DimExpr? Length(DimExpr? extent, DimExpr? start, DimExpr? end, long step)
    {
        if (start is null || end is null) return null;
        if (extent is { IsConstant: true, Value: var size } && start.IsConstant && end.IsConstant)
        {
            Int128 first = Clamp(start.Value, size, step);
            // An end before the beginning (-1 - extent and lower) reads as "down to the first" when stepping back.
            Int128 last = step < 0 && end.Value < -size ? -1 : Clamp(end.Value, size, step);
            Int128 span = step > 0 ? last - first : first - last;
            Int128 stride = step > 0 ? step : -(Int128)step;
            return DimExpr.Constant(span <= 0 ? 0 : (long)((span + stride - 1) / stride));
        }
        if (step < 0)
        {
            bool whole = start is { IsConstant: true, Value: -1 or >= int.MaxValue } && end is { IsConstant: true, Value: <= -int.MaxValue };
            return whole && step != long.MinValue ? Dims.CeilDiv(extent, -step) : null;
        }
        return Dims.CeilDiv(Span(extent, start, end), step);
    }

    // End minus start, both brought into [0, extent], written without minimum and maximum where the bounds allow.
    private static DimExpr? Span(DimExpr? extent, DimExpr start, DimExpr end)
    {
        bool toEnd = end is { IsConstant: true, Value: >= int.MaxValue } || (extent is not null && end.Equals(extent));
        if (start.TryGetValue(out long from) && end.TryGetValue(out long to) && from >= 0 && to >= 0 && to <= from) return DimExpr.Zero;
        if (from < 0 && start.IsConstant)
        {
            // The last -from elements, or all if there are fewer.
            if (toEnd) return Dims.Min(extent, -from);
            if (end is { IsConstant: true, Value: < 0 } && end.Value > from)
            {
                return Dims.Subtract(Dims.Max(Dims.Add(extent, end), DimExpr.Zero), Dims.Max(Dims.Add(extent, start), DimExpr.Zero));
            }
            return null;
        }
        if (!ContentRules.IsNonNegative(start)) return null;
        if (toEnd) return start is { IsConstant: true, Value: 0 } ? extent : Dims.Max(Dims.Subtract(extent, start), DimExpr.Zero);
        DimExpr? last = end is { IsConstant: true, Value: < 0 } ? Dims.Max(Dims.Add(extent, end), DimExpr.Zero) : ContentRules.IsNonNegative(end) ? Dims.Min(end, extent) : null;
        if (start is { IsConstant: true, Value: 0 }) return last;
        return Dims.Max(Dims.Subtract(last, Dims.Min(start, extent)), DimExpr.Zero);
    }
}
