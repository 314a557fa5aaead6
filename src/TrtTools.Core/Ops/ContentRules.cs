using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Integer arithmetic on the elements of shape tensors. Elements lie row-major in the tensor's static shape, whatever its rank.</summary>
internal static class ContentRules
{
    private const int Largest = OperatorView.LargestShapeTensor;

    /// <summary>Applies an operation to broadcast elements and gives the result to output 0, whose type must be set already.</summary>
    public static void Elementwise(InferenceContext context, SymbolicShape? outputShape, Func<DimExpr?[], DimExpr?> operation)
    {
        if (outputShape?.ToStatic() is not { } shape || !TryCount(shape, out int count)) return;
        int inputs = context.InputCount;
        DimExpr?[][] contents = new DimExpr?[inputs][];
        long[][] strides = new long[inputs][];
        for (int i = 0; i < inputs; i++)
        {
            if (context.Content(i) is not { } content || context.Shape(i)?.ToStatic() is not { } own || !Broadcasts(own, shape)) return;
            contents[i] = content;
            strides[i] = BroadcastStrides(own, shape.Length);
        }
        DimExpr?[] result = new DimExpr?[count];
        DimExpr?[] operands = new DimExpr?[inputs];
        long[] index = new long[shape.Length];
        for (int at = 0; at < count; at++)
        {
            for (int i = 0; i < inputs; i++)
            {
                long offset = 0;
                for (int d = 0; d < index.Length; d++) offset += index[d] * strides[i][d];
                operands[i] = contents[i][offset];
            }
            result[at] = operation(operands);
            for (int d = index.Length - 1; d >= 0 && ++index[d] == shape[d]; d--) index[d] = 0;
        }
        context.SetContent(0, result);
    }

    /// <summary>Elements at the given places of one axis, in that order.</summary>
    public static DimExpr?[]? Take(DimExpr?[] content, long[] shape, int axis, long[] places)
    {
        long outer = 1, inner = 1;
        for (int d = 0; d < axis; d++) outer *= shape[d];
        for (int d = axis + 1; d < shape.Length; d++) inner *= shape[d];
        if (outer * inner * places.Length > Largest) return null;
        DimExpr?[] result = new DimExpr?[outer * inner * places.Length];
        long at = 0;
        for (long o = 0; o < outer; o++)
        {
            foreach (long place in places)
            {
                if (place < 0 || place >= shape[axis]) return null;
                for (long i = 0; i < inner; i++) result[at++] = content[(((o * shape[axis]) + place) * inner) + i];
            }
        }
        return result;
    }

    public static DimExpr?[]? Transpose(DimExpr?[] content, long[] shape, int[] permutation)
    {
        long[] strides = Strides(shape);
        long[] target = [.. permutation.Select(p => shape[p])];
        DimExpr?[] result = new DimExpr?[content.Length];
        long[] index = new long[shape.Length];
        for (int at = 0; at < result.Length; at++)
        {
            long offset = 0;
            for (int d = 0; d < index.Length; d++) offset += index[d] * strides[permutation[d]];
            result[at] = content[offset];
            for (int d = index.Length - 1; d >= 0 && ++index[d] == target[d]; d--) index[d] = 0;
        }
        return result;
    }

    public static bool TryCount(long[] shape, out int count)
    {
        count = 0;
        long product = 1;
        foreach (long d in shape)
        {
            if (d < 0 || d > Largest) return false;
            product *= d;
            if (product > Largest) return false;
        }
        count = (int)product;
        return true;
    }

    /// <summary>True and false as 1 and 0.</summary>
    public static DimExpr FromBool(bool value) => value ? DimExpr.One : DimExpr.Zero;

    /// <summary>Whether an element is nonzero; null when unknown. An extent is not assumed to be positive.</summary>
    public static bool? ToBool(DimExpr? element) => element is { IsConstant: true } ? element.Value != 0 : null;

    /// <summary>True when no nonnegative values of the symbols make the expression negative, as far as its form shows.</summary>
    public static bool IsNonNegative(DimExpr? element) => element is not null && element.HasOnlyNonNegativeTerms;

    private static bool Broadcasts(long[] shape, long[] target) =>
        shape.Length <= target.Length && !shape.Where((d, i) => d != 1 && d != target[target.Length - shape.Length + i]).Any();

    private static long[] Strides(long[] shape)
    {
        long[] strides = new long[shape.Length];
        long stride = 1;
        for (int d = shape.Length - 1; d >= 0; d--)
        {
            strides[d] = stride;
            stride *= shape[d];
        }
        return strides;
    }

    private static long[] BroadcastStrides(long[] shape, int rank)
    {
        long[] own = Strides(shape);
        long[] result = new long[rank];
        for (int d = 0; d < shape.Length; d++) result[rank - shape.Length + d] = shape[d] == 1 ? 0 : own[d];
        return result;
    }
}
