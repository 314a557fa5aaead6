using System.Runtime.InteropServices;
using TrtTools.Tensors;

namespace TrtTools.Lowering.Reference;

/// <summary>Elements of storages: floats as doubles that a tensor of the storage's type could hold, integers and Booleans as 64-bit integers.</summary>
internal sealed class ReferenceMemory
{
    private const double PoisonFloat = double.NaN;
    private const long PoisonInteger = 0x5A5A5A5A5A5A5A5A;

    private readonly Dictionary<Storage, Array> _elements = [];

    /// <summary>Where the sequence of the region that runs now stands.</summary>
    public long Sequence { get; set; }

    public Array this[Storage storage] => _elements[storage];

    public bool Holds(Storage storage) => _elements.ContainsKey(storage);

    /// <summary>Room that holds nothing of use yet.</summary>
    public Array Reserve(Storage storage, long count)
    {
        Array made = storage.Type.ScalarType().IsFloat() ? new double[count] : new long[count];
        _elements[storage] = made;
        Poison(storage);
        return made;
    }

    /// <summary>Spoils a storage, as another one at its place would.</summary>
    public void Poison(Storage storage)
    {
        if (_elements[storage] is double[] floats) Array.Fill(floats, PoisonFloat);
        else Array.Fill((long[])_elements[storage], Rounding.Wrap(PoisonInteger, storage.Type == DataType.Bool ? DataType.Int64 : storage.Type));
    }

    public void Release(Storage storage) => _elements.Remove(storage);

    public void Write(Storage storage, TensorData data) => _elements[storage] = Read(data);

    private static Array Read(TensorData data)
    {
        if (data.Type.ScalarType().IsFloat()) return data.ToDouble();
        if (data.Type is DataType.Int4 or DataType.UInt4)
        {
            long[] nibbles = new long[data.ElementCount];
            ReadOnlySpan<byte> bytes = data.Bytes;
            for (int i = 0; i < nibbles.Length; i++) nibbles[i] = Rounding.Wrap(bytes[i / 2] >> (i % 2 * 4), data.Type);
            return nibbles;
        }
        return data.Type == DataType.UInt64 ? MemoryMarshal.Cast<ulong, long>(data.AsSpan<ulong>()).ToArray() : data.ToInt64();
    }

    /// <summary>A tensor of a view's elements, row by row.</summary>
    public TensorData ToTensor(TensorView view, IReadOnlyDictionary<string, long> symbols)
    {
        long[] shape = [.. view.Shape.Select(d => Value(d, symbols))], strides = [.. view.Strides.Select(d => Value(d, symbols))];
        long count = TensorData.CountElements(shape), offset = Value(view.Offset, symbols);
        Array elements = _elements[view.Storage];
        long[] places = new long[count];
        long[] index = new long[shape.Length];
        for (long at = 0; at < count; at++)
        {
            long place = offset;
            for (int d = 0; d < index.Length; d++) place += index[d] * strides[d];
            places[at] = place;
            for (int d = index.Length - 1; d >= 0 && ++index[d] == shape[d]; d--) index[d] = 0;
        }
        byte[] bytes = new byte[view.Type.ByteCount(count)];
        for (int at = 0; at < count; at++) Store(bytes, at, view.Type, elements, places[at]);
        return TensorData.FromBytes(view.Type, shape, bytes);
    }

    private static void Store(byte[] bytes, int at, DataType type, Array elements, long place)
    {
        if (elements is double[] floats)
        {
            double value = floats[place];
            switch (type)
            {
                case DataType.Float32: MemoryMarshal.Cast<byte, float>(bytes.AsSpan())[at] = (float)value; break;
                case DataType.Float64: MemoryMarshal.Cast<byte, double>(bytes.AsSpan())[at] = value; break;
                case DataType.Float16: MemoryMarshal.Cast<byte, Half>(bytes.AsSpan())[at] = (Half)value; break;
                default: MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan())[at] = (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16); break;
            }
            return;
        }
        long integer = ((long[])elements)[place];
        switch (type.BitSize())
        {
            case 64: MemoryMarshal.Cast<byte, long>(bytes.AsSpan())[at] = integer; break;
            case 32: MemoryMarshal.Cast<byte, int>(bytes.AsSpan())[at] = (int)integer; break;
            case 16: MemoryMarshal.Cast<byte, short>(bytes.AsSpan())[at] = (short)integer; break;
            case 4: bytes[at / 2] |= (byte)((integer & 15) << (at % 2 * 4)); break;
            default: bytes[at] = (byte)integer; break;
        }
    }

    public static long Value(DimExpr extent, IReadOnlyDictionary<string, long> symbols) =>
        extent.Evaluate(symbols) ?? throw new InvalidOperationException($"Extent {extent} has no value; known symbols: {string.Join(", ", symbols.Keys)}.");
}
