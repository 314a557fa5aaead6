namespace TrtTools.Comparison;

/// <summary>How far what one layer of an engine computes lies from the same tensor of the original model.</summary>
public sealed record LayerDifference
{
    /// <summary>Place among the engine's layers, in the order they run.</summary>
    public required int Index { get; init; }

    public required string Layer { get; init; }

    public required string Kind { get; init; }

    /// <summary>The tensor of the original model.</summary>
    public required string Tensor { get; init; }

    public required bool Passed { get; init; }

    /// <summary>It does not pass, and everything it reads that was compared does: the error comes from here.</summary>
    public required bool BeginsHere { get; init; }

    /// <summary>Why it does not pass.</summary>
    public required string Reason { get; init; }

    public required double MaxAbsoluteError { get; init; }

    public required double MeanAbsoluteError { get; init; }

    public required double Cosine { get; init; }

    /// <summary>Signal to noise ratio in dB.</summary>
    public required double Sqnr { get; init; }

    /// <summary>The greatest magnitude in the reference.</summary>
    public required double Scale { get; init; }

    public required bool HasNaN { get; init; }

    public required bool HasInfinity { get; init; }

    public required string Precision { get; init; }

    /// <summary>The nodes of the original model that the layer stands for.</summary>
    public required string[] SourceNode { get; init; }

    public required int SampleCount { get; init; }

    public required string Reference { get; init; }

    public string Model { get; init; } = "";

    public string? Path { get; init; }
}
