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

    private static string? MatMulInteger(NodeLowering node)
    {
        LoweredValue a = node.Input(0), b = node.Input(1);
        if (node.Optional(2) is { Rank: > 1 } || node.Optional(3) is { Rank: > 1 }) return "its zero points are matrices";
        ContractionForm.Product(node, a, b, node.Output(), Zero(node.Optional(2), index => index[^2]), Zero(node.Optional(3), index => index[^1]), (sum, _) => sum);
        return null;
    }

    private static string? ConvInteger(NodeLowering node)
    {
        LoweredValue x = node.Input(0), w = node.Input(1), y = node.Output();
        if (WindowGeometry.Of(node.View, x.Shape, [.. w.Shape.Skip(2)], y.Shape) is not { } window) return "its padding depends on the run";
        ContractionForm.Emit(node, x, w, y, window, node.View.Int("group", 1), Zero(node.Optional(2), index => index[1]), Zero(node.Optional(3), index => index[1]), (sum, _) => sum);
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
        ContractionForm.Emit(node, x, w, y, window, node.View.Int("group", 1), Zero(node.Input(2), index => index[1]), Zero(node.Input(5), index => index[1]), (sum, index) =>
        {
            Expr total = bias is null ? sum : Ex.Call("add", sum, NodeLowering.LoadAt(bias, index[1]));
            return Requantize(total, Ex.Call("mul", Scalar(node.Input(1), index[1]), Scalar(node.Input(4), index[1])), Scalar(node.Input(6), Ex.Zero), Scalar(node.Input(7), Ex.Zero), y.Type);
        });
        return null;
    }

    private static string? QLinearMatMul(NodeLowering node)
    {
        LoweredValue a = node.Input(0), b = node.Input(3), y = node.Output();
        if (Enumerable.Range(0, 8).Any(i => i is not (0 or 3) && node.Input(i).Rank > 1)) return "its scales are matrices";
        ContractionForm.Product(node, a, b, y, Zero(node.Input(2), index => index[^2]), Zero(node.Input(5), index => index[^1]), (sum, index) =>
            Requantize(sum, Ex.Call("mul", Scalar(node.Input(1), index[^2]), Scalar(node.Input(4), index[^1])), Scalar(node.Input(6), Ex.Zero), Scalar(node.Input(7), Ex.Zero), y.Type));
        return null;
    }
}
