using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>What lowering may choose.</summary>
internal sealed record LoweringOptions
{
    /// <summary>What float activations between regions and float weights are stored as: Float32, Float16 or BFloat16. Scalars are computed in float whatever this says,
    /// and the model's inputs and outputs keep their types.</summary>
    public DataType FloatStorage { get; init; } = DataType.Float32;

    /// <summary>Rank-4 float activations stand channels last in memory. Logical indices stay N, C, H, W.</summary>
    public bool ChannelsLast { get; init; }

    /// <summary>The storage type of what a layer computes, by the names of the imported model's nodes that it stands for; null: <see cref="FloatStorage"/>.</summary>
    public Func<IReadOnlyList<string>, DataType?>? Precision { get; init; }

    /// <summary>Largest shape of each dynamic input, over all profiles.</summary>
    public IReadOnlyDictionary<string, long[]>? MaxShapes { get; init; }

    /// <summary>An operator that no kernel computes is an error instead of a step on the CPU.</summary>
    public bool Strict { get; init; }

    /// <summary>False leaves one region for each operator: the slow, plain program that the fused one must equal.</summary>
    public bool Fuse { get; init; } = true;
}
