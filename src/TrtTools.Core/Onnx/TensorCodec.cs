using System.Runtime.InteropServices;
using Google.Protobuf;
using Google.Protobuf.Collections;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>TensorProto ↔ TensorData. The form a tensor had in the file (raw or typed fields) is kept while its content is.</summary>
internal static class TensorCodec
{
    /// <summary>Reads a message; it becomes the husk, so the caller must not use it afterwards.</summary>
    /// <param name="subject">Whose content it is, for errors.</param>
    /// <param name="keepName">True for attributes' tensors, whose name is kept nowhere else.</param>
    public static TensorData Read(TensorProto proto, string subject, bool keepName)
    {
        DataType type = (DataType)proto.DataType;
        long[] shape = [.. proto.Dims];
        long count = CheckShape(type, shape, proto.DataType, subject);
        if (!keepName) proto.ClearName();
        if (type == DataType.String) return ReadStrings(proto, shape, count, subject);

        long expected = type.ByteCount(count);
        if (proto.HasRawData)
        {
            if (proto.RawData.Length != expected) throw WrongLength(subject, type, shape, expected, Invariant($"{proto.RawData.Length:N0} bytes of raw data"));
            ReadOnlyMemory<byte> raw = proto.RawData.Memory;
            proto.ClearRawData();
            return TensorData.FromBytes(type, shape, raw, Strip(proto, type, TensorForm.Raw));
        }
        int found = TypedCount(proto, type);
        if (found == 0 && expected == 0) return TensorData.FromBytes(type, shape, ReadOnlyMemory<byte>.Empty, Strip(proto, type, TensorForm.Nothing));
        if (found != ElementsInTypedField(type, count)) throw WrongLength(subject, type, shape, expected, found == 0 ? "none" : Invariant($"{found:N0} elements in its typed data field"));
        byte[] bytes = new byte[expected];
        TensorProto? verbatim = null;
        ReadTyped(proto, type, bytes, ref verbatim);
        return TensorData.FromBytes(type, shape, bytes, Strip(proto, type, TensorForm.Typed, verbatim));
    }

    /// <summary>Checks dims and data type, and gives the number of elements.</summary>
    public static long CheckShape(DataType type, long[] shape, int rawType, string subject)
    {
        if (!Enum.IsDefined(type)) throw Malformed.Model(subject, $"data type {rawType} is unknown", "ONNX data types go from 1 (FLOAT) to 26 (INT2)", "Export the model for an older ONNX release");
        long count = 1;
        bool tooLarge = false;
        foreach (long d in shape)
        {
            if (d < 0) throw Malformed.Model(subject, $"its shape [{string.Join(',', shape)}] has the negative dimension {d}", "Dimensions of stored tensors are 0 or more");
            tooLarge |= d != 0 && count > long.MaxValue / 256 / d;
            count = tooLarge ? 0 : count * d;
        }
        if (tooLarge && !shape.Contains(0)) throw Malformed.Model(subject, $"its shape [{string.Join(',', shape)}] holds more elements than any file could", "Dimensions whose product fits the tensor's data");
        return shape.Contains(0) ? 0 : count;
    }

    public static TrtToolsException WrongLength(string subject, DataType type, long[] shape, long expected, string found) =>
        Malformed.Model(subject, Invariant($"{type}[{string.Join(',', shape)}] takes {expected:N0} bytes, but there are {found}"), "Data that fits type and shape");

    private static TensorData ReadStrings(TensorProto proto, long[] shape, long count, string subject)
    {
        if (proto.StringData.Count != count)
        {
            throw Malformed.Model(subject, Invariant($"String[{string.Join(',', shape)}] takes {count:N0} strings, but there are {proto.StringData.Count:N0}"), "Data that fits type and shape");
        }
        string[] strings = [.. proto.StringData.Select(s => s.ToStringUtf8())];
        TensorProto? verbatim = null;
        for (int i = 0; i < strings.Length; i++)
        {
            if (verbatim is null && !ByteString.CopyFromUtf8(strings[i]).Equals(proto.StringData[i])) verbatim = proto.Clone();
        }
        proto.StringData.Clear();
        return TensorData.FromStrings(shape, strings, Strip(proto, DataType.String, strings.Length == 0 ? TensorForm.Nothing : TensorForm.Typed, verbatim));
    }

    /// <summary>What is left of a message whose content was taken, or null when that is nothing.</summary>
    public static TensorRemainder? Strip(TensorProto proto, DataType type, TensorForm form, TensorProto? verbatim = null)
    {
        proto.Dims.Clear();
        if (type != DataType.Undefined) proto.ClearDataType();
        return form == TensorForm.Raw && proto.CalculateSize() == 0 ? null : new TensorRemainder(proto, form, verbatim);
    }

    private static long ElementsInTypedField(DataType type, long count) => type switch
    {
        DataType.Complex64 or DataType.Complex128 => count * 2,
        _ when type.BitSize() < 8 => type.ByteCount(count),
        _ => count,
    };

    private static int TypedCount(TensorProto proto, DataType type) => type switch
    {
        DataType.Float32 or DataType.Complex64 => proto.FloatData.Count,
        DataType.Float64 or DataType.Complex128 => proto.DoubleData.Count,
        DataType.Int64 => proto.Int64Data.Count,
        DataType.UInt64 or DataType.UInt32 => proto.Uint64Data.Count,
        _ => proto.Int32Data.Count,
    };

