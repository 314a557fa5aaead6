using System.Runtime.InteropServices;
using TrtTools.Tensors;

namespace TrtTools.Evaluation;

/// <summary>Small arithmetic on constants.</summary>
internal static class TensorMath
{
    /// <summary>A numeric tensor of these values, each rounded once.</summary>
    public static TensorData FromDouble(DataType type, ReadOnlySpan<long> shape, ReadOnlySpan<double> values)
    {
        byte[] bytes = new byte[type.ByteCount(values.Length)];
        Span<byte> target = bytes;
        switch (type)
        {
            case DataType.Float32: Convert(values, MemoryMarshal.Cast<byte, float>(target), static v => (float)v); break;
            case DataType.Float64: values.CopyTo(MemoryMarshal.Cast<byte, double>(target)); break;
            case DataType.Float16: Convert(values, MemoryMarshal.Cast<byte, Half>(target), static v => (Half)v); break;
            case DataType.BFloat16: Convert(values, MemoryMarshal.Cast<byte, ushort>(target), static v => RoundToBFloat16((float)v)); break;
            case DataType.Int64: Convert(values, MemoryMarshal.Cast<byte, long>(target), static v => (long)v); break;
            case DataType.Int32: Convert(values, MemoryMarshal.Cast<byte, int>(target), static v => (int)v); break;
            case DataType.Int16: Convert(values, MemoryMarshal.Cast<byte, short>(target), static v => (short)v); break;
            case DataType.Int8: Convert(values, MemoryMarshal.Cast<byte, sbyte>(target), static v => (sbyte)v); break;
            case DataType.UInt8 or DataType.Bool: Convert(values, target, static v => (byte)v); break;
            case DataType.UInt16: Convert(values, MemoryMarshal.Cast<byte, ushort>(target), static v => (ushort)v); break;
            case DataType.UInt32: Convert(values, MemoryMarshal.Cast<byte, uint>(target), static v => (uint)v); break;
            case DataType.UInt64: Convert(values, MemoryMarshal.Cast<byte, ulong>(target), static v => (ulong)v); break;
            default: throw new ArgumentException($"{type} holds no plain numbers.", nameof(type));
        }
        return TensorData.FromBytes(type, shape, bytes);
    }

    /// <summary>Every element equals <paramref name="number"/>; NaN and zeros of either sign compare as numbers do.</summary>
    public static bool IsAll(TensorData data, double number)
    {
        if (data.Type == DataType.String || data.Type.BitSize() < 8 || data.ElementCount is 0 or > int.MaxValue) return false;
        if (!data.Type.IsFloatingPoint() && !data.Type.IsInteger()) return false;
        // Most constants differ in their first element already.
        if (data.Type == DataType.Float32)
        {
            foreach (float value in data.AsSpan<float>())
            {
                if (value != number) return false;
            }
            return true;
        }
        if (data.Type == DataType.UInt64)
        {
            foreach (ulong value in data.AsSpan<ulong>())
            {
                if (value != number) return false;
            }
            return true;
        }
        return data.ToDouble().All(v => v == number);
    }

    public static bool IsFinite(ReadOnlySpan<double> values)
    {
        foreach (double value in values)
        {
            if (!double.IsFinite(value)) return false;
        }
        return true;
    }

    private static ushort RoundToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static void Convert<T>(ReadOnlySpan<double> from, Span<T> to, Func<double, T> convert)
    {
        for (int i = 0; i < from.Length; i++) to[i] = convert(from[i]);
    }
}
