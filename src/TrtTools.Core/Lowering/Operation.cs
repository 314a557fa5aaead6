using TrtTools.Ir;

namespace TrtTools.Lowering;

/// <summary>A region in the making, or nodes left to the host.</summary>
internal sealed class Operation
{
    public required RegionKind Kind { get; set; }

    /// <summary>Operators as users know them, in the order they compute.</summary>
    public required List<string> Operators { get; init; }

    public List<LoopNest> Nests { get; init; } = [];

    public object? Facts { get; set; }

    /// <summary>See <see cref="Region.Sequence"/>.</summary>
    public Axis? Sequence { get; init; }

    public IReadOnlyList<string> SourceNodes { get; set; } = [];

    /// <summary>Storage type of float results, where the layer's own differs from the program's.</summary>
    public Tensors.DataType? Precision { get; set; }

    /// <summary>A map that only gives its source another shape, elements in the same order.</summary>
    public bool KeepsOrder { get; set; }

    /// <summary>Nodes that the host runs; empty for a region.</summary>
    public List<Node> HostNodes { get; init; } = [];

    /// <summary>What host nodes read and write.</summary>
    public List<(Value Value, LoweredValue Lowered)> HostInputs { get; init; } = [];

    public List<(Value Value, LoweredValue Lowered)> HostOutputs { get; init; } = [];

    /// <summary>Where those stand, once storages are assigned.</summary>
    public IReadOnlyList<TensorView>? InputViews { get; set; }

    public IReadOnlyList<TensorView>? OutputViews { get; set; }

    /// <summary>See <see cref="Region.Values"/>.</summary>
    public List<LayerValue> Values { get; } = [];

    public bool IsHost => HostNodes.Count > 0;

    public override string ToString() => string.Join(" + ", Operators);
}
