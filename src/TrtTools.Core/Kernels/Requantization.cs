using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// An epilogue that turns integer sums into integers: round(activation(sum · scale + bias + residual · factor) ÷ step), cut to what Int8 or the activation leaves. As wgmma_gemm.cuh wants it:
/// <see cref="Low"/> + <see cref="Spread"/> · (sum · A + B + residual · <see cref="Factor"/>, cut to 0 … 1), A and B along the columns.
/// </summary>
internal sealed record Requantization(int Low, int Spread, float Factor, LoadExpr? Residual, float[] A, float[] B)
{
    /// <summary>Sums below this keep all their digits where a float of 1.5 · 2^23 is added to them.</summary>
    private const long NarrowLimit = 1 << 22;

    /// <summary>Null where the nest's result is of another form, or its scales are not known now.</summary>
    public static Requantization? Of(LoopNest nest, Axis columnAxis)
    {
        if (nest.Target.Type != DataType.Int8 || !columnAxis.Extent.TryGetValue(out long columns) || columns > int.MaxValue) return null;
        if (nest.Result is not ConvertExpr { Target: DataType.Int8, Saturates: true, Value: CallExpr { Function.Name: "round" } rounded }) return null;
        Expr value = rounded.Operands[0];
        double step = 1;
        if (value is CallExpr { Function.Name: "div" } quotient && quotient.Operands[1] is ConstantExpr { Number: > 0 and var by }) (value, step) = (quotient.Operands[0], by);
        bool rectifies = false;
        if (Rectified(value) is { } inner) (value, rectifies) = (inner, true);
        double[] a = new double[columns], b = new double[columns];
        double factor = 0;
        LoadExpr? residual = null;
        bool scaled = false;
        foreach (Expr term in Terms(value, "add"))
        {
            List<Expr> factors = [.. Terms(term, "mul")];
            double[] product = [.. Enumerable.Repeat(1.0, a.Length)];
            if (factors.Any(f => !IsSum(f) && !IsResidual(f) && !Multiply(product, f, nest, columnAxis))) return null;
            switch (factors.Count(IsSum), factors.Count(IsResidual))
            {
                case (1, 0) when !scaled:
                    (a, scaled) = (product, true);
                    break;
                case (0, 1) when residual is null && product.All(x => x == product[0]):
                    (residual, factor) = ((LoadExpr)((ConvertExpr)factors.First(IsResidual)).Value, product[0]);
                    break;
                case (0, 0):
                    b = [.. b.Zip(product, (x, y) => x + y)];
                    break;
                default:
                    return null;
            }
        }
        if (!scaled) return null;
        int low = rectifies ? 0 : sbyte.MinValue, spread = sbyte.MaxValue - low;
        double unit = 1 / (step * spread);
        return new Requantization(low, spread, (float)(factor * unit), residual, [.. a.Select(x => (float)(x * unit))], [.. b.Select(x => (float)((x * unit) - (low / (double)spread)))]);
    }

    /// <summary>Whether no sum of products with these weights, [column, k], is too large to be turned into a float by adding.</summary>
    public static bool IsNarrow(ReadOnlySpan<sbyte> weights, int columns)
    {
        int depth = columns == 0 ? 0 : weights.Length / columns;
        for (int c = 0; c < columns; c++)
        {
            long sum = 0;
            foreach (sbyte w in weights.Slice(c * depth, depth)) sum += Math.Abs((int)w);
            if (sum * -sbyte.MinValue >= NarrowLimit) return false;
        }
        return true;
    }

    /// <summary>Scales and shifts of four columns at a time.</summary>
    public Storage Pack(string name)
    {
        float[] packed = new float[2 * A.Length];
        for (int c = 0; c < A.Length; c++)
        {
            packed[(c / 4 * 8) + (c % 4)] = A[c];
            packed[(c / 4 * 8) + 4 + (c % 4)] = B[c];
        }
        return new Storage(name, StorageKind.Weight, DataType.Float32, packed.Length) { Data = TensorData.Vector<float>(packed) };
    }

    private static bool IsSum(Expr expr) => expr is ConvertExpr { Target: DataType.Float32, Value: ReducedExpr { Type: ScalarType.Int64 } };

    private static bool IsResidual(Expr expr) => expr is ConvertExpr { Target: DataType.Float32, Value: LoadExpr { Source.Type: DataType.Int8 } };

    /// <summary>x of max(x, 0), in both its forms.</summary>
    private static Expr? Rectified(Expr value) => value switch
    {
        SelectExpr { Condition: CallExpr { Function.Name: "lt" } below, WhenTrue: ConstantExpr { Number: 0 } } choice when ReferenceEquals(below.Operands[0], choice.WhenFalse) && below.Operands[1] is ConstantExpr { Number: 0 } => choice.WhenFalse,
        CallExpr { Function.Name: "max" } most when most.Operands[1] is ConstantExpr { Number: 0 } => most.Operands[0],
        CallExpr { Function.Name: "max" } most when most.Operands[0] is ConstantExpr { Number: 0 } => most.Operands[1],
        _ => null,
    };

    private static IEnumerable<Expr> Terms(Expr value, string function) => value is CallExpr call && call.Function.Name == function ? call.Operands.SelectMany(o => Terms(o, function)) : [value];

    /// <summary>Multiplies by a known number, or by known numbers along the columns; false where the factor is anything else.</summary>
    private static bool Multiply(double[] to, Expr term, LoopNest nest, Axis column)
    {
        if (term is ConstantExpr number)
        {
            for (int i = 0; i < to.Length; i++) to[i] *= number.Number;
            return true;
        }
        if (term is not LoadExpr { Source.Storage: { Kind: StorageKind.Weight, Data: { Type: DataType.Float32 } data } } load) return false;
        LinearAccess access = LinearAccess.Of(load.Source, load.Index);
        if (access.Terms.Count > 0 || !access.Offset.TryGetValue(out long offset) || !access.Factor(column).TryGetValue(out long stride) || nest.Space.Any(a => a != column && !GeneratorOptions.Is(access.Factor(a), 0) && !GeneratorOptions.Is(a.Extent, 1))) return false;
        ReadOnlySpan<float> values = data.AsSpan<float>();
        for (int i = 0; i < to.Length; i++) to[i] *= values[checked((int)(offset + (i * stride)))];
        return true;
    }
}
