using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>What stands at the head of an .npy file. <see cref="CharacterBytes"/> is 4 for text in UTF-32, 1 for bytes, else 0.</summary>
internal sealed record NpyHeader(DataType Type, long[] Shape, bool ColumnMajor, bool BigEndian, int ItemBytes, int CharacterBytes)
{
    public long ByteCount => checked(ItemBytes * TensorData.CountElements(Shape));
}

/// <summary>NumPy's .npy format, versions 1 to 3.</summary>
internal static partial class NpyFormat
{
    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <param name="stream">At the file's first byte; at the first element afterwards.</param>
    /// <param name="subject">The file, for messages.</param>
    public static NpyHeader ReadHeader(Stream stream, string subject)
    {
        Span<byte> start = stackalloc byte[8];
        if (stream.ReadAtLeast(start, 8, throwOnEndOfStream: false) < 8 || !start[..6].SequenceEqual(Magic))
            throw Invalid(subject, "the file does not begin as an .npy file does");
        int version = start[6];
        if (version is < 1 or > 3) throw Invalid(subject, $"the .npy version is {version}.{start[7]}; known are 1 to 3");
        Span<byte> length = stackalloc byte[4];
        length.Clear();
        ReadExactly(stream, length[..(version == 1 ? 2 : 4)], subject);
        uint headerLength = BinaryPrimitives.ReadUInt32LittleEndian(length);
        if (headerLength > 1 << 20) throw Invalid(subject, $"the header claims {headerLength} bytes");
        byte[] raw = new byte[headerLength];
        ReadExactly(stream, raw, subject);
        return Parse((version == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(raw), subject);
    }

    private static NpyHeader Parse(string header, string subject)
    {
        Match descr = DescrPattern().Match(header), order = OrderPattern().Match(header), shape = ShapePattern().Match(header);
        if (!order.Success || !shape.Success) throw Invalid(subject, $"the header '{header.Trim()}' is damaged");
        if (!descr.Success) throw Invalid(subject, "the array holds records or objects, not numbers");
        string[] extents = shape.Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        long[] dimensions = new long[extents.Length];
        for (int i = 0; i < extents.Length; i++)
        {
            if (!long.TryParse(extents[i].TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture, out dimensions[i])) throw Invalid(subject, $"the shape '({shape.Groups[1].Value})' is damaged");
        }
        string code = descr.Groups[2].Value;
        if (!int.TryParse(code.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out int size) && code != "?") throw Invalid(subject, $"the element type '{descr.Groups[0].Value}' is damaged");
        DataType type = code switch
        {
            "f2" => DataType.Float16, "f4" => DataType.Float32, "f8" => DataType.Float64,
            "i1" => DataType.Int8, "i2" => DataType.Int16, "i4" => DataType.Int32, "i8" => DataType.Int64,
            "u1" => DataType.UInt8, "u2" => DataType.UInt16, "u4" => DataType.UInt32, "u8" => DataType.UInt64,
            "b1" or "?" => DataType.Bool, "c8" => DataType.Complex64, "c16" => DataType.Complex128,
            _ when code[0] is 'U' or 'S' => DataType.String,
            _ => throw Invalid(subject, $"the element type '{descr.Groups[1].Value}{code}' is no number or text that a tensor holds"),
        };
        int character = code[0] switch { 'U' => 4, 'S' => 1, _ => 0 };
        NpyHeader result = new(type, dimensions, order.Groups[1].Value == "True", descr.Groups[1].Value == ">", character > 0 ? size * character : type.BitSize() / 8, character);
        try
        {
            _ = result.ByteCount;
        }
        catch (OverflowException)
        {
            throw Invalid(subject, $"the shape ({shape.Groups[1].Value}) is too large");
        }
        return result;
    }

    /// <summary>Reads all elements after the header.</summary>
    public static TensorData ReadElements(Stream stream, NpyHeader header, string subject)
    {
        byte[] bytes = ReadBytes(stream, header, TensorData.CountElements(header.Shape), subject);
        if (header.CharacterBytes > 0) return TensorData.FromStrings(header.Shape, Texts(bytes, header));
        if (header.ColumnMajor && header.Shape.Length > 1) bytes = ToRowMajor(bytes, header.Shape, header.ItemBytes);
        return TensorData.FromBytes(header.Type, header.Shape, bytes);
    }

    /// <summary>Reads the next <paramref name="extents"/> elements of a row-major array.</summary>
    public static TensorData ReadNext(Stream stream, NpyHeader header, ReadOnlySpan<long> extents, string subject) =>
        TensorData.FromBytes(header.Type, extents, ReadBytes(stream, header, TensorData.CountElements(extents), subject));

    private static byte[] ReadBytes(Stream stream, NpyHeader header, long elementCount, string subject)
    {
        long byteCount = checked(elementCount * header.ItemBytes);
        if (byteCount > Array.MaxLength) throw Invalid(subject, $"the array takes {byteCount.ToString("N0", CultureInfo.InvariantCulture)} bytes; a tensor read at once holds 2 GB");
        // A damaged header must not make us allocate more than the file can hold.
        if (stream.CanSeek && stream.Length - stream.Position < byteCount) throw Truncated(subject);
        byte[] bytes;
        if (stream.CanSeek || byteCount <= 1 << 26)
        {
            bytes = new byte[byteCount];
            ReadExactly(stream, bytes, subject);
        }
        else
        {
            using MemoryStream buffer = new();
            byte[] chunk = new byte[1 << 20];
            while (buffer.Length < byteCount)
            {
                int read = stream.Read(chunk, 0, (int)Math.Min(chunk.Length, byteCount - buffer.Length));
                if (read == 0) throw Truncated(subject);
                buffer.Write(chunk, 0, read);
            }
            bytes = buffer.ToArray();
        }
        if (header.BigEndian) Reverse(bytes, header);
        return bytes;
    }

    private static void Reverse(byte[] bytes, NpyHeader header)
    {
        int unit = header.CharacterBytes > 0 ? header.CharacterBytes : header.Type is DataType.Complex64 or DataType.Complex128 ? header.ItemBytes / 2 : header.ItemBytes;
        switch (unit)
        {
            case 2: Span<short> s = MemoryMarshal.Cast<byte, short>(bytes.AsSpan()); BinaryPrimitives.ReverseEndianness(s, s); break;
            case 4: Span<int> i = MemoryMarshal.Cast<byte, int>(bytes.AsSpan()); BinaryPrimitives.ReverseEndianness(i, i); break;
            case 8: Span<long> l = MemoryMarshal.Cast<byte, long>(bytes.AsSpan()); BinaryPrimitives.ReverseEndianness(l, l); break;
        }
    }

    private static byte[] ToRowMajor(byte[] bytes, long[] shape, int itemBytes)
    {
        byte[] result = new byte[bytes.Length];
        long[] stride = new long[shape.Length];
        long step = itemBytes;
        for (int d = 0; d < shape.Length; d++)
        {
            stride[d] = step;
            step *= shape[d];
        }
        long[] index = new long[shape.Length];
        long source = 0;
        for (int at = 0; at < bytes.Length; at += itemBytes)
        {
            bytes.AsSpan((int)source, itemBytes).CopyTo(result.AsSpan(at));
            for (int d = shape.Length - 1; d >= 0; d--)
            {
                source += stride[d];
                if (++index[d] < shape[d]) break;
                source -= stride[d] * shape[d];
                index[d] = 0;
            }
        }
        return result;
    }

    private static string[] Texts(byte[] bytes, NpyHeader header)
    {
        string[] texts = new string[TensorData.CountElements(header.Shape)];
        Encoding encoding = header.CharacterBytes == 4 ? Encoding.UTF32 : Encoding.UTF8;
        for (int i = 0; i < texts.Length; i++) texts[i] = encoding.GetString(bytes, i * header.ItemBytes, header.ItemBytes).TrimEnd('\0');
        if (!header.ColumnMajor || header.Shape.Length < 2) return texts;
        // Order the positions as the numbers would be.
        int[] from = MemoryMarshal.Cast<byte, int>(ToRowMajor(MemoryMarshal.AsBytes(Enumerable.Range(0, texts.Length).ToArray().AsSpan()).ToArray(), header.Shape, 4).AsSpan()).ToArray();
        return [.. from.Select(i => texts[i])];
    }

    public static void Write(Stream stream, TensorData data)
    {
        if (data.Type == DataType.BFloat16)
        {
            // NumPy has no such type; widening loses nothing.
            float[] wide = [.. MemoryMarshal.ToEnumerable(new ReadOnlyMemory<ushort>(data.AsSpan<ushort>().ToArray())).Select(ElementConversion.FromBFloat16)];
            data = TensorData.From<float>(wide, data.Shape);
        }
        int characters = data.Type == DataType.String ? Math.Max(1, data.Strings.ToArray().Select(s => s.EnumerateRunes().Count()).DefaultIfEmpty(1).Max()) : 0;
        string code = data.Type switch
        {
            DataType.Float16 => "<f2", DataType.Float32 => "<f4", DataType.Float64 => "<f8",
            DataType.Int8 => "|i1", DataType.Int16 => "<i2", DataType.Int32 => "<i4", DataType.Int64 => "<i8",
            DataType.UInt8 => "|u1", DataType.UInt16 => "<u2", DataType.UInt32 => "<u4", DataType.UInt64 => "<u8",
            DataType.Bool => "|b1", DataType.Complex64 => "<c8", DataType.Complex128 => "<c16",
            DataType.String => string.Create(CultureInfo.InvariantCulture, $"<U{characters}"),
            _ => throw new TrtToolsException(ErrorCode.DataInvalid, "The tensor", $"NumPy has no type like {data.Type}", "", "Write a .pb file instead"),
        };
        string shape = string.Concat(data.Shape.ToArray().Select((d, i) => (i > 0 ? ", " : "") + d.ToString(CultureInfo.InvariantCulture))) + (data.Rank == 1 ? "," : "");
        string header = $"{{'descr': '{code}', 'fortran_order': False, 'shape': ({shape}), }}";
        int padded = (header.Length + 1 + 10 + 63) / 64 * 64 - 10;
        header = header.PadRight(padded - 1) + "\n";
        stream.Write(Magic);
        stream.Write([1, 0, (byte)header.Length, (byte)(header.Length >> 8)]);
        stream.Write(Encoding.ASCII.GetBytes(header));
        if (data.Type != DataType.String)
        {
            data.CopyTo(stream);
            return;
        }
        foreach (string text in data.Strings)
        {
            byte[] utf32 = new byte[characters * 4];
            Encoding.UTF32.GetBytes(text, utf32);
            stream.Write(utf32);
        }
    }

    private static void ReadExactly(Stream stream, Span<byte> target, string subject)
    {
        try
        {
            stream.ReadExactly(target);
        }
        catch (EndOfStreamException)
        {
            throw Truncated(subject);
        }
        catch (InvalidDataException e)
        {
            throw Invalid(subject, $"the compressed data is damaged ({e.Message.TrimEnd('.')})");
        }
    }

    private static TrtToolsException Truncated(string subject) => Invalid(subject, "the file ends before its last element");

    private static TrtToolsException Invalid(string subject, string found) =>
        new(ErrorCode.DataInvalid, subject, found, "Expected a whole .npy array of numbers or text", "Write it again with numpy.save, numpy.savez, or as float32");

    [GeneratedRegex("""['"]descr['"]\s*:\s*['"]([<>=|]?)([A-Za-z?]\d*)['"]""")]
    private static partial Regex DescrPattern();

    [GeneratedRegex("""['"]fortran_order['"]\s*:\s*(True|False)""")]
    private static partial Regex OrderPattern();

    [GeneratedRegex("""['"]shape['"]\s*:\s*\(([^)]*)\)""")]
    private static partial Regex ShapePattern();
}
