using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>Converts .NET numbers to a tensor's elements, exactly or not at all. To a floating-point type a fraction is rounded
/// (0.1 has no exact form), but a whole number that comes as an integer must survive, and no finite number may become infinite.</summary>
internal static class ElementConversion
{
    /// <summary>Writes <paramref name="source"/> (any rank, row-major) to <paramref name="target"/>; on failure says which element and why.</summary>
    public static bool TryConvert(Array source, DataType type, Span<byte> target, out string found)
    {
        found = "";
        Type element = source.GetType().GetElementType()!;
        if (element.IsEnum) element = typeof(object);
        if (element == typeof(float))
        {
            ReadOnlySpan<float> values = Flat<float>(source);
            if (type == DataType.Float32) return Copy(values, target);
            if (type == DataType.Float64)
            {
                TensorPrimitives.ConvertChecked(values, MemoryMarshal.Cast<byte, double>(target));
                return true;
            }
        }
        if (element == typeof(double) && type == DataType.Float64) return Copy(Flat<double>(source), target);
        if (element == typeof(long) && type == DataType.Int64) return Copy(Flat<long>(source), target);
        if (element == typeof(int) && type == DataType.Int32) return Copy(Flat<int>(source), target);
        if (element == typeof(byte) && type == DataType.UInt8) return Copy(Flat<byte>(source), target);
        if (element == typeof(sbyte) && type == DataType.Int8) return Copy(Flat<sbyte>(source), target);
        if (element == typeof(Half) && type == DataType.Float16) return Copy(Flat<Half>(source), target);
        if (element == typeof(bool) && type == DataType.Bool) return Copy(Flat<bool>(source), target);
        if (element == typeof(double)) return Each(Flat<double>(source), static v => v, type, target, out found);
        if (element == typeof(float)) return Each(Flat<float>(source), static v => v, type, target, out found);
        if (element == typeof(Half)) return Each(Flat<Half>(source), static v => (double)v, type, target, out found);
        if (element == typeof(byte)) return EachInteger(Flat<byte>(source), static v => v, type, target, out found);
        if (element == typeof(sbyte)) return EachInteger(Flat<sbyte>(source), static v => v, type, target, out found);
        if (element == typeof(short)) return EachInteger(Flat<short>(source), static v => v, type, target, out found);
        if (element == typeof(ushort)) return EachInteger(Flat<ushort>(source), static v => v, type, target, out found);
        if (element == typeof(int)) return EachInteger(Flat<int>(source), static v => v, type, target, out found);
        if (element == typeof(uint)) return EachInteger(Flat<uint>(source), static v => v, type, target, out found);
        if (element == typeof(long)) return EachInteger(Flat<long>(source), static v => v, type, target, out found);
        if (element == typeof(bool)) return EachInteger(Flat<bool>(source), static v => v ? 1 : 0, type, target, out found);
        int at = 0;
        int size = type.BitSize() / 8;
        foreach (object? item in source)
        {
            if (!TryScalar(item, type, target.Slice(at++ * size, size)))
            {
                found = Describe(item, at - 1);
                return false;
            }
        }
        return true;
    }

    private static ReadOnlySpan<T> Flat<T>(Array source) =>
        MemoryMarshal.CreateReadOnlySpan(ref System.Runtime.CompilerServices.Unsafe.As<byte, T>(ref MemoryMarshal.GetArrayDataReference(source)), source.Length);

    private static bool Copy<T>(ReadOnlySpan<T> values, Span<byte> target) where T : unmanaged
    {
        MemoryMarshal.AsBytes(values).CopyTo(target);
        return true;
    }

    private static bool Each<T>(ReadOnlySpan<T> values, Func<T, double> widen, DataType type, Span<byte> target, out string found)
    {
        int size = type.BitSize() / 8;
        for (int i = 0; i < values.Length; i++)
        {
            if (TryReal(widen(values[i]), type, target.Slice(i * size, size))) continue;
            found = Describe(values[i], i);
            return false;
        }
        found = "";
        return true;
    }

    private static bool EachInteger<T>(ReadOnlySpan<T> values, Func<T, long> widen, DataType type, Span<byte> target, out string found)
    {
        int size = type.BitSize() / 8;
        for (int i = 0; i < values.Length; i++)
        {
            if (TryInteger(widen(values[i]), type, target.Slice(i * size, size))) continue;
            found = Describe(values[i], i);
            return false;
        }
        found = "";
        return true;
    }

    private static string Describe(object? item, int at) =>
        $"element {at.ToString(CultureInfo.InvariantCulture)} is {(item is null ? "null" : item is string s ? $"the text '{s}'" : Convert.ToString(item, CultureInfo.InvariantCulture) + $" ({item.GetType().Name})")}";

