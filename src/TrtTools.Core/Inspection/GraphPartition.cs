namespace TrtTools.Inspection;

/// <summary>A part of a graph whose nodes a target runs, or does not.</summary>
public sealed record GraphPartition
{
    /// <summary>Its number among the parts of its kind, in the order they run.</summary>
    public required int Index { get; init; }

    public required bool Supported { get; init; }

    public required int NodeCount { get; init; }

    /// <summary>The operators with their counts, most frequent first.</summary>
    public required string[] Operators { get; init; }

    /// <summary>Why the target does not run it; empty when it does.</summary>
    public required string[] Reasons { get; init; }

    public required string[] Inputs { get; init; }

    public required string[] Outputs { get; init; }

    public required string[] NodeNames { get; init; }

    public required Audit.SupportTarget Target { get; init; }

    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    /// <summary>The file it was written to.</summary>
    public string? Path { get; init; }
}
