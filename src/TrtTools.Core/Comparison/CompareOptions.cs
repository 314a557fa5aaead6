using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Tensors;

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

    /// <summary>Expected outputs by name as the reference, for one sample.</summary>
    public IReadOnlyDictionary<string, Tensor>? Expected { get; init; }

    /// <summary>A graph as the reference, run by ONNX Runtime with its optimizations off.</summary>
    public OnnxGraph? ReferenceGraph { get; init; }

    /// <summary>The original model's file; the path that the engine remembers when null.</summary>
    public string? ModelPath { get; init; }

    /// <summary>Data to run on; made-up data when null.</summary>
    public InputSource? InputData { get; init; }

    /// <summary>Shapes of made-up data.</summary>
    public IReadOnlyDictionary<string, long[]>? InputShape { get; init; }

    public double? AbsoluteTolerance { get; init; }

    public double? RelativeTolerance { get; init; }

    /// <summary>What decides.</summary>
    public ComparatorKind Comparator { get; init; }

    /// <summary>The limit of L2, cosine, PSNR, SNR and index comparators; Polygraphy's when null.</summary>
    public double? Threshold { get; init; }

    /// <summary>The share of elements that <see cref="ComparatorKind.Quantile"/> looks at.</summary>
    public double Quantile { get; init; } = 0.99;

    /// <summary>Tolerances of single outputs, before those of all.</summary>
    public IReadOnlyDictionary<string, (double? Absolute, double? Relative)> OutputTolerances { get; init; } = new Dictionary<string, (double?, double?)>();

    /// <summary>Comparators of single outputs, before the one of all.</summary>
    public IReadOnlyDictionary<string, OutputComparator> OutputComparators { get; init; } = new Dictionary<string, OutputComparator>();

    /// <summary>An output with a NaN or an infinity fails, whatever the reference has there.</summary>
    public bool RequireFinite { get; init; }

    /// <summary>Outputs of another shape but as many elements are compared all the same.</summary>
    public bool IgnoreShape { get; init; }

    /// <summary>Compares the places of so many largest elements of each row instead of the elements; 0 for the elements.</summary>
    public int TopIndex { get; init; }

    /// <summary>A folder for pictures of the errors.</summary>
    public string? PlotPath { get; init; }

    /// <summary>Replaces existing pictures.</summary>
    public bool Force { get; init; }

    /// <summary>The K of top-K agreement.</summary>
    public int TopK { get; init; } = 5;

    /// <summary>What holds for one output.</summary>
    internal CompareOptions For(string output) => !OutputComparators.TryGetValue(output, out OutputComparator? own) ? this
        : this with { Comparator = own.Comparator, Threshold = own.Threshold, Quantile = own.Quantile ?? Quantile, TopIndex = own.TopIndex ?? TopIndex };
}

/// <summary>What decides on one output.</summary>
/// <param name="Threshold">The comparator's limit; its default when null.</param>
/// <param name="Quantile">The share of elements that Quantile looks at; that of all outputs when null.</param>
/// <param name="TopIndex">Compares the places of so many largest elements; as for all outputs when null.</param>
public sealed record OutputComparator(ComparatorKind Comparator, double? Threshold = null, double? Quantile = null, int? TopIndex = null);
