namespace TrtTools.Audit;

/// <summary>A graph in numbers.</summary>
public sealed record GraphSummary
{
    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    public required string? Path { get; init; }

    /// <summary>Nodes, those of subgraphs included; a call of a function is one.</summary>
    public required int NodeCount { get; init; }

    /// <summary>Different operators.</summary>
    public required int OperatorCount { get; init; }

    /// <summary>Nodes of each operator, most frequent first: "Conv: 53".</summary>
    public required string[] Operators { get; init; }

    /// <summary>Numbers that training found: the elements of all constants but integers of 64 bits, Booleans and strings, which hold shapes, indices and texts.</summary>
    public required long Parameters { get; init; }

    /// <summary>Bytes of all constants.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Operations of one run, a multiply-add counting two. Of an If the costlier branch counts, of a Loop one round, unless its rounds are known.</summary>
    public required long Flops { get; init; }

    /// <summary>The most bytes that tensors alive at one time take, weights left out, when nodes run in the file's order.</summary>
    public required long PeakActivationBytes { get; init; }

    /// <summary>Operator sets, such as "ai.onnx: 17".</summary>
    public required string[] Opset { get; init; }

    public required string[] Inputs { get; init; }

    public required string[] Outputs { get; init; }

    /// <summary>Extents of tensors that neither the model nor the given input shapes decide; each counts as 1.</summary>
    public required int UnresolvedDimensions { get; init; }

    /// <summary>What to know of the numbers: extents that counted as 1, places where the graph contradicts itself.</summary>
    public required string[] Notes { get; init; }
}
