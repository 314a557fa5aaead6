using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Content that follows from attributes and shapes alone.</summary>
internal static class FillForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["ConstantOfShape"] = ConstantOfShape, ["EyeLike"] = EyeLike, ["Shape"] = Shape, ["Size"] = Size, ["Range"] = RangeOf,
    };

    private static string? ConstantOfShape(NodeLowering node)
    {
        DataType type = node.OutputType();
        if (!PointwiseForm.Computes(type)) return $"no kernel fills with {type}";
        Expr value = node.View.Tensor("value") is not { } data ? Ex.Constant(0, type.ScalarType())
            : type.IsFloatingPoint() ? Ex.Number(data.ToDouble()[0], type.ScalarType()) : new ConstantExpr(data.ToInt64()[0], type.ScalarType());
        node.EmitMap(_ => value);
        return null;
    }

    private static string? EyeLike(NodeLowering node)
    {
        Expr shift = Ex.Int(node.View.Int("k", 0));
        ScalarType type = node.OutputType().ScalarType();
        node.EmitMap(index => Ex.Select(Ex.Equal(Ex.Sub(index[1], index[0]), shift), Ex.Constant(1, type), Ex.Constant(0, type)));
        return null;
    }

    private static string? Shape(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        long start = Math.Clamp(node.View.Int("start", 0) is var s && s < 0 ? s + source.Rank : s, 0, source.Rank);
        node.EmitMap(index =>
        {
            Expr result = Ex.Zero;
            for (int axis = source.Rank - 1; axis >= 0; axis--) result = Ex.Select(Ex.Equal(Ex.Add(index[0], Ex.Int(start)), Ex.Int(axis)), Ex.Extent(source.Shape[axis]), result);
            return result;
        });
        return null;
    }

    private static string? Size(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        node.EmitMap(_ => Ex.Extent(source.Storage.ElementCount));
        return null;
    }

    private static string? RangeOf(NodeLowering node)
    {
        LoweredValue start = node.Input(0), delta = node.Input(2);
        ScalarType type = node.OutputType().ScalarType();
        node.EmitMap(index => Ex.Call("add", Scalar(start), Ex.Call("mul", Ex.Convert(index[0], type), Scalar(delta))));
        return null;

        Expr Scalar(LoweredValue value) => Ex.Convert(NodeLowering.LoadAt(value, [.. Enumerable.Repeat(Ex.Zero, value.Rank)]), type);
    }
}