    private static void ReadTyped(TensorProto proto, DataType type, byte[] bytes, ref TensorProto? verbatim)
    {
        switch (type)
        {
            case DataType.Float32 or DataType.Complex64: Take(proto.FloatData, bytes); break;
            case DataType.Float64 or DataType.Complex128: Take(proto.DoubleData, bytes); break;
            case DataType.Int64: Take(proto.Int64Data, bytes); break;
            case DataType.UInt64: Take(proto.Uint64Data, bytes); break;
            case DataType.UInt32:
                if (proto.Uint64Data.Any(v => v > uint.MaxValue)) verbatim = proto.Clone();
                Narrow(proto.Uint64Data, MemoryMarshal.Cast<byte, uint>(bytes.AsSpan()), static v => (uint)v);
                break;
            default:
                if (proto.Int32Data.Any(v => v != Widen(type, v))) verbatim = proto.Clone();
                if (type.BitSize() == 32) Take(proto.Int32Data, bytes);
                else if (type.BitSize() == 16) Narrow(proto.Int32Data, MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan()), static v => (ushort)v);
                else Narrow(proto.Int32Data, bytes.AsSpan(), static v => (byte)v);
                break;
        }
    }

    /// <summary>What an int32_data element becomes when it is stored in <paramref name="type"/> and written again.</summary>
    private static int Widen(DataType type, int value) => type switch
    {
        DataType.Int8 => (sbyte)value,
        DataType.Int16 => (short)value,
        DataType.Int32 => value,
        _ => type.BitSize() == 16 ? (ushort)value : (byte)value,
    };

    private static void Take<T>(RepeatedField<T> field, byte[] bytes) where T : unmanaged => Narrow(field, MemoryMarshal.Cast<byte, T>(bytes.AsSpan()), static v => v);

    private static void Narrow<TFrom, TTo>(RepeatedField<TFrom> field, Span<TTo> target, Func<TFrom, TTo> convert)
    {
        for (int i = 0; i < target.Length; i++) target[i] = convert(field[i]);
        field.Clear();
    }

    /// <summary>Writes a tensor.</summary>
    /// <param name="name">Null keeps the name the tensor had as an attribute.</param>
    /// <param name="deferRaw">True leaves raw data out where the result's <see cref="NeedsRawData"/> says so; the caller streams it.</param>
    public static TensorProto Write(TensorData data, string? name, bool deferRaw = false)
    {
        TensorRemainder? remainder = data.Remainder as TensorRemainder;
        if (remainder?.Verbatim is { } verbatim)
        {
            TensorProto whole = verbatim.Clone();
            if (name is not null) whole.Name = name;
            return whole;
        }
        TensorProto proto = WriteHeader(data, name);
        if (data.Type == DataType.String)
        {
            foreach (string text in data.Strings) proto.StringData.Add(ByteString.CopyFromUtf8(text));
        }
        else if (NeedsRawData(data))
        {
            if (!deferRaw) proto.RawData = CopyBytes(data);
        }
        else if (remainder!.Form == TensorForm.Typed)
        {
            WriteTyped(proto, data);
        }
        return proto;
    }

    /// <summary>All but the elements.</summary>
    public static TensorProto WriteHeader(TensorData data, string? name)
    {
        TensorProto proto = (data.Remainder as TensorRemainder)?.Husk.Clone() ?? new TensorProto();
        proto.Dims.AddRange(data.Shape.ToArray());
        if (data.Type != DataType.Undefined) proto.DataType = (int)data.Type;
        if (name is not null) proto.Name = name;
        return proto;
    }

    /// <summary>True when the tensor is written as raw_data.</summary>
    public static bool NeedsRawData(TensorData data) =>
        data.Type != DataType.String && (data.Remainder is not TensorRemainder { Form: var form } || form is TensorForm.Raw or TensorForm.Sparse);

    private static ByteString CopyBytes(TensorData data)
    {
        if (data.ByteCount > Array.MaxLength) throw ModelWriter.TooLarge(data.ToString(), data.ByteCount);
        return ByteString.CopyFrom(data.Bytes);
    }

    private static void WriteTyped(TensorProto proto, TensorData data)
    {
        switch (data.Type)
        {
            case DataType.Float32 or DataType.Complex64: proto.FloatData.AddRange(data.AsSpan<float>().ToArray()); break;
            case DataType.Float64 or DataType.Complex128: proto.DoubleData.AddRange(data.AsSpan<double>().ToArray()); break;
            case DataType.Int64: proto.Int64Data.AddRange(data.AsSpan<long>().ToArray()); break;
            case DataType.UInt64: proto.Uint64Data.AddRange(data.AsSpan<ulong>().ToArray()); break;
            case DataType.UInt32: foreach (uint v in data.AsSpan<uint>()) proto.Uint64Data.Add(v); break;
            case DataType.Int32: proto.Int32Data.AddRange(data.AsSpan<int>().ToArray()); break;
            case DataType.Int16: foreach (short v in data.AsSpan<short>()) proto.Int32Data.Add(v); break;
            case DataType.Int8: foreach (sbyte v in data.AsSpan<sbyte>()) proto.Int32Data.Add(v); break;
            default:
                if (data.Type.BitSize() == 16) foreach (ushort v in data.AsSpan<ushort>()) proto.Int32Data.Add(v);
                else foreach (byte v in data.Bytes) proto.Int32Data.Add(v);
                break;
        }
    }
}
