using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes;

/// <summary>Questions about what is known of values' types.</summary>
internal static class Types
{
    public static int? RankOf(Value? value) => ShapeOf(value)?.Rank;

    public static SymbolicShape? ShapeOf(Value? value) => value?.Type?.Shape ?? (value?.Data is { } data ? SymbolicShape.Of(data.Shape) : null);

    public static long[]? StaticShapeOf(Value? value) => ShapeOf(value)?.ToStatic();

    public static DataType TypeOf(Value? value) => value?.Type?.DataType ?? value?.Data?.Type ?? DataType.Undefined;

    /// <summary>Both shapes known and equal, dimension by dimension.</summary>
    public static bool SameShape(Value? a, Value? b) =>
        ShapeOf(a) is { } x && ShapeOf(b) is { } y && IsSame(x, y);

    private static bool IsSame(SymbolicShape x, SymbolicShape y)
    {
        if (x.Rank != y.Rank) return false;
        for (int i = 0; i < x.Rank; i++)
        {
            if (x[i] is not { } extent || !extent.Equals(y[i])) return false;
        }
        return true;
    }

    public static TensorType? MoreSpecific(TensorType? a, TensorType? b)
    {
        if (a is null || a.DataType == DataType.Undefined) return b ?? a;
        if (b is null || a.DataType != b.DataType || b.Shape is null) return a;
        if (a.Shape is null) return b;
        if (a.Shape.Rank != b.Shape.Rank) return a;
        DimExpr?[] dimensions = new DimExpr?[a.Shape.Rank];
        for (int i = 0; i < dimensions.Length; i++) dimensions[i] = a.Shape[i] is { IsConstant: true } ? a.Shape[i] : b.Shape[i] is { IsConstant: true } ? b.Shape[i] : a.Shape[i] ?? b.Shape[i];
        return new TensorType(a.DataType, new SymbolicShape(dimensions));
    }
}
