using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Sums of products of integers, exact, as models name them themselves.</summary>
internal static class IntegerContractions
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["MatMulInteger"] = MatMulInteger, ["ConvInteger"] = ConvInteger, ["QLinearConv"] = QLinearConv, ["QLinearMatMul"] = QLinearMatMul,
    };

    private static Func<Expr[], Expr>? Zero(LoweredValue? zero, Func<Expr[], Expr> along)
    {
        if (zero is null || (zero.Data is { } data && data.ToInt64().All(z => z == 0))) return null;
        if (zero.Data is { ElementCount: 1 } || zero.Rank == 0) return _ => NodeLowering.LoadAt(zero, [.. Enumerable.Repeat(Ex.Zero, zero.Rank)]);
        return index => NodeLowering.LoadAt(zero, [.. Enumerable.Repeat(Ex.Zero, zero.Rank - 1), zero.Shape[^1] is { IsConstant: true, Value: 1 } ? Ex.Zero : along(index)]);
    }

    /// <summary>What stands before a DequantizeLinear: integers with a scale and a zero point.</summary>
    private sealed record Quantized(LoweredValue Value, LoweredValue Scale, LoweredValue? Zero, int Axis)
    {
        public bool IsPerTensor => Scale.Storage.ElementCount is { IsConstant: true, Value: 1 };

        /// <summary>Null when the input is not dequantized just before, or block by block.</summary>
        public static Quantized? Of(NodeLowering node, int input)
        {
            if (node.Node.Input(input)?.Producer is not { OpType: "DequantizeLinear" } producer) return null;
            NodeLowering dequantize = new(node.Scope, producer);
            if (dequantize.Input(0).Type is not (DataType.Int8 or DataType.UInt8) || dequantize.Input(1).Rank > 1 || dequantize.OutputType() != DataType.Float32) return null;
            return new Quantized(dequantize.Input(0), dequantize.Input(1), dequantize.Optional(2), (int)(dequantize.View.Axis < 0 ? dequantize.View.Axis + dequantize.Input(0).Rank : dequantize.View.Axis));
        }

        /// <summary>The products of this scale, one for all, and another's: what integer sums are scaled by. Computed now where both are known.</summary>
        public LoweredValue? Times(NodeLowering node, Quantized other) => Scale.Data is { Type: DataType.Float32 } own && other.Scale.Data is { Type: DataType.Float32 } factors
            ? node.Scope.Constant($"{other.Scale.Name}.sums", TensorData.Vector<float>([.. factors.AsSpan<float>().ToArray().Select(f => f * own.AsSpan<float>()[0])])) : null;

        /// <summary>The scale at a place along the quantized axis.</summary>
        public Expr ScaleAt(Expr place) => NodeLowering.LoadAt(Scale, Scale.Rank == 0 ? [] : [IsPerTensor ? Ex.Zero : place]);
    }

    /// <summary>Integer sums in the units of the floats that both operands stand for.</summary>
    private static Func<Expr, Expr, Expr> Scaling(NodeLowering node, Quantized one, Quantized other)
    {
        LoweredValue? product = one.Times(node, other);
        return (sum, place) => Ex.Call("mul", Ex.Convert(sum, ScalarType.Float32), product is not null ? NodeLowering.LoadAt(product, product.Shape[0] is { IsConstant: true, Value: 1 } ? Ex.Zero : place)
            : Ex.Call("mul", Ex.Convert(one.ScaleAt(Ex.Zero), ScalarType.Float32), Ex.Convert(other.ScaleAt(place), ScalarType.Float32)));
    }

    /// <summary>A convolution of dequantized values, as a sum of integers that is scaled afterwards; false when its operands are not quantized so.</summary>
    public static bool TryConv(NodeLowering node, WindowGeometry window)
    {
        if (Quantized.Of(node, 0) is not { IsPerTensor: true } x || Quantized.Of(node, 1) is not { } w || !(w.IsPerTensor || w.Axis == 0)) return false;
        LoweredValue? bias = node.Optional(2);
        Func<Expr, Expr, Expr> scaled = Scaling(node, x, w);
        Operation operation = ContractionForm.Emit(node, x.Value, w.Value, node.Output(), window, node.View.Int("group", 1), Zero(x.Zero, index => index[1]), Zero(w.Zero, index => index[1]), (sum, index) =>
        {
            Expr result = scaled(sum, index[1]);
            return bias is null ? result : Ex.Call("add", result, NodeLowering.LoadAt(bias, index[1]));
        });
        ForgetFacts(operation, x.Zero, w.Zero);
        return true;
    }

    /// <summary>A product of dequantized matrices likewise: one scale for A, one or one per column for B.</summary>
    public static bool TryProduct(NodeLowering node, Func<Expr, Expr[], Expr> epilogue, bool transposedB = false)
    {
        if (Quantized.Of(node, 0) is not { IsPerTensor: true, Value.Rank: > 1 } a || Quantized.Of(node, 1) is not { Value.Rank: > 1 } b) return false;
        if (!b.IsPerTensor && b.Axis != b.Value.Rank - (transposedB ? 2 : 1)) return false;
        LoweredValue right = transposedB ? ContractionForm.Swapped(node, b.Value, "b") : b.Value;
        Func<Expr, Expr, Expr> scaled = Scaling(node, a, b);
        Product(node, a.Value, right, b.Value, a.Zero, b.Zero, transposedB, (sum, index) => epilogue(scaled(sum, index[^1]), index));
        return true;
    }

    /// <summary>A product of integers less their zero points. With a constant B around 0, Σ (a − z) · b is Σ a · b − z · Σ b: a plain sum of products, and a sum over B that is known now.</summary>
    private static void Product(NodeLowering node, LoweredValue a, LoweredValue b, LoweredValue content, LoweredValue? aZero, LoweredValue? bZero, bool transposed, Func<Expr, Expr[], Expr> epilogue)
    {
        Func<Expr[], Expr>? left = Zero(aZero, index => index[^2]), right = Zero(bZero, index => index[^1]);
        if (left is not null && right is null && content is { Data: { } data, Rank: 2 } && aZero!.Storage.ElementCount is { IsConstant: true, Value: 1 })
        {
            LoweredValue sums = node.Scope.Constant($"{content.Name}.sums", ColumnSums(data, transposed));
            ContractionForm.Product(node, a, b, node.Output(), null, null, (sum, index) => epilogue(Ex.Call("sub", sum, Ex.Call("mul", left(index), NodeLowering.LoadAt(sums, index[^1]))), index));
            return;
        }
        ForgetFacts(ContractionForm.Product(node, a, b, node.Output(), left, right, epilogue), aZero, bZero);
    }

    private static TensorData ColumnSums(TensorData data, bool transposed)
    {
        long[] values = data.ToInt64();
        long rows = data.Shape[0], columns = data.Shape[1];
        int[] sums = new int[transposed ? rows : columns];
        for (long i = 0; i < values.Length; i++) sums[transposed ? i / columns : i % columns] += (int)values[i];
        return TensorData.Vector<int>(sums);
    }

    /// <summary>Facts speak of plain sums of products: not with zero points between.</summary>
    private static void ForgetFacts(Operation operation, LoweredValue? a, LoweredValue? b)
    {
        if (Zero(a, _ => Ex.Zero) is not null || Zero(b, _ => Ex.Zero) is not null) operation.Facts = null;
    }

    private static string? MatMulInteger(NodeLowering node)
    {
        LoweredValue a = node.Input(0), b = node.Input(1);
        if (node.Optional(2) is { Rank: > 1 } || node.Optional(3) is { Rank: > 1 }) return "its zero points are matrices";
        Product(node, a, b, b, node.Optional(2), node.Optional(3), transposed: false, (sum, _) => sum);
        return null;
    }

    private static string? ConvInteger(NodeLowering node)
    {
        LoweredValue x = node.Input(0), w = node.Input(1), y = node.Output();
        if (WindowGeometry.Of(node.View, x.Shape, [.. w.Shape.Skip(2)], y.Shape) is not { } window) return "its padding depends on the run";
        Operation operation = ContractionForm.Emit(node, x, w, y, window, node.View.Int("group", 1), Zero(node.Optional(2), index => index[1]), Zero(node.Optional(3), index => index[1]), (sum, _) => sum);
        ForgetFacts(operation, node.Optional(2), node.Optional(3));
        return null;
    }

    private static Expr Scalar(LoweredValue value, Expr place) => NodeLowering.LoadAt(value, value.Rank == 0 ? [] : [value.Shape[0] is { IsConstant: true, Value: 1 } ? Ex.Zero : place]);

    private static Expr Requantize(Expr sum, Expr scale, Expr outputScale, Expr outputZero, DataType type)
    {
        Expr steps = Ex.Call("round", Ex.Div(Ex.Call("mul", Ex.Convert(sum, ScalarType.Float32), scale), outputScale));
        return new ConvertExpr(type, Ex.Call("add", steps, Ex.Convert(outputZero, ScalarType.Float32)), saturates: true);
    }

    private static string? QLinearConv(NodeLowering node)
    {
        LoweredValue x = node.Input(0), w = node.Input(3), y = node.Output();
        LoweredValue? bias = node.Optional(8);
        if (WindowGeometry.Of(node.View, x.Shape, [.. w.Shape.Skip(2)], y.Shape) is not { } window) return "its padding depends on the run";
        Operation operation = ContractionForm.Emit(node, x, w, y, window, node.View.Int("group", 1), Zero(node.Input(2), index => index[1]), Zero(node.Input(5), index => index[1]), (sum, index) =>
        {
            Expr total = bias is null ? sum : Ex.Call("add", sum, NodeLowering.LoadAt(bias, index[1]));
            return Requantize(total, Ex.Call("mul", Scalar(node.Input(1), index[1]), Scalar(node.Input(4), index[1])), Scalar(node.Input(6), Ex.Zero), Scalar(node.Input(7), Ex.Zero), y.Type);
        });
        ForgetFacts(operation, node.Input(2), node.Input(5));
        return null;
    }

    private static string? QLinearMatMul(NodeLowering node)
    {
        LoweredValue a = node.Input(0), b = node.Input(3), y = node.Output();
        if (Enumerable.Range(0, 8).Any(i => i is not (0 or 3) && node.Input(i).Rank > 1)) return "its scales are matrices";
        Operation operation = ContractionForm.Product(node, a, b, y, Zero(node.Input(2), index => index[^2]), Zero(node.Input(5), index => index[^1]), (sum, index) =>
            Requantize(sum, Ex.Call("mul", Scalar(node.Input(1), index[^2]), Scalar(node.Input(4), index[^1])), Scalar(node.Input(6), Ex.Zero), Scalar(node.Input(7), Ex.Zero), y.Type));
        ForgetFacts(operation, node.Input(2), node.Input(5));
        return null;
    }
}
