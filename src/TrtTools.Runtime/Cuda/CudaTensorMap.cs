using TrtTools.Tensors;

namespace TrtTools.Cuda;

/// <summary>How the copy engine walks over a tensor; extents and strides go from the innermost dimension out.</summary>
internal ref struct TensorMapDescription
{
    public required ulong Address { get; init; }

    public required DataType Type { get; init; }

    public required ReadOnlySpan<ulong> Extents { get; init; }

    /// <summary>Bytes; one fewer than extents, since the innermost elements are adjacent.</summary>
    public required ReadOnlySpan<ulong> Strides { get; init; }

    /// <summary>Elements of a load in each dimension; not for im2col.</summary>
    public ReadOnlySpan<uint> Box { get; init; }

    public required ReadOnlySpan<uint> ElementStrides { get; init; }

    /// <summary>0, 32, 64 or 128.</summary>
    public required int SwizzleBytes { get; init; }

    public bool IsIm2Col { get; init; }

    public ReadOnlySpan<int> LowerCorner { get; init; }

    public ReadOnlySpan<int> UpperCorner { get; init; }

    public uint ChannelsPerPixel { get; init; }

    public uint PixelsPerColumn { get; init; }
}

/// <summary>Encodes tensor maps: 128 bytes that a kernel takes as a parameter, aligned to 64.</summary>
internal static unsafe class CudaTensorMap
{
    public const int ByteCount = 128, Alignment = 64;

    private const int NoInterleave = 0, Promote256 = 3, FillZero = 0;

    /// <summary>Up to this driver a bit is wrong for tensors that span fewer bytes than <see cref="SmallTensorBytes"/>.</summary>
    private const int LastFaultyDriver = 13010;
    private const ulong SmallTensorBytes = 131_072, FaultyBit = 1UL << 21;

    public static void Encode(DriverApi api, in TensorMapDescription map, void* target)
    {
        if ((nuint)target % Alignment != 0) throw new ArgumentException($"A tensor map is aligned to {Alignment} bytes.", nameof(target));
        uint rank = (uint)map.Extents.Length;
        if (map.Strides.Length != rank - 1 || map.ElementStrides.Length != rank) throw new ArgumentException("A tensor map has one stride fewer than extents and as many element strides.", nameof(map));
        fixed (ulong* extents = map.Extents, strides = map.Strides)
        fixed (uint* box = map.Box, elementStrides = map.ElementStrides)
        fixed (int* lower = map.LowerCorner, upper = map.UpperCorner)
        {
            if (map.IsIm2Col)
            {
                api.Check(api.cuTensorMapEncodeIm2col(target, Number(map.Type), rank, map.Address, extents, strides, lower, upper, map.ChannelsPerPixel, map.PixelsPerColumn, elementStrides,
                    NoInterleave, Swizzle(map.SwizzleBytes), Promote256, FillZero), "cuTensorMapEncodeIm2col", $"{Describe(map)}");
            }
            else
            {
                api.Check(api.cuTensorMapEncodeTiled(target, Number(map.Type), rank, map.Address, extents, strides, box, elementStrides,
                    NoInterleave, Swizzle(map.SwizzleBytes), Promote256, FillZero), "cuTensorMapEncodeTiled", $"{Describe(map)}");
            }
        }
        if (api.Version <= LastFaultyDriver && Span(map) < SmallTensorBytes) ((ulong*)target)[1] &= ~FaultyBit;
    }

    /// <summary>Bytes from the first element to the end of the last.</summary>
    private static ulong Span(in TensorMapDescription map)
    {
        ulong bytes = (ulong)map.Type.ByteCount((long)map.Extents[0]);
        for (int i = 1; i < map.Extents.Length; i++) bytes += (map.Extents[i] - 1) * map.Strides[i - 1];
        return bytes;
    }

    private static string Describe(in TensorMapDescription map) => $"{map.Type}[{string.Join(',', map.Extents.ToArray())}], strides [{string.Join(',', map.Strides.ToArray())}], "
        + $"box [{string.Join(',', map.Box.ToArray())}], swizzle {map.SwizzleBytes}, address % 16 = {map.Address % 16}";

    private static int Number(DataType type) => type switch
    {
        DataType.UInt8 or DataType.Int8 or DataType.Bool or DataType.Float8E4M3FN or DataType.Float8E5M2 => 0,
        DataType.UInt16 or DataType.Int16 => 1,
        DataType.UInt32 => 2,
        DataType.Int32 => 3,
        DataType.UInt64 => 4,
        DataType.Int64 => 5,
        DataType.Float16 => 6,
        DataType.Float32 => 7,
        DataType.Float64 => 8,
        DataType.BFloat16 => 9,
        _ => throw new ArgumentOutOfRangeException(nameof(type), $"The copy engine has no {type}."),
    };

    private static int Swizzle(int bytes) => bytes switch { 0 => 0, 32 => 1, 64 => 2, 128 => 3, _ => throw new ArgumentOutOfRangeException(nameof(bytes), $"There is no swizzle of {bytes} bytes.") };
}
