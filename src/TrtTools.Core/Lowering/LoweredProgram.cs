using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>A graph lowered to steps over storages; no device is chosen yet, nothing is compiled.</summary>
internal sealed class LoweredProgram
{
    public required string Name { get; init; }

    public required IReadOnlyList<TensorView> Inputs { get; init; }

    public required IReadOnlyList<TensorView> Outputs { get; init; }

    /// <summary>Where each symbol of the extents comes from.</summary>
    public required IReadOnlyList<SymbolSource> Symbols { get; init; }

    /// <summary>In an order that respects what they read and write.</summary>
    public required IReadOnlyList<LoweredStep> Steps { get; init; }

    /// <summary>What is worse than was asked, such as operators left to the CPU.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

/// <summary>A symbol is the actual extent of one axis of an input, or of what a host step gave.</summary>
internal sealed record SymbolSource(string Name, Storage Storage, int Axis);

internal abstract class LoweredStep
{
    public abstract string Name { get; }
}

/// <summary>A region, on the device.</summary>
internal sealed class RegionStep(Region region) : LoweredStep
{
    public Region Region { get; } = region;

    public override string Name => Region.Name;
}

/// <summary>Operators that no kernel computes: ONNX Runtime runs them on the CPU, between copies from and to the device.</summary>
internal sealed class HostGraphStep(string name, OnnxGraph graph, IReadOnlyList<TensorView> inputs, IReadOnlyList<TensorView> outputs) : LoweredStep
{
    public override string Name { get; } = name;

    /// <summary>Inputs and outputs in the order of the views.</summary>
    public OnnxGraph Graph { get; } = graph;

    /// <summary>Dense.</summary>
    public IReadOnlyList<TensorView> Inputs { get; } = inputs;

    /// <summary>Dense. Extents that only the run knows are symbols whose source is the view's storage; its element count is then a bound or unknown.</summary>
    public IReadOnlyList<TensorView> Outputs { get; } = outputs;

    /// <summary>Nodes of the imported model that it stands for.</summary>
    public IReadOnlyList<string> SourceNodes { get; init; } = [];
}
