using TrtTools.Tensors;

namespace TrtTools.Passes;

/// <summary>What Optimize-OnnxGraph is asked for.</summary>
public sealed record OptimizeOptions
{
    /// <summary>Inputs that become constants, by name.</summary>
    public IReadOnlyDictionary<string, Tensor>? InputValue { get; init; }

    /// <summary>Only these passes run.</summary>
    public IReadOnlyList<string>? Pass { get; init; }

    public IReadOnlyList<string>? ExcludePass { get; init; }

    /// <summary>The last pass of the list that runs.</summary>
    public string? StopAfter { get; init; }

    /// <summary>Runs the model after each pass and takes back a pass that changes results.</summary>
    public bool Verify { get; init; }
}
