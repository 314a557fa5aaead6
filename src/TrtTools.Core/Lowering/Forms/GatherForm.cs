using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Elements taken from, or put to, places that a tensor names.</summary>
internal static class GatherForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["Gather"] = Gather, ["GatherElements"] = GatherElements, ["GatherND"] = GatherNd, ["OneHot"] = OneHot,
        ["Scatter"] = ScatterElements, ["ScatterElements"] = ScatterElements, ["ScatterND"] = ScatterNd,
    };

    /// <summary>An index that may count from the end.</summary>
    private static Expr FromEnd(Expr index, DimExpr extent, TensorData? known)
    {
        if (known is not null && known.ToInt64().All(i => i >= 0)) return index;
        return Ex.Select(Ex.Less(index, Ex.Zero), Ex.Add(index, Ex.Extent(extent)), index);
    }

    private static int AxisOf(NodeLowering node, int rank) => (int)(node.View.Axis < 0 ? node.View.Axis + rank : node.View.Axis);

    private static string? Gather(NodeLowering node)
    {
        LoweredValue data = node.Input(0), indices = node.Input(1);
        int axis = AxisOf(node, data.Rank);
        // One known place makes a view.
        if (node.Extents(1) is [{ } single] && (single.IsConstant || single.HasOnlyNonNegativeTerms))
        {
            Expr place = single is { IsConstant: true, Value: < 0 } ? Ex.Extent(data.Shape[axis] + single) : Ex.Extent(single);
            return MovementForm.Move(node, index => [.. index.Take(axis), place, .. index.Skip(axis + indices.Rank)]);
        }
        return MovementForm.Move(node, index => [.. index.Take(axis), FromEnd(NodeLowering.LoadAt(indices, [.. index.Skip(axis).Take(indices.Rank)]), data.Shape[axis], node.Constant(1)), .. index.Skip(axis + indices.Rank)]);
    }

    private static string? GatherElements(NodeLowering node)
    {
        LoweredValue data = node.Input(0), indices = node.Input(1);
        int axis = AxisOf(node, data.Rank);
        return MovementForm.Move(node, index =>
        {
            Expr[] own = [.. index];
            own[axis] = FromEnd(NodeLowering.LoadAt(indices, index), data.Shape[axis], node.Constant(1));
            return own;
        });
    }

    private static string? GatherNd(NodeLowering node)
    {
        LoweredValue data = node.Input(0), indices = node.Input(1);
        int batch = (int)node.View.Int("batch_dims", 0);
        if (!indices.Shape[^1].TryGetValue(out long tuple)) return "how many axes its indices name depends on the run";
        return MovementForm.Move(node, index =>
        {
            Expr[] tupleAt = [.. index.Take(indices.Rank - 1)];
            IEnumerable<Expr> named = Enumerable.Range(0, (int)tuple).Select(i => FromEnd(NodeLowering.LoadAt(indices, [.. tupleAt, Ex.Int(i)]), data.Shape[batch + i], node.Constant(1)));
            return [.. index.Take(batch), .. named, .. index.Skip(indices.Rank - 1)];
        });
    }

    private static string? OneHot(NodeLowering node)
    {
        LoweredValue indices = node.Input(0), values = node.Input(2), target = node.Output();
        int axis = AxisOf(node, target.Rank);
        if (indices.Type == DataType.UInt64) return "no kernel orders UInt64";
        node.EmitMap(index =>
        {
            Expr hot = Ex.Convert(NodeLowering.LoadAt(indices, [.. index.Where((_, d) => d != axis)]), ScalarType.Int64);
            Expr own = Ex.Select(Ex.Less(hot, Ex.Zero), Ex.Add(hot, Ex.Extent(target.Shape[axis])), hot);
            return Ex.Select(Ex.Equal(own, index[axis]), Ex.Load(values, Ex.One), Ex.Load(values, Ex.Zero));
        });
        return null;
    }

    private static Combiner? Reduction(NodeLowering node) => node.View.String("reduction", "none") switch { "add" => Combiner.Sum, "mul" => Combiner.Product, "max" => Combiner.Maximum, "min" => Combiner.Minimum, _ => null };

    private static string? ScatterElements(NodeLowering node)
    {
        LoweredValue data = node.Input(0), indices = node.Input(1);
        int axis = AxisOf(node, data.Rank);
        return Scatter(node, indices.Shape, (index, updates) =>
        {
            Expr[] own = [.. index];
            own[axis] = FromEnd(NodeLowering.LoadAt(indices, index), data.Shape[axis], node.Constant(1));
            return (own, NodeLowering.LoadAt(updates, index));
        });
    }

    private static string? ScatterNd(NodeLowering node)
    {
        LoweredValue data = node.Input(0), indices = node.Input(1);
        if (!indices.Shape[^1].TryGetValue(out long tuple)) return "how many axes its indices name depends on the run";
        return Scatter(node, node.Input(2).Shape, (index, updates) =>
        {
            Expr[] tupleAt = [.. index.Take(indices.Rank - 1)];
            IEnumerable<Expr> named = Enumerable.Range(0, (int)tuple).Select(i => FromEnd(NodeLowering.LoadAt(indices, [.. tupleAt, Ex.Int(i)]), data.Shape[i], node.Constant(1)));
            return ([.. named, .. index.Skip(indices.Rank - 1)], NodeLowering.LoadAt(updates, index));
        });
    }

    /// <summary>A copy of the data, then the updates over it.</summary>
    private static string? Scatter(NodeLowering node, IReadOnlyList<DimExpr> space, Func<Expr[], LoweredValue, (Expr[] Place, Expr Value)> update)
    {
        LoweredValue data = node.Input(0), updates = node.Input(2), target = node.Output();
        if (!PointwiseForm.Computes(data.Type)) return $"no kernel moves {data.Type}";
        Axis[] axes = NodeLowering.Space(space);
        (Expr[] place, Expr value) = update(Ex.Of(axes), updates);
        node.Emit(RegionKind.Nests,
            NodeLowering.Map(target, index => NodeLowering.LoadAt(data, index)),
            new LoopNest { Name = target.Name, Space = axes, Result = value, Target = target.View, Place = place, ScatterCombine = Reduction(node) });
        return null;
    }
}
