using System.Runtime.InteropServices;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Made-up content of a storage: floats even over [-1, 1), bytes even over all, other integers 0, which is a place in any table.</summary>
internal static class RandomContent
{
    public static byte[] Of(DataType type, long byteCount, ulong seed)
    {
        byte[] bytes = new byte[byteCount];
        ulong state = seed * 0x9E3779B97F4A7C15;
        switch (type)
        {
            case DataType.Float32: foreach (ref float x in MemoryMarshal.Cast<byte, float>(bytes.AsSpan())) x = Next(ref state); break;
            case DataType.Float64: foreach (ref double x in MemoryMarshal.Cast<byte, double>(bytes.AsSpan())) x = Next(ref state); break;
            case DataType.Float16: foreach (ref Half x in MemoryMarshal.Cast<byte, Half>(bytes.AsSpan())) x = (Half)Next(ref state); break;
            case DataType.BFloat16: foreach (ref ushort x in MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan())) x = (ushort)(BitConverter.SingleToUInt32Bits(Next(ref state)) >> 16); break;
            case DataType.UInt8 or DataType.Int8: foreach (ref byte x in bytes.AsSpan()) x = (byte)(int)(128 + (127 * Next(ref state))); break;
            case DataType.Bool: foreach (ref byte x in bytes.AsSpan()) x = Next(ref state) < 0 ? (byte)0 : (byte)1; break;
        }
        return bytes;
    }

    /// <summary>SplitMix64.</summary>
    private static float Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (((z ^ (z >> 31)) >> 40) / 8388608f) - 1;
    }
}
