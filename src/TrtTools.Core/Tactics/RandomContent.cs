using System.Runtime.InteropServices;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Made-up content of a storage: floats even over [-1, 1), bytes even over all, other integers 0, which is a place in any table.</summary>
internal static class RandomContent
{
    private const ulong Gamma = 0x9E3779B97F4A7C15, SeedStep = 0x632BE59BD9B4E019;

    /// <summary>Elements that one thread makes at a time.</summary>
    private const int Piece = 1 << 16;

    public static byte[] Of(DataType type, long byteCount, ulong seed)
    {
        byte[] bytes = new byte[byteCount];
        switch (type)
        {
            case DataType.Float32: Fill<float>(bytes, seed, x => x); break;
            case DataType.Float64: Fill<double>(bytes, seed, x => x); break;
            case DataType.Float16: Fill<Half>(bytes, seed, x => (Half)x); break;
            case DataType.BFloat16: Fill<ushort>(bytes, seed, x => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16)); break;
            case DataType.UInt8 or DataType.Int8: Fill<byte>(bytes, seed, x => (byte)(int)(128 + (127 * x))); break;
            case DataType.Bool: Fill<byte>(bytes, seed, x => x < 0 ? (byte)0 : (byte)1); break;
        }
        return bytes;
    }

    /// <summary>Each element follows from its place, so that threads share the work.</summary>
    private static void Fill<T>(byte[] bytes, ulong seed, Func<float, T> convert) where T : unmanaged
    {
        int count = MemoryMarshal.Cast<byte, T>(bytes.AsSpan()).Length;
        Pieces.Run(count, Piece, (from, to) =>
        {
            Span<T> target = MemoryMarshal.Cast<byte, T>(bytes.AsSpan());
            for (int i = from; i < to; i++) target[i] = convert(Number((seed * SeedStep) + (((ulong)i + 1) * Gamma)));
        });
    }

    /// <summary>SplitMix64.</summary>
    private static float Number(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (((z ^ (z >> 31)) >> 40) / 8388608f) - 1;
    }
}
