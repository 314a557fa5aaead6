using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operators that fold axes into one value.</summary>
internal static class ReductionForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["ReduceSum"] = node => Reduce(node, Combiner.Sum, x => x),
        ["ReduceMean"] = node => Reduce(node, Combiner.Sum, x => x, Mean),
        ["ReduceMax"] = node => Reduce(node, Combiner.Maximum, x => x),
        ["ReduceMin"] = node => Reduce(node, Combiner.Minimum, x => x),
        ["ReduceProd"] = node => Reduce(node, Combiner.Product, x => x),
        ["ReduceL1"] = node => Reduce(node, Combiner.Sum, x => Ex.Call("abs", x)),
        ["ReduceL2"] = node => Reduce(node, Combiner.Sum, Square, (sum, _) => Root(sum)),
        ["ReduceSumSquare"] = node => Reduce(node, Combiner.Sum, Square),
        ["ReduceLogSum"] = node => Reduce(node, Combiner.Sum, x => x, (sum, _) => Logarithm(sum)),
        ["ReduceLogSumExp"] = LogSumExp,
        ["ArgMax"] = node => Arg(node, Combiner.FirstMaximum, Combiner.LastMaximum),
        ["ArgMin"] = node => Arg(node, Combiner.FirstMinimum, Combiner.LastMinimum),
    };

    public static Expr Square(Expr x) => Ex.Call("mul", x, x);

    private static Expr Root(Expr sum) => sum.Type.IsFloat() ? Ex.Call("sqrt", sum) : Ex.Convert(Ex.Call("sqrt", Ex.Convert(sum, ScalarType.Float64)), sum.Type);

    private static Expr Logarithm(Expr sum) => sum.Type.IsFloat() ? Ex.Call("log", sum) : Ex.Convert(Ex.Call("log", Ex.Convert(sum, ScalarType.Float64)), sum.Type);

    public static Expr Mean(Expr sum, DimExpr count) => Ex.Div(sum, Ex.Convert(Ex.Extent(count), sum.Type));

    private static string? Reduce(NodeLowering node, Combiner combine, Func<Expr, Expr> body, Func<Expr, DimExpr, Expr>? result = null)
    {
        if (Axes(node) is not { } reduced) return "its axes depend on the run";
        LoweredValue source = node.Input(0);
        if (!PointwiseForm.Computes(source.Type) || source.Type == DataType.UInt64) return $"no kernel reduces {source.Type}";
        if (reduced.Count == 0)
        {
            node.EmitMap(index => result is null ? body(NodeLowering.LoadAt(source, index)) : result(body(NodeLowering.LoadAt(source, index)), DimExpr.One));
            return null;
        }
        Axis[] over = Loops(source, reduced);
        DimExpr count = over.Aggregate(DimExpr.One, (product, axis) => product * axis.Extent);
        node.Emit(RegionKind.Reduce, NodeLowering.Reduce(node.Output(), over, combine, index => body(NodeLowering.LoadAt(source, Place(source, node.Output(), reduced, index, over))),
            result is null ? null : (total, _) => result(total, count)));
        return null;
    }

    /// <summary>The reduced axes, ascending; null when only the run knows them.</summary>
    private static List<int>? Axes(NodeLowering node)
    {
        int rank = node.Input(0).Rank;
        long[]? axes = node.View.Axes;
        if (node.View.HasAxes && axes is null) return null;
        if (axes is null || axes.Length == 0) return node.View.IsNoOpWithoutAxes ? [] : [.. Enumerable.Range(0, rank)];
        return [.. axes.Select(a => (int)(a < 0 ? a + rank : a)).Distinct().Order()];
    }

    public static Axis[] Loops(LoweredValue source, IReadOnlyList<int> reduced) => [.. reduced.Select(axis => new Axis($"r{axis}", source.Shape[axis]))];

    /// <summary>Where a reduction reads: loops on the reduced axes, the result's index on the others, whether the result keeps reduced axes or not.</summary>
    public static Expr[] Place(LoweredValue source, LoweredValue target, IReadOnlyList<int> reduced, Expr[] index, Axis[] over)
    {
        Expr[] place = new Expr[source.Rank];
        bool keeps = target.Rank == source.Rank;
        int kept = 0;
        for (int axis = 0; axis < place.Length; axis++)
        {
            int loop = reduced.ToList().IndexOf(axis);
            place[axis] = loop >= 0 ? Ex.Of(over[loop]) : index[keeps ? axis : kept++];
        }
        return place;
    }

    private static string? LogSumExp(NodeLowering node)
    {
        if (Axes(node) is not { Count: > 0 } reduced) return "its axes depend on the run";
        LoweredValue source = node.Input(0), target = node.Output();
        if (!source.Type.IsFloatingPoint()) return "no kernel sums exponentials of integers";
        LoweredValue maximum = node.Scratch("maximum", source.Type == DataType.Float64 ? DataType.Float64 : DataType.Float32, target.Shape);
        Axis[] first = Loops(source, reduced), second = Loops(source, reduced);
        // A maximum of ±∞ would make NaN of ∞ − ∞; the exponentials of what is left are exact without it.
        Expr Finite(Expr value) => Ex.Select(Ex.Call("isinf", value), Ex.Constant(0, value.Type), value);
        node.Emit(RegionKind.Nests,
            NodeLowering.Reduce(maximum, first, Combiner.Maximum, index => NodeLowering.LoadAt(source, Place(source, target, reduced, index, first)), (total, _) => Finite(total)),
            NodeLowering.Reduce(target, second, Combiner.Sum, index => Ex.Call("exp", Ex.Call("sub", NodeLowering.LoadAt(source, Place(source, target, reduced, index, second)), Ex.Load(maximum, index))),
                (total, index) => Ex.Call("add", Ex.Call("log", total), Ex.Load(maximum, index))));
        return null;
    }

    private static string? Arg(NodeLowering node, Combiner first, Combiner last)
    {
        LoweredValue source = node.Input(0);
        if (!PointwiseForm.Computes(source.Type) || source.Type == DataType.UInt64) return $"no kernel orders {source.Type}";
        int axis = (int)(node.View.Axis < 0 ? node.View.Axis + source.Rank : node.View.Axis);
        Axis[] over = Loops(source, [axis]);
        node.Emit(RegionKind.Reduce, NodeLowering.Reduce(node.Output(), over, node.View.Int("select_last_index", 0) != 0 ? last : first,
            index => NodeLowering.LoadAt(source, Place(source, node.Output(), [axis], index, over))));
        return null;
    }
}
