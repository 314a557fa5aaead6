using System.Runtime.InteropServices;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Weights in other types and orders.</summary>
internal static class WeightLayout
{
    private const double LargestFloat16 = 65504;

    /// <summary>Whether a weight keeps its meaning in a storage type.</summary>
    public static bool Fits(TensorData data, DataType type) => type != DataType.Float16 || data.ToDouble().All(v => !(Math.Abs(v) > LargestFloat16) || double.IsInfinity(v));

    public static TensorData Convert(TensorData data, DataType type)
    {
        ReadOnlySpan<float> values = data.AsSpan<float>();
        if (type == DataType.Float16)
        {
            Half[] halves = new Half[values.Length];
            for (int i = 0; i < halves.Length; i++) halves[i] = (Half)values[i];
            return TensorData.FromBytes(type, data.Shape, MemoryMarshal.AsBytes<Half>(halves).ToArray());
        }
        ushort[] shorts = new ushort[values.Length];
        for (int i = 0; i < shorts.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            shorts[i] = float.IsNaN(values[i]) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
        return TensorData.FromBytes(type, data.Shape, MemoryMarshal.AsBytes<ushort>(shorts).ToArray());
    }

    /// <summary>The elements in another order of axes (outermost first). The shape is that of the new order.</summary>
    public static TensorData Reorder(TensorData data, IReadOnlyList<int> order)
    {
        long[] from = data.Shape.ToArray(), to = [.. order.Select(axis => from[axis])], strides = new long[from.Length];
        long stride = 1;
        for (int d = from.Length - 1; d >= 0; d--)
        {
            strides[d] = stride;
            stride *= from[d];
        }
        int size = data.Type.BitSize() / 8;
        byte[] result = new byte[data.ByteCount];
        ReadOnlySpan<byte> source = data.Bytes;
        long[] index = new long[to.Length];
        for (long at = 0; at < data.ElementCount; at++)
        {
            long place = 0;
            for (int d = 0; d < index.Length; d++) place += index[d] * strides[order[d]];
            source.Slice((int)(place * size), size).CopyTo(result.AsSpan((int)(at * size), size));
            for (int d = index.Length - 1; d >= 0 && ++index[d] == to[d]; d--) index[d] = 0;
        }
        return TensorData.FromBytes(data.Type, to, result);
    }
}
