using TrtTools.Tensors;

namespace TrtTools.Lowering.Reference;

/// <summary>What is left of a number once a tensor of some type holds it.</summary>
internal static class Rounding
{
    public static double ToFloat32(double value) => (float)value;

    public static double ToFloat16(double value) => (double)(Half)value;

    public static double ToBFloat16(double value)
    {
        if (double.IsNaN(value)) return value;
        // Through float would round twice; what lies within float's precision of a tie does not matter to anyone.
        uint bits = BitConverter.SingleToUInt32Bits((float)value);
        uint rounded = (bits & 0x7F800000) == 0x7F800000 ? bits : bits + 0x7FFF + ((bits >> 16) & 1);
        return BitConverter.UInt32BitsToSingle(rounded & 0xFFFF0000);
    }

    public static double Round(double value, DataType type) => type switch
    {
        DataType.Float32 => ToFloat32(value),
        DataType.Float16 => ToFloat16(value),
        DataType.BFloat16 => ToBFloat16(value),
        _ => value,
    };

    public static long Wrap(long value, DataType type) => type switch
    {
        DataType.Int8 => (sbyte)value, DataType.UInt8 => (byte)value, DataType.Int16 => (short)value, DataType.UInt16 => (ushort)value,
        DataType.Int32 => (int)value, DataType.UInt32 => (uint)value,
        DataType.Int4 => (value << 60) >> 60, DataType.UInt4 => value & 15, DataType.Bool => value != 0 ? 1 : 0,
        _ => value,
    };

    /// <summary>Toward zero; out of 64 bits, the nearest that fits.</summary>
    public static long Truncate(double value) => double.IsNaN(value) ? 0 : value >= 9.2233720368547758e18 ? long.MaxValue : value <= -9.2233720368547758e18 ? long.MinValue : (long)value;

    /// <summary>To nearest even and into the type's range.</summary>
    public static long Saturate(double value, DataType type)
    {
        (long low, long high) = RangeOf(type);
        return double.IsNaN(value) ? 0 : (long)Math.Clamp(Math.Round(value, MidpointRounding.ToEven), low, high);
    }

    public static long SaturateInteger(long value, DataType type)
    {
        (long low, long high) = RangeOf(type);
        return Math.Clamp(value, low, high);
    }

    private static (long Low, long High) RangeOf(DataType type) => type switch
    {
        DataType.Int8 => (sbyte.MinValue, sbyte.MaxValue), DataType.UInt8 => (0, byte.MaxValue), DataType.Int16 => (short.MinValue, short.MaxValue), DataType.UInt16 => (0, ushort.MaxValue),
        DataType.Int32 => (int.MinValue, int.MaxValue), DataType.UInt32 => (0, uint.MaxValue), DataType.Int4 => (-8, 7), DataType.UInt4 => (0, 15), DataType.Bool => (0, 1),
        _ => (long.MinValue, long.MaxValue),
    };
}
