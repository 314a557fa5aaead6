using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operators that order an axis or add up along it. Each element finds its place, or its sum, by itself from the whole axis: n² short steps, which a device has to spare for the lengths that models have.</summary>
internal static class SortForm
{
    private const long LongestSort = 1 << 17, LongestSum = 1 << 14;

    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["TopK"] = TopK, ["CumSum"] = node => Cumulate(node, Combiner.Sum), ["CumProd"] = node => Cumulate(node, Combiner.Product),
    };

    private static string? TopK(NodeLowering node)
    {
        LoweredValue x = node.Input(0);
        if (!PointwiseForm.Computes(x.Type) || x.Type is DataType.UInt64 or DataType.Bool) return $"no kernel orders {x.Type}";
        int axis = (int)(node.View.Axis < 0 ? node.View.Axis + x.Rank : node.View.Axis);
        DimExpr extent = x.Shape[axis];
        if (extent is { IsConstant: true, Value: > LongestSort }) return $"its axis has {extent} elements";
        bool largest = node.View.Int("largest", 1) != 0;
        LoweredValue rank = node.Scratch("rank", DataType.Int32, x.Shape), order = node.Scratch("order", DataType.Int64, x.Shape);
        Axis other = new("j", extent);
        LoopNest ranks = NodeLowering.Reduce(rank, [other], Combiner.Sum, index =>
        {
            Expr own = NodeLowering.LoadAt(x, index), rival = NodeLowering.LoadAt(x, With(index, axis, Ex.Of(other)));
            return new SelectExpr(GoesBefore(rival, own, Ex.Less(Ex.Of(other), index[axis]), largest), Ex.One, Ex.Zero);
        });
        Axis[] space = NodeLowering.Space(x.Shape);
        Expr[] at = Ex.Of(space);
        LoopNest places = new() { Name = order.Name, Space = space, Place = With(at, axis, Ex.Load(rank, at)), Result = at[axis], Target = order.View };
        List<LoopNest> nests = [ranks, places];
        if (node.Wants(0)) nests.Add(NodeLowering.Map(node.Output(), index => NodeLowering.LoadAt(x, With(index, axis, Ex.Load(order, index)))));
        if (node.Wants(1)) nests.Add(NodeLowering.Map(node.Output(1), index => Ex.Load(order, index)));
        node.Emit(RegionKind.Nests, nests);
        return null;
    }

    /// <summary>Whether a rival stands before an element: it is better, or as good and earlier. NaN is better than everything when the largest come first, so that each element has a place of its own.</summary>
    private static Expr GoesBefore(Expr rival, Expr own, Expr isEarlier, bool largest)
    {
        Expr better = Ex.Call(largest ? "gt" : "lt", rival, own), equal = Ex.Call("eq", rival, own);
        if (own.Type.IsFloat())
        {
            Expr rivalIsNaN = Ex.Call("isnan", rival), ownIsNaN = Ex.Call("isnan", own);
            better = Ex.Or(better, largest ? Ex.And(rivalIsNaN, Ex.Not(ownIsNaN)) : Ex.And(Ex.Not(rivalIsNaN), ownIsNaN));
            equal = Ex.Or(equal, Ex.And(rivalIsNaN, ownIsNaN));
        }
        return Ex.Or(better, Ex.And(equal, isEarlier));
    }

    private static string? Cumulate(NodeLowering node, Combiner combine)
    {
        LoweredValue x = node.Input(0);
        if (!PointwiseForm.Computes(x.Type) || x.Type == DataType.Bool) return $"no kernel adds up {x.Type}";
        if (node.View.Integers(1) is not [long given]) return "its axis depends on the run";
        int axis = (int)(given < 0 ? given + x.Rank : given);
        if (x.Shape[axis] is { IsConstant: true, Value: > LongestSum }) return $"its axis has {x.Shape[axis]} elements";
        bool exclusive = node.View.Int("exclusive", 0) != 0, reverse = node.View.Int("reverse", 0) != 0;
        Axis other = new("j", x.Shape[axis]);
        node.Emit(RegionKind.Reduce, NodeLowering.Reduce(node.Output(), [other], combine, index =>
        {
            Expr counts = Ex.Call((reverse, exclusive) switch { (false, false) => "le", (false, true) => "lt", (true, false) => "ge", _ => "gt" }, Ex.Of(other), index[axis]);
            Expr value = NodeLowering.LoadAt(x, With(index, axis, Ex.Of(other)));
            return new SelectExpr(counts, value, Ex.Constant(combine == Combiner.Sum ? 0 : 1, value.Type));
        }));
        return null;
    }

    private static Expr[] With(Expr[] index, int axis, Expr at)
    {
        Expr[] changed = [.. index];
        changed[axis] = at;
        return changed;
    }
}
