using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Softmax and the normalizations: statistics over rows, and a map over them.</summary>
internal static class NormalizationForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["Softmax"] = node => Softmax(node, isLogarithm: false), ["LogSoftmax"] = node => Softmax(node, isLogarithm: true), ["Hardmax"] = Hardmax,
        ["BatchNormalization"] = BatchNormalization, ["InstanceNormalization"] = InstanceNormalization, ["GroupNormalization"] = GroupNormalization,
        ["LayerNormalization"] = LayerNormalization, ["RMSNormalization"] = RmsNormalization, ["SimplifiedLayerNormalization"] = RmsNormalization,
        ["MeanVarianceNormalization"] = MeanVariance, ["LpNormalization"] = LpNormalization,
        ["com.microsoft::SkipLayerNormalization"] = SkipLayerNormalization,
    };

    private static DataType Wide(DataType type) => type == DataType.Float64 ? DataType.Float64 : DataType.Float32;

    private static int AxisOf(NodeLowering node, int rank) => (int)(node.View.Axis < 0 ? node.View.Axis + rank : node.View.Axis);

    private static string? Softmax(NodeLowering node, bool isLogarithm)
    {
        LoweredValue x = node.Input(0), y = node.Output();
        int axis = AxisOf(node, x.Rank);
        int[] reduced = node.View.NormalizesTrailingAxes ? [.. Enumerable.Range(axis, x.Rank - axis)] : [axis];
        DimExpr[] rows = [.. x.Shape.Where((_, d) => !reduced.Contains(d))];
        LoweredValue maximum = node.Scratch("maximum", Wide(x.Type), rows), sum = node.Scratch("sum", Wide(x.Type), rows);
        Axis[] first = ReductionForm.Loops(x, reduced), second = ReductionForm.Loops(x, reduced);
        Expr Shifted(Expr[] place, Expr[] row) => Ex.Call("sub", NodeLowering.LoadAt(x, place), Ex.Load(maximum, row));
        Expr[] Row(Expr[] index) => [.. index.Where((_, d) => !reduced.Contains(d))];
        Operation operation = node.Emit(RegionKind.Row,
            NodeLowering.Reduce(maximum, first, Combiner.Maximum, row => NodeLowering.LoadAt(x, ReductionForm.Place(x, maximum, reduced, row, first))),
            NodeLowering.Reduce(sum, second, Combiner.Sum, row => Ex.Call("exp", Shifted(ReductionForm.Place(x, sum, reduced, row, second), row))),
            NodeLowering.Map(y, index => isLogarithm ? Ex.Call("sub", Shifted(index, Row(index)), Ex.Call("log", Ex.Load(sum, Row(index)))) : Ex.Div(Ex.Call("exp", Shifted(index, Row(index))), Ex.Load(sum, Row(index)))));
        if (reduced[^1] == x.Rank - 1) operation.Facts = new RowFacts(isLogarithm ? "LogSoftmax" : "Softmax", x.View, reduced[0]);
        return null;
    }

    private static string? Hardmax(NodeLowering node)
    {
        LoweredValue x = node.Input(0), y = node.Output();
        int axis = AxisOf(node, x.Rank);
        if (node.View.NormalizesTrailingAxes && axis != x.Rank - 1) return "it spans several axes";
        LoweredValue place = node.Scratch("place", DataType.Int64, [.. x.Shape.Where((_, d) => d != axis)]);
        Axis[] over = ReductionForm.Loops(x, [axis]);
        node.Emit(RegionKind.Nests,
            NodeLowering.Reduce(place, over, Combiner.FirstMaximum, row => NodeLowering.LoadAt(x, ReductionForm.Place(x, place, [axis], row, over))),
            NodeLowering.Map(y, index => Ex.Select(Ex.Equal(index[axis], Ex.Load(place, [.. index.Where((_, d) => d != axis)])), Ex.Constant(1, x.Type.ScalarType()), Ex.Constant(0, x.Type.ScalarType()))));
        return null;
    }

    private static string? BatchNormalization(NodeLowering node)
    {
        if (!node.View.IsBatchNormalizationInference) return "it normalizes by the batch's own statistics";
        LoweredValue x = node.Input(0), scale = node.Input(1), shift = node.Input(2), mean = node.Input(3), variance = node.Input(4);
        double epsilon = node.View.Epsilon;
        node.EmitMap(index =>
        {
            Expr channel = index.Length > 1 ? index[1] : Ex.Zero;
            ScalarType type = x.Type.ScalarType();
            Expr At(LoweredValue value) => Ex.Convert(NodeLowering.LoadAt(value, channel), type);
            Expr factor = Ex.Div(At(scale), Ex.Call("sqrt", Ex.Call("add", At(variance), Ex.Number(epsilon, type))));
            return Ex.Call("add", Ex.Call("mul", Ex.Call("sub", NodeLowering.LoadAt(x, index), At(mean)), factor), At(shift));
        });
        return null;
    }

    /// <summary>Mean and reciprocal deviation of rows, and the map over them.</summary>
    /// <param name="node">The node.</param>
    /// <param name="function">What to call it.</param>
    /// <param name="x">What is normalized.</param>
    /// <param name="rows">Shape of the statistics.</param>
    /// <param name="loops">Extents of one row.</param>
    /// <param name="place">The place in x of a row's element.</param>
    /// <param name="row">The row of an element.</param>
    /// <param name="affine">What becomes of a normalized element.</param>
    /// <param name="centers">False: only the deviation counts (RMS).</param>
    private static Operation Normalize(NodeLowering node, string function, LoweredValue x, DimExpr[] rows, DimExpr[] loops, Func<Expr[], Expr[], Expr[]> place, Func<Expr[], Expr[]> row,
        Func<Expr, Expr[], Expr> affine, double epsilon, bool centers = true)
    {
        LoweredValue y = node.Output();
        ScalarType type = x.Type.ScalarType();
        DimExpr count = loops.Aggregate(DimExpr.One, (product, extent) => product * extent);
        LoweredValue? mean = centers ? node.Scratch("mean", Wide(x.Type), rows) : null;
        LoweredValue factor = node.Scratch("factor", Wide(x.Type), rows);
        Axis[] first = NodeLowering.Space(loops, "r"), second = NodeLowering.Space(loops, "r");
        Expr Centered(Expr[] at, Expr[] own) => mean is null ? NodeLowering.LoadAt(x, at) : Ex.Call("sub", NodeLowering.LoadAt(x, at), Ex.Load(mean, own));
        List<LoopNest> nests = [];
        if (mean is not null) nests.Add(NodeLowering.Reduce(mean, first, Combiner.Sum, own => NodeLowering.LoadAt(x, place(own, Ex.Of(first))), (sum, _) => ReductionForm.Mean(sum, count)));
        nests.Add(NodeLowering.Reduce(factor, second, Combiner.Sum, own => ReductionForm.Square(Centered(place(own, Ex.Of(second)), own)),
            (sum, _) => Ex.Div(Ex.Constant(1, type), Ex.Call("sqrt", Ex.Call("add", ReductionForm.Mean(sum, count), Ex.Number(epsilon, type))))));
        nests.Add(NodeLowering.Map(y, index => affine(Ex.Call("mul", Centered(index, row(index)), Ex.Load(factor, row(index))), index)));
        Operation operation = node.Emit(RegionKind.Row, nests);
        operation.Facts = new RowFacts(function, x.View, x.Rank - loops.Length);
        return operation;
    }

    private static Expr Affine(Expr value, LoweredValue? scale, LoweredValue? shift, Func<LoweredValue, Expr> at)
    {
        if (scale is not null) value = Ex.Call("mul", value, Ex.Convert(at(scale), value.Type));
        return shift is null ? value : Ex.Call("add", value, Ex.Convert(at(shift), value.Type));
    }

    private static string? LayerNormalization(NodeLowering node)
    {
        if (node.Wants(1) || node.Wants(2)) return "its mean and deviation are outputs";
        LoweredValue x = node.Input(0);
        LoweredValue? scale = node.Optional(1), shift = node.Optional(2);
        int axis = AxisOf(node, x.Rank);
        Normalize(node, "LayerNorm", x, [.. x.Shape.Take(axis)], [.. x.Shape.Skip(axis)], (own, loops) => [.. own, .. loops], index => [.. index.Take(axis)],
            (value, index) => Affine(value, scale, shift, v => NodeLowering.LoadBroadcast(v, index, x.Shape)), node.View.Epsilon);
        return null;
    }

    private static string? RmsNormalization(NodeLowering node)
    {
        if (node.Wants(1)) return "its deviation is an output";
        LoweredValue x = node.Input(0);
        LoweredValue? scale = node.Optional(1);
        int axis = AxisOf(node, x.Rank);
        Normalize(node, "RmsNorm", x, [.. x.Shape.Take(axis)], [.. x.Shape.Skip(axis)], (own, loops) => [.. own, .. loops], index => [.. index.Take(axis)],
            (value, index) => Affine(value, scale, null, v => NodeLowering.LoadBroadcast(v, index, x.Shape)), node.View.Epsilon, centers: false);
        return null;
    }

    private static string? SkipLayerNormalization(NodeLowering node)
    {
        if (node.Wants(1) || node.Wants(2)) return "its mean and deviation are outputs";
        LoweredValue x = node.Input(0), skip = node.Input(1), scale = node.Input(2);
        LoweredValue? shift = node.Optional(3), bias = node.Optional(4);
        LoweredValue sum = node.Node.Output(3) is not null ? node.Output(3) : node.Scratch("skipped", x.Type, x.Shape, keepsType: false);
        node.Emit(RegionKind.Map, NodeLowering.Map(sum, index =>
        {
            Expr value = Ex.Call("add", NodeLowering.LoadAt(x, index), NodeLowering.LoadBroadcast(skip, index, x.Shape));
            return bias is null ? value : Ex.Call("add", value, NodeLowering.LoadBroadcast(bias, index, x.Shape));
        }));
        int axis = x.Rank - 1;
        Normalize(node, "LayerNorm", sum, [.. x.Shape.Take(axis)], [x.Shape[axis]], (own, loops) => [.. own, .. loops], index => [.. index.Take(axis)],
            (value, index) => Affine(value, scale, shift, v => NodeLowering.LoadBroadcast(v, index, x.Shape)), node.View.Float("epsilon", 1e-12f));
        return null;
    }

    private static string? InstanceNormalization(NodeLowering node)
    {
        LoweredValue x = node.Input(0), scale = node.Input(1), shift = node.Input(2);
        Normalize(node, "InstanceNorm", x, [.. x.Shape.Take(2)], [.. x.Shape.Skip(2)], (own, loops) => [.. own, .. loops], index => [.. index.Take(2)],
            (value, index) => Affine(value, scale, shift, v => NodeLowering.LoadAt(v, index[1])), node.View.Epsilon);
        return null;
    }

    private static string? GroupNormalization(NodeLowering node)
    {
        LoweredValue x = node.Input(0), scale = node.Input(1), shift = node.Input(2);
        long groups = node.View.Int("num_groups", 1);
        DimExpr size = DimExpr.FloorDiv(x.Shape[1], groups);
        // Before opset 21 scale and shift were one per group.
        bool perGroup = !scale.Shape[0].Equals(x.Shape[1]);
        Normalize(node, "GroupNorm", x, [x.Shape[0], groups], [size, .. x.Shape.Skip(2)], (own, loops) => [own[0], Ex.Add(Ex.Mul(own[1], Ex.Extent(size)), loops[0]), .. loops.Skip(1)],
            index => [index[0], Ex.FloorDiv(index[1], size)],
            (value, index) => Affine(value, scale, shift, v => NodeLowering.LoadAt(v, perGroup ? Ex.FloorDiv(index[1], size) : index[1])), node.View.Epsilon);
        return null;
    }

    private static string? MeanVariance(NodeLowering node)
    {
        LoweredValue x = node.Input(0);
        int[] reduced = [.. (node.View.Ints("axes") ?? [0, 2, 3]).Select(a => (int)(a < 0 ? a + x.Rank : a)).Order()];
        Expr[] Place(Expr[] own, Expr[] loops)
        {
            int kept = 0, looped = 0;
            return [.. Enumerable.Range(0, x.Rank).Select(d => reduced.Contains(d) ? loops[looped++] : own[kept++])];
        }
        Operation operation = Normalize(node, "MeanVarianceNorm", x, [.. x.Shape.Where((_, d) => !reduced.Contains(d))], [.. reduced.Select(d => x.Shape[d])], Place,
            index => [.. index.Where((_, d) => !reduced.Contains(d))], (value, _) => value, 1e-9);
        operation.Facts = null;
        return null;
    }

    private static string? LpNormalization(NodeLowering node)
    {
        LoweredValue x = node.Input(0), y = node.Output();
        int axis = AxisOf(node, x.Rank);
        bool isFirst = node.View.Int("p", 2) == 1;
        LoweredValue norm = node.Scratch("norm", Wide(x.Type), [.. x.Shape.Where((_, d) => d != axis)]);
        Axis[] over = ReductionForm.Loops(x, [axis]);
        node.Emit(RegionKind.Nests,
            NodeLowering.Reduce(norm, over, Combiner.Sum, row => NodeLowering.LoadAt(x, ReductionForm.Place(x, norm, [axis], row, over)) is var value && isFirst ? Ex.Call("abs", value) : ReductionForm.Square(value),
                (sum, _) => isFirst ? sum : Ex.Call("sqrt", sum)),
            NodeLowering.Map(y, index =>
            {
                Expr length = Ex.Load(norm, [.. index.Where((_, d) => d != axis)]);
                return Ex.Select(Ex.Equal(length, Ex.Constant(0, length.Type)), Ex.Constant(0, length.Type), Ex.Div(NodeLowering.LoadAt(x, index), length));
            }));
        return null;
    }
}
