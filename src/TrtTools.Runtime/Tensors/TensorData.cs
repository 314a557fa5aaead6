using System.Runtime.InteropServices;
using TrtTools.Files;

namespace TrtTools.Tensors;

/// <summary>An immutable tensor: type, shape and densely packed row-major bytes (little-endian), or strings.
/// The bytes are managed memory or a slice of a mapped file; copies of a graph share them.</summary>
internal sealed class TensorData
{
    private readonly MappedFile? _file;
    private readonly long _offset;
    private readonly ReadOnlyMemory<byte> _memory;
    private readonly string[]? _strings;
    private readonly long[] _shape;

    private TensorData(DataType type, long[] shape, long byteCount, MappedFile? file, long offset, ReadOnlyMemory<byte> memory, string[]? strings)
    {
        Type = type;
        _shape = shape;
        ByteCount = byteCount;
        _file = file;
        _offset = offset;
        _memory = memory;
        _strings = strings;
    }

    public DataType Type { get; }

    public ReadOnlySpan<long> Shape => _shape;

    public int Rank => _shape.Length;

    public long ByteCount { get; }

    public long ElementCount => CountElements(_shape);

    public bool IsMapped => _file is not null;

    /// <summary>What the file format said beside name, type, shape and content (doc string, metadata …); opaque outside Onnx.</summary>
    public object? Remainder { get; init; }

    public static long CountElements(ReadOnlySpan<long> shape)
    {
        // Whatever the other extents are.
        if (shape.Contains(0)) return 0;
        long count = 1;
        foreach (long d in shape) count = checked(count * d);
        return count;
    }

    /// <summary>Bytes as they lie in memory; the caller must not change them afterwards.</summary>
    public static TensorData FromBytes(DataType type, ReadOnlySpan<long> shape, ReadOnlyMemory<byte> bytes, object? remainder = null)
    {
        CheckLength(type, shape, bytes.Length);
        return new TensorData(type, shape.ToArray(), bytes.Length, null, 0, bytes, null) { Remainder = remainder };
    }

    /// <summary>A slice of a mapped file.</summary>
    public static TensorData FromFile(DataType type, ReadOnlySpan<long> shape, MappedFile file, long offset, long byteCount, object? remainder = null)
    {
        CheckLength(type, shape, byteCount);
        if (offset < 0 || offset > file.Length - byteCount) throw new ArgumentOutOfRangeException(nameof(offset), "The tensor ends past the end of the file.");
        return new TensorData(type, shape.ToArray(), byteCount, file, offset, default, null) { Remainder = remainder };
    }

    public static TensorData FromStrings(ReadOnlySpan<long> shape, string[] strings, object? remainder = null)
    {
        if (CountElements(shape) != strings.Length) throw new ArgumentException("The shape does not hold this many strings.", nameof(strings));
        return new TensorData(DataType.String, shape.ToArray(), 0, null, 0, default, strings) { Remainder = remainder };
    }

    public static TensorData From<T>(ReadOnlySpan<T> values, params ReadOnlySpan<long> shape) where T : unmanaged =>
        FromBytes(DataTypes.FromClrType(typeof(T)), shape, MemoryMarshal.AsBytes(values).ToArray());

    public static TensorData Scalar<T>(T value) where T : unmanaged => From<T>([value]);

    public static TensorData Vector<T>(params ReadOnlySpan<T> values) where T : unmanaged => From(values, values.Length);

    private static void CheckLength(DataType type, ReadOnlySpan<long> shape, long byteCount)
    {
        foreach (long d in shape)
        {
            if (d < 0) throw new ArgumentException($"A dimension is negative ({d}).", nameof(shape));
        }
        long expected = type.ByteCount(CountElements(shape));
        if (expected != byteCount) throw new ArgumentException($"{type} [{string.Join(',', shape.ToArray())}] takes {expected} bytes, not {byteCount}.", nameof(byteCount));
    }

    /// <summary>All bytes; only for tensors of at most 2 GB. Valid while this object lives.</summary>
    public ReadOnlySpan<byte> Bytes => _file is null ? _memory.Span : _file.Span(_offset, checked((int)ByteCount));

