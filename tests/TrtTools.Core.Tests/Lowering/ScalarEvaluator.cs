using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>Computes an expression whose leaves are given, by the CPU side of <see cref="ScalarFunctions"/>; Float32 is rounded after each call.</summary>
internal sealed class ScalarEvaluator(IReadOnlyDictionary<Expr, object> leaves)
{
    /// <summary>A double, or a long for integers and Booleans.</summary>
    public object Evaluate(Expr e) => leaves.TryGetValue(e, out object? given) ? given : e switch
    {
        ConstantExpr constant => constant.Type.IsFloat() ? Round(constant.Number, constant.Type) : constant.Integer,
        SelectExpr select => Evaluate((long)Evaluate(select.Condition) != 0 ? select.WhenTrue : select.WhenFalse),
        ConvertExpr convert => Convert(Evaluate(convert.Value), convert.Target),
        CallExpr call => Call(call),
        _ => throw new NotSupportedException(e.GetType().Name),
    };

    private object Call(CallExpr call)
    {
        object[] operands = [.. call.Operands.Select(Evaluate)];
        if (call.Operands[0].Type.IsFloat())
        {
            double[] o = [.. operands.Cast<double>(), 0, 0];
            double result = call.Function.OnFloat!(o[0], o[1], o[2]);
            return call.Function.GivesBoolean ? (long)result : Round(result, call.Type);
        }
        long[] i = [.. operands.Cast<long>(), 0, 0];
        return call.Function.OnInteger!(i[0], i[1], i[2]);
    }

    private static object Convert(object value, DataType target) => target switch
    {
        DataType.Float32 => (double)(float)(value is long l ? l : (double)value),
        DataType.Float64 => value is long l ? (double)l : value,
        DataType.Bool => value is long l ? l != 0 ? 1L : 0L : (double)value != 0 ? 1L : 0L,
        DataType.Int64 => value is long l ? l : double.IsNaN((double)value) ? 0L : (long)(double)value,
        _ => throw new NotSupportedException(target.ToString()),
    };

    private static object Round(double value, ScalarType type) => type == ScalarType.Float32 ? (float)value : value;
}
