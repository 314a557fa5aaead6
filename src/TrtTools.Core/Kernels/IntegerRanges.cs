using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Ranges of integer expressions, to tell where 32 bits are enough.</summary>
internal sealed class IntegerRanges(GeneratorOptions options)
{
    private static readonly (Int128 Low, Int128 High) Anything = (long.MinValue, long.MaxValue);

    private readonly Dictionary<Expr, (Int128 Low, Int128 High)> _known = new(ReferenceEqualityComparer.Instance);

    public bool IsNarrow(Expr expr) => Range(expr) is var (low, high) && low >= int.MinValue && high <= int.MaxValue;

    /// <summary>Whether a sum of that many values has 32 bits; false when the number is unknown.</summary>
    public bool SumIsNarrow(Expr expr, long? count) => count is { } n && Range(expr) is var (low, high) && low * n >= int.MinValue && high * n <= int.MaxValue;

    private (Int128 Low, Int128 High) Range(Expr expr)
    {
        if (_known.TryGetValue(expr, out (Int128, Int128) known)) return known;
        (Int128 Low, Int128 High) range = Compute(expr);
        if (range.Low < long.MinValue || range.High > long.MaxValue) range = Anything;
        return _known[expr] = range;
    }

    private (Int128 Low, Int128 High) Compute(Expr expr)
    {
        switch (expr)
        {
            case ConstantExpr constant: return (constant.Integer, constant.Integer);
            case AxisExpr axis: return options.Range(axis.Axis.Extent) is { } extent ? (0, Int128.Max(0, (Int128)extent.High - 1)) : Anything;
            case ExtentExpr value: return options.Range(value.Extent) is { } bounds ? (bounds.Low, bounds.High) : Anything;
            case LoadExpr load: return OfType(load.Source.Type);
            case ConvertExpr convert:
                if (convert.Value.Type == ScalarType.Bool) return (0, 1);
                (Int128 Low, Int128 High) target = OfType(convert.Target);
                if (convert.Value.Type != ScalarType.Int64) return target;
                (Int128 Low, Int128 High) source = Range(convert.Value);
                return source.Low >= target.Low && source.High <= target.High ? source : target;
            case SelectExpr select: return Union(Range(select.WhenTrue), Range(select.WhenFalse));
            case CallExpr { Type: ScalarType.Bool }: return (0, 1);
            case CallExpr call: return Call(call);
            default: return Anything;
        }
    }

    private (Int128 Low, Int128 High) Call(CallExpr call)
    {
        (Int128 Low, Int128 High) a = Range(call.Operands[0]), b = call.Operands.Count > 1 ? Range(call.Operands[1]) : default;
        switch (call.Function.Name)
        {
            case "add": return (a.Low + b.Low, a.High + b.High);
            case "sub": return (a.Low - b.High, a.High - b.Low);
            case "neg": return (-a.High, -a.Low);
            case "mul":
                Int128[] products = [a.Low * b.Low, a.Low * b.High, a.High * b.Low, a.High * b.High];
                return (products.Min(), products.Max());
            case "abs": return (0, Int128.Max(Int128.Abs(a.Low), Int128.Abs(a.High)));
            case "min": return (Int128.Min(a.Low, b.Low), Int128.Min(a.High, b.High));
            case "max": return (Int128.Max(a.Low, b.Low), Int128.Max(a.High, b.High));
            case "sign": return (-1, 1);
            case "floordiv" when b.Low > 0: return (a.Low < 0 ? a.Low : 0, a.High > 0 ? a.High : 0);
            case "div": return (-Int128.Max(Int128.Abs(a.Low), Int128.Abs(a.High)), Int128.Max(Int128.Abs(a.Low), Int128.Abs(a.High)));
            case "mod" when b.Low > 0: return (0, b.High - 1);
            case "fmod": return (-Int128.Max(Int128.Abs(b.Low), Int128.Abs(b.High)), Int128.Max(Int128.Abs(b.Low), Int128.Abs(b.High)));
            case "and" when a.Low >= 0 && b.Low >= 0: return (0, Int128.Min(a.High, b.High));
            case "bitnot": return (-a.High - 1, -a.Low - 1);
            default: return Anything;
        }
    }

    private static (Int128 Low, Int128 High) Union((Int128 Low, Int128 High) a, (Int128 Low, Int128 High) b) => (Int128.Min(a.Low, b.Low), Int128.Max(a.High, b.High));

    public static (Int128 Low, Int128 High) OfType(DataType type) => type switch
    {
        DataType.Int8 => (sbyte.MinValue, sbyte.MaxValue), DataType.UInt8 => (0, byte.MaxValue), DataType.Int16 => (short.MinValue, short.MaxValue), DataType.UInt16 => (0, ushort.MaxValue),
        DataType.Int32 => (int.MinValue, int.MaxValue), DataType.UInt32 => (0, uint.MaxValue), DataType.Int4 => (-8, 7), DataType.UInt4 => (0, 15), DataType.Bool => (0, 1), _ => Anything,
    };
}
