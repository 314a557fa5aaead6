using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Pooling.</summary>
internal static class WindowForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["MaxPool"] = MaxPool, ["AveragePool"] = AveragePool, ["LpPool"] = LpPool, ["LRN"] = Lrn,
        ["GlobalMaxPool"] = node => Global(node, Combiner.Maximum, x => x, null),
        ["GlobalAveragePool"] = node => Global(node, Combiner.Sum, x => x, ReductionForm.Mean),
        ["GlobalLpPool"] = node => Global(node, Combiner.Sum, x => Power(x, P(node)), (sum, _) => Root(sum, P(node))),
    };

    private static string? Global(NodeLowering node, Combiner combine, Func<Expr, Expr> body, Func<Expr, DimExpr, Expr>? result)
    {
        LoweredValue source = node.Input(0), target = node.Output();
        int[] reduced = [.. Enumerable.Range(2, source.Rank - 2)];
        Axis[] over = ReductionForm.Loops(source, reduced);
        DimExpr count = over.Aggregate(DimExpr.One, (product, axis) => product * axis.Extent);
        node.Emit(RegionKind.Reduce, NodeLowering.Reduce(target, over, combine, index => body(NodeLowering.LoadAt(source, ReductionForm.Place(source, target, reduced, index, over))),
            result is null ? null : (total, _) => result(total, count)));
        return null;
    }

    private static double P(NodeLowering node) => node.View.Attribute("p") is { Content: long whole } ? whole : node.View.Float("p", 2);

    private static Expr Power(Expr x, double p) => p == 2 ? ReductionForm.Square(x) : p == 1 ? Ex.Call("abs", x) : Ex.Call("pow", Ex.Call("abs", x), Ex.Number(p, x.Type));

    private static Expr Root(Expr sum, double p) => p == 2 ? Ex.Call("sqrt", sum) : p == 1 ? sum : Ex.Call("pow", sum, Ex.Number(1 / p, sum.Type));

    private static (WindowGeometry Window, DimExpr[] Kernel)? Geometry(NodeLowering node)
    {
        DimExpr[] kernel = [.. node.View.Ints("kernel_shape")!.Select(DimExpr.Constant)];
        return WindowGeometry.Of(node.View, node.Input(0).Shape, kernel, node.OutputShape()) is { } window ? (window, kernel) : null;
    }

    /// <summary>Not above any value of a type: of narrow integers the least, so that comparing them needs no wide numbers.</summary>
    private static Expr Lowest(DataType type)
    {
        ScalarType scalar = type.ScalarType();
        if (scalar.IsFloat()) return Ex.Number(double.NegativeInfinity, scalar);
        return new ConstantExpr(type switch { DataType.Bool or DataType.UInt8 or DataType.UInt16 or DataType.UInt32 => 0, DataType.Int8 => sbyte.MinValue, DataType.Int16 => short.MinValue, DataType.Int32 => int.MinValue, _ => long.MinValue }, scalar);
    }

    private static Expr Windowed(LoweredValue source, WindowGeometry window, Expr[] index, Expr[] kernel, Func<Expr, Expr> body, Expr outside)
    {
        // A window that ceil_mode lets hang over the end needs the test there too.
        (Expr[] places, Expr inside) = window.Places([.. index.Skip(2)], kernel, always: true);
        return Ex.Select(inside, body(NodeLowering.LoadAt(source, [index[0], index[1], .. places])), outside);
    }

    private static string? MaxPool(NodeLowering node)
    {
        if (Geometry(node) is not { } geometry) return "its padding depends on the run";
        LoweredValue source = node.Input(0);
        if (node.Wants(0))
        {
            Axis[] kernel = NodeLowering.Space(geometry.Kernel, "r");
            node.Emit(RegionKind.Pool, NodeLowering.Reduce(node.Output(), kernel, Combiner.Maximum,
                index => Windowed(source, geometry.Window, index, Ex.Of(kernel), x => x, Lowest(source.Type))));
        }
        if (!node.Wants(1)) return null;
        // The place of the first maximum, along one loop over the whole window.
        Axis all = new("r", geometry.Kernel.Aggregate(DimExpr.One, (product, extent) => product * extent));
        Expr[] Unfold(Expr linear)
        {
            Expr[] result = new Expr[geometry.Kernel.Length];
            for (int i = result.Length - 1; i >= 0; i--)
            {
                result[i] = Ex.Mod(linear, geometry.Kernel[i]);
                linear = Ex.FloorDiv(linear, geometry.Kernel[i]);
            }
            return result;
        }
        bool columnMajor = node.View.Int("storage_order", 0) != 0;
        node.Emit(RegionKind.Nests, NodeLowering.Reduce(node.Output(1), [all], Combiner.FirstMaximum,
            index => Windowed(source, geometry.Window, index, Unfold(Ex.Of(all)), x => x, Lowest(source.Type)),
            (position, index) =>
            {
                (Expr[] places, _) = geometry.Window.Places([.. index.Skip(2)], Unfold(position), always: false);
                Expr linear = Ex.Add(Ex.Mul(index[0], Ex.Extent(source.Shape[1])), index[1]);
                IEnumerable<int> order = columnMajor ? Enumerable.Range(0, places.Length).Reverse() : Enumerable.Range(0, places.Length);
                foreach (int axis in order) linear = Ex.Add(Ex.Mul(linear, Ex.Extent(source.Shape[axis + 2])), places[axis]);
                return linear;
            }));
        return null;
    }

    private static string? AveragePool(NodeLowering node)
    {
        if (Geometry(node) is not { } geometry) return "its padding depends on the run";
        LoweredValue source = node.Input(0);
        bool countsPads = node.View.Int("count_include_pad", 0) != 0;
        Axis[] kernel = NodeLowering.Space(geometry.Kernel, "r");
        node.Emit(RegionKind.Pool, NodeLowering.Reduce(node.Output(), kernel, Combiner.Sum,
            index => Windowed(source, geometry.Window, index, Ex.Of(kernel), x => x, Ex.Constant(0, source.Type.ScalarType())),
            (sum, index) => Ex.Div(sum, Ex.Convert(Count(node, geometry.Window, geometry.Kernel, index, countsPads), sum.Type))));
        return null;
    }

    /// <summary>How many places of a window lie in the input, or in the padded input.</summary>
    private static Expr Count(NodeLowering node, WindowGeometry window, DimExpr[] kernel, Expr[] index, bool countsPads)
    {
        Expr count = Ex.One;
        bool mayHangOver = node.View.Int("ceil_mode", 0) != 0;
        for (int i = 0; i < kernel.Length; i++)
        {
            Expr length = Ex.Extent(kernel[i]);
            bool isCutBefore = !countsPads && window.PadsBegin[i] > 0, isCutAfter = mayHangOver || (!countsPads && window.PadsEnd[i] > 0);
            if (isCutBefore || isCutAfter)
            {
                long dilation = window.Dilations[i];
                Expr start = Ex.Sub(Ex.Mul(index[i + 2], Ex.Int(window.Strides[i])), Ex.Int(window.PadsBegin[i]));
                DimExpr end = window.Input[i] + (countsPads ? window.PadsEnd[i] : 0);
                Expr high = !isCutAfter ? length : Ex.Min(length, Ex.FloorDiv(Ex.Add(Ex.Sub(Ex.Extent(end), start), Ex.Int(dilation - 1)), dilation));
                Expr low = !isCutBefore ? Ex.Zero : Ex.Max(Ex.Zero, Ex.FloorDiv(Ex.Add(Ex.Call("neg", start), Ex.Int(dilation - 1)), dilation));
                length = Ex.Sub(high, low);
            }
            count = Ex.Mul(count, length);
        }
        return count;
    }

    private static string? LpPool(NodeLowering node)
    {
        if (Geometry(node) is not { } geometry) return "its padding depends on the run";
        LoweredValue source = node.Input(0);
        Axis[] kernel = NodeLowering.Space(geometry.Kernel, "r");
        node.Emit(RegionKind.Pool, NodeLowering.Reduce(node.Output(), kernel, Combiner.Sum,
            index => Windowed(source, geometry.Window, index, Ex.Of(kernel), x => Power(x, P(node)), Ex.Constant(0, source.Type.ScalarType())), (sum, _) => Root(sum, P(node))));
        return null;
    }

    private static string? Lrn(NodeLowering node)
    {
        LoweredValue source = node.Input(0), target = node.Output();
        long size = node.View.Int("size", 1), before = (size - 1) / 2;
        double alpha = node.View.Float("alpha", 0.0001f), beta = node.View.Float("beta", 0.75f), bias = node.View.Float("bias", 1);
        Axis near = new("r", size);
        node.Emit(RegionKind.Nests, NodeLowering.Reduce(target, [near], Combiner.Sum,
            index =>
            {
                Expr channel = Ex.Add(Ex.Add(index[1], Ex.Of(near)), Ex.Int(-before));
                Expr inside = Ex.And(Ex.GreaterOrEqual(channel, Ex.Zero), Ex.Less(channel, Ex.Extent(source.Shape[1])));
                return Ex.Select(inside, ReductionForm.Square(NodeLowering.LoadAt(source, [index[0], channel, .. index.Skip(2)])), Ex.Constant(0, source.Type.ScalarType()));
            },
            (sum, index) =>
            {
                Expr scale = Ex.Call("add", Ex.Number(bias, sum.Type), Ex.Call("mul", Ex.Number(alpha / size, sum.Type), sum));
                return Ex.Div(NodeLowering.LoadAt(source, index), Ex.Call("pow", scale, Ex.Number(beta, sum.Type)));
            }));
        return null;
    }
}
