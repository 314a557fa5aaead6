using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>What ConvertTo-OnnxPrecision was asked for.</summary>
public sealed record PrecisionOptions
{
    /// <summary>Float16, BFloat16 or Float32.</summary>
    public DataType Precision { get; init; } = DataType.Float16;

    /// <summary>Operators that keep the model's precision: names or patterns, with a domain or without.</summary>
    public IReadOnlyList<string> KeepOperator { get; init; } = [];

    /// <summary>Nodes that keep the model's precision: names or patterns.</summary>
    public IReadOnlyList<string> KeepNode { get; init; } = [];

    /// <summary>The model's inputs and outputs are converted too, instead of being cast at the border.</summary>
    public bool Interface { get; init; }

    /// <summary>Samples that show how large activations get: a node whose result would overflow keeps the model's precision.</summary>
    public InputSource? RangeData { get; init; }
}
