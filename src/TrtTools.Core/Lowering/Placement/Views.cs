using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Views of views.</summary>
internal static class Views
{
    /// <summary>The tensor over <paramref name="space"/> whose element stands at <paramref name="index"/> in a view; null when that is no view.</summary>
    public static TensorView? Compose(TensorView view, IReadOnlyList<Axis> space, IReadOnlyList<Expr> index)
    {
        DimExpr[] strides = [.. Enumerable.Repeat(DimExpr.Zero, space.Count)];
        DimExpr offset = view.Offset;
        for (int d = 0; d < index.Count; d++)
        {
            Index.Sum sum = Index.Expand(index[d]);
            offset += sum.Constant * view.Strides[d];
            foreach ((Expr term, DimExpr factor) in sum.Terms)
            {
                if (term is not AxisExpr axis) return null;
                int at = IndexOf(space, axis.Axis);
                if (at < 0) return null;
                strides[at] += factor * view.Strides[d];
            }
        }
        DimExpr[] shape = [.. space.Select(a => a.Extent)];
        return new TensorView(view.Storage, shape, FillUnused(shape, strides), offset);
    }

    private static int IndexOf(IReadOnlyList<Axis> space, Axis axis)
    {
        for (int i = 0; i < space.Count; i++)
        {
            if (ReferenceEquals(space[i], axis)) return i;
        }
        return -1;
    }

    // An axis of extent 1 may have any stride; the one that a dense tensor would have shows that it is dense.
    private static DimExpr[] FillUnused(DimExpr[] shape, DimExpr[] strides)
    {
        for (int d = shape.Length - 1; d >= 0; d--)
        {
            if (shape[d] is not { IsConstant: true, Value: 1 }) continue;
            strides[d] = d + 1 < shape.Length ? strides[d + 1] * shape[d + 1] : DimExpr.One;
        }
        return strides;
    }

    /// <summary>The same elements in the same order under another shape; null when the strides do not allow it.</summary>
    public static TensorView? Reshape(TensorView view, IReadOnlyList<DimExpr> shape)
    {
        DimExpr[] strides = new DimExpr[shape.Count];
        foreach ((Range own, Range other) in ReshapeGroups.Of(view.Shape, shape))
        {
            List<int> from = [.. Enumerable.Range(own.Start.Value, own.End.Value - own.Start.Value).Where(d => view.Shape[d] is not { IsConstant: true, Value: 1 })];
            DimExpr stride = from.Count == 0 ? DimExpr.One : view.Strides[from[^1]];
            for (int i = from.Count - 2; i >= 0; i--)
            {
                if (!view.Strides[from[i]].Equals(view.Strides[from[i + 1]] * view.Shape[from[i + 1]])) return null;
            }
            for (int d = other.End.Value - 1; d >= other.Start.Value; d--)
            {
                strides[d] = stride;
                stride *= shape[d];
            }
        }
        return new TensorView(view.Storage, shape, FillUnused([.. shape], strides), view.Offset);
    }

    /// <summary>All of a storage, row by row.</summary>
    public static bool IsDense(TensorView view)
    {
        DimExpr stride = DimExpr.One;
        for (int d = view.Rank - 1; d >= 0; d--)
        {
            if (view.Shape[d] is not { IsConstant: true, Value: 1 } && !view.Strides[d].Equals(stride)) return false;
            stride *= view.Shape[d];
        }
        return view.Offset is { IsConstant: true, Value: 0 } && view.Storage.ElementCount.Equals(stride);
    }
}