    private static bool TryScalar(object? item, DataType type, Span<byte> target)
    {
        item = item is null ? null : TensorConversion.Unwrap(item);
        return item switch
        {
            double d => TryReal(d, type, target),
            float f => TryReal(f, type, target),
            Half h => TryReal((double)h, type, target),
            decimal m => m == decimal.Truncate(m) && m is >= long.MinValue and <= long.MaxValue ? TryInteger((long)m, type, target) : TryReal((double)m, type, target),
            int or long or short or sbyte or byte or ushort or uint or Enum => TryInteger(Convert.ToInt64(item, CultureInfo.InvariantCulture), type, target),
            bool b => TryInteger(b ? 1 : 0, type, target),
            ulong u => u <= long.MaxValue ? TryInteger((long)u, type, target) : TryHuge(u, type, target),
            BigInteger big => big >= long.MinValue && big <= long.MaxValue ? TryInteger((long)big, type, target) : big > 0 && big <= ulong.MaxValue && TryHuge((ulong)big, type, target),
            _ => false,
        };
    }

    private static bool TryHuge(ulong value, DataType type, Span<byte> target)
    {
        if (type == DataType.UInt64)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(target, value);
            return true;
        }
        return type == DataType.Float64 && (BigInteger)(double)value == value && TryReal(value, type, target);
    }

    private static bool TryReal(double value, DataType type, Span<byte> target)
    {
        switch (type)
        {
            case DataType.Float64: BinaryPrimitives.WriteDoubleLittleEndian(target, value); return true;
            case DataType.Float32:
                BinaryPrimitives.WriteSingleLittleEndian(target, (float)value);
                return float.IsFinite((float)value) || !double.IsFinite(value);
            case DataType.Float16:
                BinaryPrimitives.WriteHalfLittleEndian(target, (Half)value);
                return Half.IsFinite((Half)value) || !double.IsFinite(value);
            case DataType.BFloat16:
                ushort narrow = ToBFloat16((float)value);
                BinaryPrimitives.WriteUInt16LittleEndian(target, narrow);
                return float.IsFinite(FromBFloat16(narrow)) || !double.IsFinite(value);
            default:
                // 2^63 and beyond would saturate to a number that compares equal.
                if (!double.IsInteger(value) || value < -9223372036854775808.0) return false;
                if (value < 9223372036854775808.0) return TryInteger((long)value, type, target);
                return value < 18446744073709551616.0 && TryHuge((ulong)value, type, target);
        }
    }

    internal static float FromBFloat16(ushort bits) => BitConverter.Int32BitsToSingle(bits << 16);

    /// <summary>Rounds to nearest, ties to even; NaN stays NaN.</summary>
    internal static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)(bits >> 16 | 0x40) : (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }

    private static bool TryInteger(long value, DataType type, Span<byte> target)
    {
        switch (type)
        {
            case DataType.Int64: BinaryPrimitives.WriteInt64LittleEndian(target, value); return true;
            case DataType.Int32: BinaryPrimitives.WriteInt32LittleEndian(target, unchecked((int)value)); return value == unchecked((int)value);
            case DataType.Int16: BinaryPrimitives.WriteInt16LittleEndian(target, unchecked((short)value)); return value == unchecked((short)value);
            case DataType.Int8: target[0] = unchecked((byte)value); return value == unchecked((sbyte)value);
            case DataType.UInt64: BinaryPrimitives.WriteUInt64LittleEndian(target, unchecked((ulong)value)); return value >= 0;
            case DataType.UInt32: BinaryPrimitives.WriteUInt32LittleEndian(target, unchecked((uint)value)); return value == unchecked((uint)value);
            case DataType.UInt16: BinaryPrimitives.WriteUInt16LittleEndian(target, unchecked((ushort)value)); return value == unchecked((ushort)value);
            case DataType.UInt8: target[0] = unchecked((byte)value); return value == unchecked((byte)value);
            case DataType.Bool: target[0] = unchecked((byte)value); return value is 0 or 1;
            case DataType.Float64: return (BigInteger)(double)value == value && TryReal(value, type, target);
            case DataType.Float32: return (BigInteger)(float)value == value && TryReal(value, type, target);
            case DataType.Float16: return Math.Abs(value) <= 65504 && (long)(Half)value == value && TryReal(value, type, target);
            case DataType.BFloat16: return (BigInteger)FromBFloat16(ToBFloat16((float)value)) == value && TryReal(value, type, target);
            default: return false;
        }
    }
}
