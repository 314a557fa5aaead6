using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Quantization;

namespace TrtTools.Build;

/// <summary>What Build-Engine was asked for.</summary>
public sealed record BuildOptions
{
    /// <summary>The engine's name; the graph's when null.</summary>
    public string? Name { get; init; }

    public DeviceKind Device { get; init; } = DeviceKind.Auto;

    /// <summary>Number of the CUDA device.</summary>
    public int DeviceId { get; init; }

    public bool Fp16 { get; init; }

    public bool Bf16 { get; init; }

    public bool Tf32 { get; init; }

    public bool Int8 { get; init; }

    /// <summary>Every precision the device has; the fastest wins.</summary>
    public bool Best { get; init; }

    /// <summary>Scales for INT8.</summary>
    public CalibrationCache? CalibrationCache { get; init; }

    public CalibrationAlgorithm CalibrationAlgorithm { get; init; } = CalibrationAlgorithm.Entropy;

    /// <summary>Samples to calibrate with when there is no cache.</summary>
    public InputSource? CalibrationData { get; init; }

    /// <summary>Each profile: input name → range. Empty: shapes are free.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, ShapeRange>> OptimizationProfile { get; init; } = [];

    /// <summary>Fixes shapes of inputs.</summary>
    public IReadOnlyDictionary<string, long[]>? InputShape { get; init; }

    public string? TimingCachePath { get; init; }

    public string? TacticLockPath { get; init; }

    /// <summary>Bytes that a tactic may use as scratch memory; 0: no limit.</summary>
    public long WorkspaceLimit { get; init; }

    /// <summary>0 (quick build: nothing is timed) to 5 (every optimization).</summary>
    public int OptimizationLevel { get; init; } = 3;

    /// <summary>Seconds that timing may take; null: no limit.</summary>
    public double? TimeBudget { get; init; }

    /// <summary>Layer name or pattern → precision: the exact name wins, then the longest pattern.</summary>
    public IReadOnlyDictionary<string, EnginePrecision>? LayerPrecision { get; init; }

    /// <summary>Input → "Type:Layout", such as "UInt8:Nhwc": what the engine takes instead of the model's own.</summary>
    public IReadOnlyDictionary<string, string>? InputFormat { get; init; }

    /// <summary>Output → "Type:Layout": what the engine gives instead of the model's own.</summary>
    public IReadOnlyDictionary<string, string>? OutputFormat { get; init; }

    /// <summary>Generated kernels only, no library.</summary>
    public bool NoLibrary { get; init; }

    /// <summary>Whatever would be a warning about precision or device is an error.</summary>
    public bool Strict { get; init; }

    /// <summary>Builds for a GPU that need not be here: nothing is timed. For tests and for looking at plans.</summary>
    internal CudaTarget? Target { get; init; }
}

/// <summary>The shapes that an input may take in one optimization profile, and the one to tune for.</summary>
public sealed record ShapeRange(long[] Min, long[] Opt, long[] Max)
{
    public override string ToString() => $"[{string.Join(',', Min)}] … [{string.Join(',', Opt)}] … [{string.Join(',', Max)}]";
}
