using TrtTools.Data;
using TrtTools.Execution;

namespace TrtTools.Comparison;

/// <summary>What to compare an engine with, on which data, and what passes.</summary>
/// <remarks>
/// Without tolerances, an FP32 output passes when every element is within 1e-4 of the output's scale (the reference's largest
/// magnitude): that is what reordered FP32 sums may differ. An INT8 output passes at a cosine of 0.99. Integers, Booleans and strings must be
/// equal in FP32, and equal in 99 % of the elements in INT8. With a tolerance given, every element must have |a - r| ≤ absolute + relative · |r|, at any precision.
/// </remarks>
public sealed record CompareOptions
{
    /// <summary>Another engine as the reference.</summary>
    public Engine? ReferenceEngine { get; init; }

    /// <summary>A file or folder of expected outputs as the reference: .npz, .npy, .pb, or a folder in the ONNX backend-test form, which brings its inputs.
    /// When neither is given, the reference is the original model in ONNX Runtime with optimizations off.</summary>
    public string? ExpectedPath { get; init; }

    /// <summary>The original model's file; the path that the engine remembers when null.</summary>
    public string? ModelPath { get; init; }

    /// <summary>Data to run on; made-up data when null.</summary>
    public InputSource? InputData { get; init; }

    /// <summary>Shapes of made-up data.</summary>
    public IReadOnlyDictionary<string, long[]>? InputShape { get; init; }

    public double? AbsoluteTolerance { get; init; }

    public double? RelativeTolerance { get; init; }

    /// <summary>The K of top-K agreement.</summary>
    public int TopK { get; init; } = 5;
}
