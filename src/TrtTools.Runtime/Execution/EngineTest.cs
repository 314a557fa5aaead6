namespace TrtTools.Execution;

/// <summary>What Test-Engine found of one output.</summary>
public sealed record EngineTest
{
    /// <summary>The engine's name.</summary>
    public required string Name { get; init; }

    public required string? Path { get; init; }

    public required string Device { get; init; }

    public required string Precision { get; init; }

    public required string Output { get; init; }

    public required bool Passed { get; init; }

    /// <summary>Every bit is as it was where the engine was built.</summary>
    public required bool Identical { get; init; }

    /// <summary>Greatest difference of the elements that were kept, as a share of the output's scale.</summary>
    public required double MaxError { get; init; }

    /// <summary>What <see cref="MaxError"/> may be.</summary>
    public required double Tolerance { get; init; }

    /// <summary>What was held against what.</summary>
    public required string Reason { get; init; }

    public override string ToString() => $"{Name}, {Output}: {(Passed ? "passed" : "failed")} ({Reason})";
}