    /// <summary>A part of the bytes, for tensors of any size.</summary>
    public ReadOnlySpan<byte> Slice(long offset, int length) => _file is null ? _memory.Span.Slice(checked((int)offset), length) : _file.Span(_offset + offset, length);

    /// <summary>Holds the bytes still for native code until the handle is disposed; keep this object alive as long.</summary>
    public unsafe System.Buffers.MemoryHandle Pin() => _file is null ? _memory.Pin()
        : new System.Buffers.MemoryHandle(System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(_file.Span(_offset, 0 < ByteCount ? 1 : 0))));

    public ReadOnlySpan<string> Strings => _strings ?? throw new InvalidOperationException($"A {Type} tensor holds no strings.");

    public ReadOnlySpan<T> AsSpan<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes);

    public void CopyTo(Stream stream)
    {
        const int Chunk = 1 << 24;
        for (long at = 0; at < ByteCount; at += Chunk) stream.Write(Slice(at, (int)Math.Min(Chunk, ByteCount - at)));
    }

    /// <summary>The same bytes under another shape of as many elements.</summary>
    public TensorData Reshape(params ReadOnlySpan<long> shape)
    {
        if (CountElements(shape) != ElementCount) throw new ArgumentException("The new shape holds another number of elements.", nameof(shape));
        return new TensorData(Type, shape.ToArray(), ByteCount, _file, _offset, _memory, _strings);
    }

    /// <summary>The elements of an integer tensor as 64-bit numbers.</summary>
    public long[] ToInt64()
    {
        long[] result = new long[ElementCount];
        switch (Type)
        {
            case DataType.Int64: AsSpan<long>().CopyTo(result); break;
            case DataType.Int32: Convert(AsSpan<int>(), result, static v => v); break;
            case DataType.Int16: Convert(AsSpan<short>(), result, static v => v); break;
            case DataType.Int8: Convert(AsSpan<sbyte>(), result, static v => v); break;
            case DataType.UInt8 or DataType.Bool: Convert(AsSpan<byte>(), result, static v => v); break;
            case DataType.UInt16: Convert(AsSpan<ushort>(), result, static v => v); break;
            case DataType.UInt32: Convert(AsSpan<uint>(), result, static v => v); break;
            case DataType.UInt64: Convert(AsSpan<ulong>(), result, static v => checked((long)v)); break;
            default: throw new InvalidOperationException($"{Type} is no integer type.");
        }
        return result;
    }

    /// <summary>The elements of a numeric tensor as doubles.</summary>
    public double[] ToDouble()
    {
        double[] result = new double[ElementCount];
        switch (Type)
        {
            case DataType.Float32: Convert(AsSpan<float>(), result, static v => v); break;
            case DataType.Float64: AsSpan<double>().CopyTo(result); break;
            case DataType.Float16: Convert(AsSpan<Half>(), result, static v => (double)v); break;
            case DataType.BFloat16: Convert(AsSpan<ushort>(), result, static v => BitConverter.Int32BitsToSingle(v << 16)); break;
            default: Convert<long, double>(ToInt64(), result, static v => v); break;
        }
        return result;
    }

    private static void Convert<TFrom, TTo>(ReadOnlySpan<TFrom> from, Span<TTo> to, Func<TFrom, TTo> convert)
    {
        for (int i = 0; i < from.Length; i++) to[i] = convert(from[i]);
    }

    /// <summary>Same type, shape and content.</summary>
    public bool ContentEquals(TensorData other)
    {
        if (ReferenceEquals(this, other)) return true;
        if (Type != other.Type || ByteCount != other.ByteCount || !Shape.SequenceEqual(other.Shape)) return false;
        if (_strings is not null) return other._strings is not null && _strings.AsSpan().SequenceEqual(other._strings);
        const int Chunk = 1 << 24;
        for (long at = 0; at < ByteCount; at += Chunk)
        {
            int length = (int)Math.Min(Chunk, ByteCount - at);
            if (!Slice(at, length).SequenceEqual(other.Slice(at, length))) return false;
        }
        return true;
    }

    public override string ToString() => $"{Type}[{string.Join(',', _shape)}]";
}
