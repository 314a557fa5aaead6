using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Shape rules that operators of several forms share.</summary>
internal static class ShapeRules
{
    /// <summary>Ranks beyond this are no tensors that anything runs; they are taken as unknown.</summary>
    public const int LargestRank = 64;

    /// <summary>Output 0 has the first input's type and shape.</summary>
    public static void Same(InferenceContext context)
    {
        if (context.Type(0) is { } type) context.SetType(0, type);
    }

    public static void SameBool(InferenceContext context) => context.Set(0, DataType.Bool, context.Shape(0));

    public static void ScalarInt(InferenceContext context) => context.Set(0, DataType.Int64, SymbolicShape.Scalar);

    public static void ScalarBool(InferenceContext context) => context.Set(0, DataType.Bool, SymbolicShape.Scalar);

    /// <summary>The shapes of all inputs broadcast; before opset 7 the first input's shape.</summary>
    public static SymbolicShape? BroadcastInputs(InferenceContext context)
    {
        if (context.Node.Domain.Length == 0 && context.Opset < 7) return context.Shape(0);
        return Dims.Broadcast([.. Enumerable.Range(0, context.InputCount).Where(context.Has).Select(context.Shape)], context.Contradict);
    }

    /// <summary>An axis counted from the front; null (and noted) when out of range.</summary>
    public static int? NormalizeAxis(InferenceContext context, long axis, int rank)
    {
        long own = axis < 0 ? axis + rank : axis;
        if (own >= 0 && own < rank) return (int)own;
        context.Contradict($"axis {axis} is out of range for rank {rank}");
        return null;
    }

    /// <summary>Axes counted from the front, or null when one is out of range.</summary>
    public static int[]? NormalizeAxes(InferenceContext context, long[] axes, int rank)
    {
        int[] result = new int[axes.Length];
        for (int i = 0; i < axes.Length; i++)
        {
            if (NormalizeAxis(context, axes[i], rank) is not { } axis) return null;
            result[i] = axis;
        }
        return result;
    }

    /// <summary>A copy of a shape's dimensions, to change.</summary>
    public static DimExpr?[] Copy(SymbolicShape shape) => [.. shape.Dimensions];
}
