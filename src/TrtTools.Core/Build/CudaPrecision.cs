using TrtTools.Engines;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>What -Fp16, -Bf16, -Tf32 and -Best mean on a GPU.</summary>
internal static class CudaPrecision
{
    /// <summary>What float activations and weights are stored as. FP16 comes before BF16 where both are allowed: it is as fast and three bits more exact.</summary>
    public static DataType FloatStorage(BuildOptions options) => options.Fp16 || options.Best ? DataType.Float16 : options.Bf16 ? DataType.BFloat16 : DataType.Float32;

    public static bool Tf32(BuildOptions options) => options.Tf32 || options.Best;

    /// <summary>The precision of an engine that is not quantized.</summary>
    public static EnginePrecision Of(BuildOptions options) => FloatStorage(options) switch
    {
        DataType.Float16 => EnginePrecision.Fp16, DataType.BFloat16 => EnginePrecision.Bf16, _ => Tf32(options) ? EnginePrecision.Tf32 : EnginePrecision.Fp32,
    };

    /// <summary>What a layer of this precision stores; null for INT8, which Q/DQ decides.</summary>
    public static DataType? Storage(EnginePrecision precision) => precision switch
    {
        EnginePrecision.Fp16 => DataType.Float16, EnginePrecision.Bf16 => DataType.BFloat16, EnginePrecision.Int8 => null, _ => DataType.Float32,
    };
}
