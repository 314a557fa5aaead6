using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Arithmetic on dimensions that may be unknown. What overflows, or grows beyond reason, is unknown too: a model
/// from anywhere must neither crash inference nor slow it down.</summary>
internal static class Dims
{
    private const int LargestExpression = 1000;

    public static DimExpr? Add(DimExpr? a, DimExpr? b) => Apply(a, b, static (x, y) => x + y);

    public static DimExpr? Subtract(DimExpr? a, DimExpr? b) => Apply(a, b, static (x, y) => x - y);

    public static DimExpr? Multiply(DimExpr? a, DimExpr? b) =>
        a is { IsConstant: true, Value: 0 } || b is { IsConstant: true, Value: 0 } ? DimExpr.Zero : Apply(a, b, static (x, y) => x * y);

    public static DimExpr? FloorDiv(DimExpr? a, DimExpr? b) => Apply(a, b, DimExpr.FloorDiv);

    public static DimExpr? CeilDiv(DimExpr? a, DimExpr? b) => Apply(a, b, DimExpr.CeilDiv);

    public static DimExpr? Modulo(DimExpr? a, DimExpr? b) => Apply(a, b, DimExpr.Modulo);

    public static DimExpr? Min(DimExpr? a, DimExpr? b) => Apply(a, b, DimExpr.Min);

    public static DimExpr? Max(DimExpr? a, DimExpr? b) => Apply(a, b, DimExpr.Max);

    /// <summary>The product; zero if any factor is, unknown if any other is.</summary>
    public static DimExpr? Product(IEnumerable<DimExpr?> dimensions)
    {
        DimExpr? product = DimExpr.One;
        foreach (DimExpr? d in dimensions) product = Multiply(product, d);
        return product;
    }

    public static DimExpr? Sum(IEnumerable<DimExpr?> dimensions) => dimensions.Aggregate((DimExpr?)DimExpr.Zero, Add);

    /// <summary>One extent broadcast against another; false when both are known and don't fit.</summary>
    public static bool TryBroadcast(DimExpr? a, DimExpr? b, out DimExpr? result)
    {
        result = null;
        if (a is null || b is null)
        {
            // The known one decides unless it is 1.
            DimExpr? known = a ?? b;
            if (known is { IsConstant: true } && known.Value != 1) result = known;
            return true;
        }
        if (a.TryGetValue(out long x) && b.TryGetValue(out long y) && x != y && x != 1 && y != 1) return false;
        result = Apply(a, b, DimExpr.Broadcast);
        return true;
    }

    /// <summary>Shapes broadcast against each other; null when a rank is unknown or the shapes don't fit.</summary>
    public static SymbolicShape? Broadcast(IReadOnlyList<SymbolicShape?> shapes, Action<string>? contradict = null)
    {
        int rank = 0;
        foreach (SymbolicShape? shape in shapes)
        {
            if (shape is null) return null;
            rank = Math.Max(rank, shape.Rank);
        }
        DimExpr?[] result = new DimExpr?[rank];
        for (int axis = 0; axis < rank; axis++)
        {
            DimExpr? extent = DimExpr.One;
            foreach (SymbolicShape? shape in shapes)
            {
                int own = axis - rank + shape!.Rank;
                if (own < 0) continue;
                if (!TryBroadcast(extent, shape.Dimensions[own], out DimExpr? next))
                {
                    contradict?.Invoke($"shapes {string.Join(" and ", shapes)} don't broadcast: {extent} against {shape.Dimensions[own]}");
                    return null;
                }
                extent = next;
            }
            result[axis] = extent;
        }
        return new SymbolicShape(result);
    }

    /// <summary>What two descriptions of one dimension agree on: equal ones stay, others become unknown.</summary>
    public static DimExpr? Meet(DimExpr? a, DimExpr? b) => a is not null && a.Equals(b) ? a : null;

    public static SymbolicShape? Meet(SymbolicShape? a, SymbolicShape? b) =>
        a is null || b is null || a.Rank != b.Rank ? null : a.Equals(b) ? a : new SymbolicShape([.. a.Dimensions.Zip(b.Dimensions, Meet)]);

    public static TensorType? Meet(TensorType? a, TensorType? b) =>
        a is null || b is null || a.DataType != b.DataType ? null : new TensorType(a.DataType, Meet(a.Shape, b.Shape));

    /// <summary>A shape of known rank and unknown extents.</summary>
    public static SymbolicShape OfRank(int rank) => new(new DimExpr?[rank]);

    private static DimExpr? Apply(DimExpr? a, DimExpr? b, Func<DimExpr, DimExpr, DimExpr> operation)
    {
        if (a is null || b is null) return null;
        try
        {
            DimExpr result = operation(a, b);
            return result.Size > LargestExpression ? null : result;
        }
        catch (OverflowException)
        {
            return null;
        }
        catch (DivideByZeroException)
        {
            return null;
        }
    }
}
