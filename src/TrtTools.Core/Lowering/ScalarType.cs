using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>What a scalar is while it is computed. Narrower types exist in memory only: a load widens, a store rounds or wraps.</summary>
internal enum ScalarType
{
    Float32, Float64, Int64, Bool,
}

internal static class ScalarTypes
{
    /// <summary>The type that elements of <paramref name="type"/> are computed in. 64-bit unsigned integers are computed by their bits.</summary>
    public static ScalarType ScalarType(this DataType type) => type switch
    {
        DataType.Float32 or DataType.Float16 or DataType.BFloat16 => Lowering.ScalarType.Float32,
        DataType.Float64 => Lowering.ScalarType.Float64,
        DataType.Bool => Lowering.ScalarType.Bool,
        _ when type.IsInteger() || type is DataType.Int4 or DataType.UInt4 => Lowering.ScalarType.Int64,
        _ => throw new TrtToolsException(ErrorCode.UnsupportedOperator, type.ToString(), "kernels do not compute in this type", "", "Cast to Float32 or an integer type before"),
    };

    public static bool IsFloat(this ScalarType type) => type is Lowering.ScalarType.Float32 or Lowering.ScalarType.Float64;
}
