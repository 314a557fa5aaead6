using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Sums of products.</summary>
internal static class ContractionForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["MatMul"] = MatMul, ["Gemm"] = Gemm, ["Conv"] = Conv, ["ConvTranspose"] = ConvTranspose,
    };

    private static string? MatMul(NodeLowering node)
    {
        if (!IntegerContractions.TryProduct(node, (sum, _) => sum)) Product(node, node.Input(0), node.Input(1), node.Output(), null, null, (sum, _) => sum);
        return null;
    }

    /// <summary>A batched matrix product with its epilogue. Zero points, where given by row and column, are subtracted from the integers first.</summary>
    public static Operation Product(NodeLowering node, LoweredValue a, LoweredValue b, LoweredValue y, Func<Expr[], Expr>? aZero, Func<Expr[], Expr>? bZero, Func<Expr, Expr[], Expr> epilogue)
    {
        Axis k = new("k", a.Shape[^1]);
        int batch = y.Rank - (a.Rank > 1 ? 1 : 0) - (b.Rank > 1 ? 1 : 0);
        LoopNest nest = NodeLowering.Reduce(y, [k], Combiner.Sum, index =>
        {
            Expr row = a.Rank > 1 ? index[batch] : Ex.Zero, column = b.Rank > 1 ? index[^1] : Ex.Zero, inner = Ex.Of(k);
            Expr left = NodeLowering.LoadAt(a, Operand(a, index, batch, row, inner, isLeft: true)), right = NodeLowering.LoadAt(b, Operand(b, index, batch, inner, column, isLeft: false));
            if (aZero is not null) left = Ex.Call("sub", left, aZero(index));
            if (bZero is not null) right = Ex.Call("sub", right, bZero(index));
            return Ex.Call("mul", left, right);
        }, epilogue);
        Operation operation = node.Emit(RegionKind.MatMul, nest);
        if (a.Rank > 1 && b.Rank > 1) operation.Facts = new MatMulFacts(a.View, b.View, 0);
        return operation;

        Expr[] Operand(LoweredValue operand, Expr[] index, int batchRank, Expr first, Expr second, bool isLeft)
        {
            if (operand.Rank == 1) return [isLeft ? second : first];
            int own = operand.Rank - 2;
            Expr[] result = new Expr[operand.Rank];
            for (int axis = 0; axis < own; axis++)
            {
                DimExpr extent = operand.Shape[axis], wanted = y.Shape[batchRank - own + axis];
                result[axis] = extent is { IsConstant: true, Value: 1 } ? Ex.Zero : extent.Equals(wanted) || extent.IsConstant ? index[batchRank - own + axis]
                    : Ex.Min(index[batchRank - own + axis], Ex.Extent(extent - DimExpr.One));
            }
            (result[^2], result[^1]) = (first, second);
            return result;
        }
    }

    private static string? Gemm(NodeLowering node)
    {
        LoweredValue a = node.Input(0), b = node.Input(1), y = node.Output();
        LoweredValue? c = node.Optional(2);
        bool transA = node.View.Int("transA", 0) != 0, transB = node.View.Int("transB", 0) != 0;
        double alpha = node.View.Float("alpha", 1), beta = node.View.Float("beta", 1);
        if (!transA && IntegerContractions.TryProduct(node, Epilogue, transB)) return null;
        if (transA) a = Swapped(node, a, "a");
        if (transB) b = Swapped(node, b, "b");
        Product(node, a, b, y, null, null, Epilogue);
        return null;

        Expr Epilogue(Expr sum, Expr[] index)
        {
            Expr result = alpha == 1 ? sum : Scaled(sum, alpha);
            if (c is null || beta == 0) return result;
            Expr bias = NodeLowering.LoadBroadcast(c, index, y.Shape);
            return Ex.Call("add", result, beta == 1 ? bias : Scaled(bias, beta));
        }
    }

    private static Expr Scaled(Expr value, double factor) => value.Type.IsFloat() ? Ex.Call("mul", value, Ex.Number(factor, value.Type))
        : Ex.Convert(Ex.Call("mul", Ex.Convert(value, ScalarType.Float32), Ex.Number(factor)), value.Type);

    /// <summary>A view with the last two axes swapped.</summary>
    public static LoweredValue Swapped(NodeLowering node, LoweredValue value, string suffix)
    {
        LoweredValue swapped = node.Scratch(suffix, value.Type, [.. value.Shape.Take(value.Rank - 2), value.Shape[^1], value.Shape[^2]], keepsType: false);
        node.Emit(RegionKind.Map, NodeLowering.Map(swapped, index => NodeLowering.LoadAt(value, [.. index.Take(value.Rank - 2), index[^1], index[^2]]))).Operators[0] = "Transpose";
        return swapped;
    }

    private static string? Conv(NodeLowering node)
    {
        LoweredValue x = node.Input(0), w = node.Input(1), y = node.Output();
        LoweredValue? bias = node.Optional(2);
        if (x.Rank < 3 || w.Rank != x.Rank) return $"its input has rank {x.Rank}";
        if (WindowGeometry.Of(node.View, x.Shape, [.. w.Shape.Skip(2)], y.Shape) is not { } window) return "its padding depends on the run";
        if (IntegerContractions.TryConv(node, window)) return null;
        Emit(node, x, w, y, window, node.View.Int("group", 1), null, null, (sum, index) => bias is null ? sum : Ex.Call("add", sum, NodeLowering.LoadAt(bias, index[1])));
        return null;
    }

    /// <summary>Each output place gathers the input places whose window reaches it: place · stride − padding + kernel place · dilation.</summary>
    private static string? ConvTranspose(NodeLowering node)
    {
        LoweredValue x = node.Input(0), w = node.Input(1), y = node.Output();
        LoweredValue? bias = node.Optional(2);
        if (x.Rank < 3) return $"its input has rank {x.Rank}";
        int axes = x.Rank - 2;
        long group = node.View.Int("group", 1);
        long[] strides = new long[axes], dilations = new long[axes];
        DimExpr[] pads = new DimExpr[axes];
        string autoPad = node.View.String("auto_pad", "NOTSET");
        bool givesShape = node.View.HasAttribute("output_shape");
        for (int i = 0; i < axes; i++)
        {
            strides[i] = Windows.At(node.View.Ints("strides"), i, 1);
            dilations[i] = Windows.At(node.View.Ints("dilations"), i, 1);
            if (autoPad == "VALID") pads[i] = DimExpr.Zero;
            else if (autoPad == "NOTSET" && !givesShape) pads[i] = Windows.At(node.View.Ints("pads"), i, 0);
            else
            {
                // The padding that gives the wanted shape, half of it before.
                DimExpr total = ((x.Shape[i + 2] - DimExpr.One) * strides[i]) + Windows.At(node.View.Ints("output_padding"), i, 0) + ((w.Shape[i + 2] - DimExpr.One) * dilations[i]) + DimExpr.One - y.Shape[i + 2];
                if (!total.TryGetValue(out long padding)) return "its padding depends on the run";
                padding = Math.Max(0, padding);
                pads[i] = autoPad == "SAME_UPPER" ? padding / 2 : padding - (padding / 2);
            }
        }
        DimExpr perGroup = DimExpr.FloorDiv(x.Shape[1], group);
        Axis channel = new("c", perGroup);
        Axis[] kernel = [.. Enumerable.Range(0, axes).Select(i => new Axis($"r{i}", w.Shape[i + 2]))];
        node.Emit(RegionKind.Nests, NodeLowering.Reduce(y, [channel, .. kernel], Combiner.Sum,
            index =>
            {
                Expr c = Ex.Of(channel), own = index[1];
                if (group > 1)
                {
                    c = Ex.Add(Ex.Mul(Ex.FloorDiv(index[1], w.Shape[1]), Ex.Extent(perGroup)), c);
                    own = Ex.Mod(index[1], w.Shape[1]);
                }
                Expr[] places = new Expr[axes];
                Expr inside = Ex.True;
                for (int i = 0; i < axes; i++)
                {
                    Expr reached = Ex.Sub(Ex.Add(index[i + 2], Ex.Extent(pads[i])), Ex.Mul(Ex.Of(kernel[i]), Ex.Int(dilations[i])));
                    places[i] = Ex.FloorDiv(reached, strides[i]);
                    if (strides[i] > 1) inside = Ex.And(inside, Ex.Equal(Ex.Mod(reached, strides[i]), Ex.Zero));
                    inside = Ex.And(inside, Ex.And(Ex.GreaterOrEqual(reached, Ex.Zero), Ex.Less(places[i], Ex.Extent(x.Shape[i + 2]))));
                }
                Expr value = NodeLowering.LoadAt(x, [index[0], c, .. places]), weight = NodeLowering.LoadAt(w, [c, own, .. Ex.Of(kernel)]);
                return Ex.Select(inside, Ex.Call("mul", value, weight), Ex.Constant(0, value.Type));
            },
            (sum, index) => bias is null ? sum : Ex.Call("add", sum, NodeLowering.LoadAt(bias, index[1]))));
        return null;
    }

    /// <summary>A convolution with its epilogue. Zero points, where given, are subtracted from the integers first; padding counts as the zero point.</summary>
    public static Operation Emit(NodeLowering node, LoweredValue x, LoweredValue w, LoweredValue y, WindowGeometry window, long group, Func<Expr[], Expr>? xZero, Func<Expr[], Expr>? wZero, Func<Expr, Expr[], Expr> epilogue)
    {
        int axes = x.Rank - 2;
        Axis channel = new("c", w.Shape[1]);
        Axis[] kernel = [.. Enumerable.Range(0, axes).Select(i => new Axis($"r{i}", w.Shape[i + 2]))];
        LoopNest nest = NodeLowering.Reduce(y, [channel, .. kernel], Combiner.Sum,
            index =>
            {
                Expr c = Ex.Of(channel);
                // Output channel k belongs to group k / (K / groups) and reads that group's channels.
                if (group > 1)
                {
                    DimExpr perGroup = DimExpr.FloorDiv(y.Shape[1], group);
                    c = Ex.Add(Ex.Mul(Ex.FloorDiv(index[1], perGroup), Ex.Extent(w.Shape[1])), c);
                }
                (Expr[] places, Expr inside) = window.Places([.. index.Skip(2)], Ex.Of(kernel));
                Expr value = NodeLowering.LoadAt(x, [index[0], c, .. places]), weight = NodeLowering.LoadAt(w, [index[1], Ex.Of(channel), .. Ex.Of(kernel)]);
                if (xZero is not null) value = Ex.Call("sub", value, xZero(index));
                if (wZero is not null) weight = Ex.Call("sub", weight, wZero(index));
                return Ex.Select(inside, Ex.Call("mul", value, weight), Ex.Constant(0, value.Type));
            },
            epilogue);
        Operation operation = node.Emit(RegionKind.Convolution, nest);
        operation.Facts = new ConvolutionFacts(x.View, w.View, 0, window.Strides, window.PadsBegin, window.PadsEnd, window.Dilations, group);
        return operation;
    }
}
