using System.Collections.Specialized;
using TrtTools.Build;
using TrtTools.Data;

namespace TrtTools.Debugging;

/// <summary>Which sets of layers are tried.</summary>
public enum PrecisionSearchMode
{
    /// <summary>Any set, the most sensitive layers first; none of it can be missed.</summary>
    Layer,

    /// <summary>The first N.</summary>
    Forward,

    /// <summary>The last N.</summary>
    Backward,
}

/// <summary>What Debug-EnginePrecision is asked for.</summary>
public sealed record PrecisionSearchOptions
{
    /// <summary>The build in the low precision. What its LayerPrecision says holds in every build.</summary>
    public required BuildOptions Build { get; init; }

    public PrecisionSearchMode Mode { get; init; }

    /// <summary>The first sample shows how sensitive layers are; made up when null.</summary>
    public InputSource? InputData { get; init; }

    /// <summary>Checks at most; 0: no limit.</summary>
    public int MaximumCheck { get; init; }

    public string? ReplayPath { get; init; }

    public string CheckText { get; init; } = "";
}

/// <summary>The layers that must stay in FP32 for a check to pass.</summary>
public sealed record PrecisionFinding
{
    public required string Model { get; init; }

    public required string? Path { get; init; }

    /// <summary>The precision of the other layers.</summary>
    public required string Precision { get; init; }

    /// <summary>Node → Fp32, as Build-Engine -LayerPrecision takes it.</summary>
    public required OrderedDictionary LayerPrecision { get; init; }

    /// <summary>All layers that ran in the low precision, in the order they run.</summary>
    public required LayerNeed[] Layer { get; init; }

    public required int KeptCount { get; init; }

    public required int LayerCount { get; init; }

    public required int CheckCount { get; init; }

    /// <summary>Why the check failed with no layer kept.</summary>
    public required string Reason { get; init; }

    /// <summary>False when the limit of checks ended the search: fewer layers might do.</summary>
    public required bool Complete { get; init; }

    public required DebugCheck[] Check { get; init; }
}

/// <summary>One layer of a precision search.</summary>
public sealed record LayerNeed
{
    public required int Index { get; init; }

    public required string Layer { get; init; }

    public required string Kind { get; init; }

    /// <summary>The precision it runs in unless it is kept.</summary>
    public required string Precision { get; init; }

    /// <summary>It must stay in FP32.</summary>
    public required bool KeepFp32 { get; init; }

    /// <summary>Signal to noise of the model's worst output in dB when this layer alone is rounded, on the CPU; null where it was not measured.</summary>
    public required double? Sensitivity { get; init; }

    public required string[] SourceNode { get; init; }

    public string Model { get; init; } = "";
}
