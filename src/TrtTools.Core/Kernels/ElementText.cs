using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Types and numbers as CUDA C++ with scalar.cuh has them.</summary>
internal static class ElementText
{
    /// <summary>Elements in memory. Two 4-bit elements share a byte.</summary>
    public static string TypeName(DataType type) => type switch
    {
        DataType.Float32 => "float", DataType.Float64 => "double", DataType.Float16 => "trt::half", DataType.BFloat16 => "trt::bfloat", DataType.Bool => "trt::boolean",
        DataType.Int8 => "signed char", DataType.UInt8 => "unsigned char", DataType.Int16 => "short", DataType.UInt16 => "unsigned short", DataType.Int32 => "int", DataType.UInt32 => "unsigned",
        DataType.Int64 => "trt::i64", DataType.UInt64 => "trt::u64", DataType.Int4 or DataType.UInt4 => "unsigned char",
        _ => throw new TrtToolsException(ErrorCode.UnsupportedOperator, type.ToString(), "kernels have no elements of this type", "", "Cast to a type with 4 to 64 bits before"),
    };

    public static string TypeName(ScalarType type, bool narrow) => type switch
    {
        ScalarType.Float32 => "float", ScalarType.Float64 => "double", ScalarType.Bool => "bool", _ => narrow ? "int" : "trt::i64",
    };

    public static bool IsPacked(DataType type) => type is DataType.Int4 or DataType.UInt4;

    public static string Float(double value)
    {
        float number = (float)value;
        if (float.IsNaN(number)) return "__int_as_float(0x7fffffff)";
        if (float.IsInfinity(number)) return number > 0 ? "__int_as_float(0x7f800000)" : "__int_as_float(0xff800000)";
        return Signed(WithPoint(number.ToString("R", CultureInfo.InvariantCulture)) + "f");
    }

    public static string Double(double value)
    {
        if (double.IsNaN(value)) return "__longlong_as_double(0x7fffffffffffffffll)";
        if (double.IsInfinity(value)) return value > 0 ? "__longlong_as_double(0x7ff0000000000000ll)" : "__longlong_as_double(0xfff0000000000000ull)";
        return Signed(WithPoint(value.ToString("R", CultureInfo.InvariantCulture)));
    }

    public static string Integer(long value, bool narrow) =>
        value == long.MinValue ? "(-9223372036854775807ll - 1)" : narrow && value == int.MinValue ? "(-2147483647 - 1)" : Signed(value.ToString(CultureInfo.InvariantCulture) + (narrow ? "" : "ll"));

    public static string Number(double number, long integer, ScalarType type, bool narrow) => type switch
    {
        ScalarType.Float32 => Float(number), ScalarType.Float64 => Double(number), ScalarType.Bool => integer != 0 ? "true" : "false", _ => Integer(integer, narrow),
    };

    /// <summary>What a reduction starts with.</summary>
    public static string Identity(Combiner combine, ScalarType type) => combine switch
    {
        Combiner.Sum => Number(0, 0, type, false),
        Combiner.Product => Number(1, 1, type, false),
        Combiner.Maximum => Number(double.NegativeInfinity, type == ScalarType.Bool ? 0 : long.MinValue, type, false),
        Combiner.Minimum => Number(double.PositiveInfinity, type == ScalarType.Bool ? 1 : long.MaxValue, type, false),
        Combiner.And => Number(0, type == ScalarType.Bool ? 1 : -1, type, false),
        Combiner.Or => Number(0, 0, type, false),
        _ => throw new InvalidOperationException($"{combine} starts with a position."),
    };

    /// <summary>Two partial results joined.</summary>
    public static string Combine(Combiner combine, ScalarType type, string a, string b) => combine switch
    {
        Combiner.Sum => $"{a} + {b}",
        Combiner.Product => $"{a} * {b}",
        Combiner.Maximum => type == ScalarType.Bool ? $"{a} | {b}" : $"trt::maximum({a}, {b})",
        Combiner.Minimum => type == ScalarType.Bool ? $"{a} & {b}" : $"trt::minimum({a}, {b})",
        Combiner.And => $"{a} & {b}",
        Combiner.Or => $"{a} | {b}",
        _ => throw new InvalidOperationException($"{combine} joins positions."),
    };

    private static string WithPoint(string digits) => digits.AsSpan().ContainsAny('.', 'E') ? digits.Replace("E+", "e", StringComparison.Ordinal).Replace("E", "e", StringComparison.Ordinal) : digits + ".";

    private static string Signed(string text) => text[0] == '-' ? $"({text})" : text;
}
