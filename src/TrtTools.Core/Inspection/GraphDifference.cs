namespace TrtTools.Inspection;

/// <summary>What happened to a part of a graph.</summary>
public enum DifferenceKind
{
    /// <summary>Only the new graph has it.</summary>
    Added,

    /// <summary>Only the reference has it.</summary>
    Removed,

    /// <summary>Both have it, and it is not the same.</summary>
    Changed,

    /// <summary>It is the same under another name.</summary>
    Renamed,
}

/// <summary>What a difference is about.</summary>
public enum DifferencePart
{
    Node, Operator, Attribute, Connection, Weight, Input, Output, Opset, Function,
}

/// <summary>One difference between two graphs.</summary>
public sealed record GraphDifference
{
    public required DifferenceKind Kind { get; init; }

    public required DifferencePart Part { get; init; }

    /// <summary>The node's name in the new graph, in the reference when it was removed; for others the tensor's, domain's or function's.</summary>
    public required string Name { get; init; }

    /// <summary>The node's operator; empty when it is about no node.</summary>
    public string Operator { get; init; } = "";

    /// <summary>The attribute, the input's number, or the weight.</summary>
    public string Property { get; init; } = "";

    /// <summary>What the reference has.</summary>
    public string Reference { get; init; } = "";

    /// <summary>What the new graph has.</summary>
    public string Difference { get; init; } = "";

    /// <summary>The subgraph or function that it is in; empty for the main graph.</summary>
    public string Scope { get; init; } = "";

    /// <summary>For weights of one shape: the largest difference of two elements.</summary>
    public double? MaxAbsoluteDifference { get; init; }

    /// <summary>The new graph's model.</summary>
    public string Model { get; init; } = "";

    public override string ToString() => $"{Kind} {Part} {Name}{(Property.Length > 0 ? $" {Property}" : "")}{(Reference.Length + Difference.Length > 0 ? $": {Reference} → {Difference}" : "")}";
}
