namespace TrtTools.Tensors;

/// <summary>Element types, with ONNX's numbers (TensorProto.DataType).</summary>
public enum DataType
{
    Undefined = 0, Float32 = 1, UInt8 = 2, Int8 = 3, UInt16 = 4, Int16 = 5, Int32 = 6, Int64 = 7, String = 8, Bool = 9,
    Float16 = 10, Float64 = 11, UInt32 = 12, UInt64 = 13, Complex64 = 14, Complex128 = 15, BFloat16 = 16,
    Float8E4M3FN = 17, Float8E4M3FNUZ = 18, Float8E5M2 = 19, Float8E5M2FNUZ = 20, UInt4 = 21, Int4 = 22,
    Float4E2M1 = 23, Float8E8M0 = 24, UInt2 = 25, Int2 = 26,
}

public static class DataTypes
{
    /// <summary>Bits per element; 0 for String and Undefined.</summary>
    public static int BitSize(this DataType type) => type switch
    {
        DataType.UInt2 or DataType.Int2 => 2,
        DataType.UInt4 or DataType.Int4 or DataType.Float4E2M1 => 4,
        DataType.UInt8 or DataType.Int8 or DataType.Bool or DataType.Float8E4M3FN or DataType.Float8E4M3FNUZ
            or DataType.Float8E5M2 or DataType.Float8E5M2FNUZ or DataType.Float8E8M0 => 8,
        DataType.UInt16 or DataType.Int16 or DataType.Float16 or DataType.BFloat16 => 16,
        DataType.Float32 or DataType.Int32 or DataType.UInt32 => 32,
        DataType.Float64 or DataType.Int64 or DataType.UInt64 or DataType.Complex64 => 64,
        DataType.Complex128 => 128,
        _ => 0,
    };

    /// <summary>Bytes that <paramref name="elementCount"/> densely packed elements take (sub-byte types round up).</summary>
    public static long ByteCount(this DataType type, long elementCount) => checked((elementCount * type.BitSize() + 7) / 8);

    public static bool IsFloatingPoint(this DataType type) => type is DataType.Float32 or DataType.Float16 or DataType.Float64 or DataType.BFloat16;

    public static bool IsInteger(this DataType type) => type is DataType.UInt8 or DataType.Int8 or DataType.UInt16 or DataType.Int16
        or DataType.Int32 or DataType.Int64 or DataType.UInt32 or DataType.UInt64;

    /// <summary>The type of a .NET array's elements that hold this type without loss. BFloat16 and 8-bit floats are held as their bits.</summary>
    public static Type ClrType(this DataType type) => type switch
    {
        DataType.Float32 => typeof(float), DataType.Float64 => typeof(double), DataType.Float16 => typeof(Half),
        DataType.UInt8 => typeof(byte), DataType.Int8 => typeof(sbyte), DataType.UInt16 => typeof(ushort), DataType.Int16 => typeof(short),
        DataType.Int32 => typeof(int), DataType.UInt32 => typeof(uint), DataType.Int64 => typeof(long), DataType.UInt64 => typeof(ulong),
        DataType.Bool => typeof(bool), DataType.String => typeof(string), DataType.BFloat16 => typeof(ushort),
        DataType.Complex64 => typeof(float), DataType.Complex128 => typeof(double),
        _ => typeof(byte),
    };

    public static DataType FromClrType(Type type) =>
        type == typeof(float) ? DataType.Float32 : type == typeof(double) ? DataType.Float64 : type == typeof(Half) ? DataType.Float16
        : type == typeof(byte) ? DataType.UInt8 : type == typeof(sbyte) ? DataType.Int8 : type == typeof(ushort) ? DataType.UInt16
        : type == typeof(short) ? DataType.Int16 : type == typeof(int) ? DataType.Int32 : type == typeof(uint) ? DataType.UInt32
        : type == typeof(long) ? DataType.Int64 : type == typeof(ulong) ? DataType.UInt64 : type == typeof(bool) ? DataType.Bool
        : type == typeof(string) ? DataType.String : DataType.Undefined;
}
