using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>What changed between an operator's versions. Properties give null where a value is absent or only known at run time.</summary>
internal readonly partial struct OperatorView
{
    /// <summary>True from the version on in which this operator takes its axes as an input.</summary>
    private bool AxesAreInput => Node.OpType switch
    {
        "Squeeze" or "Unsqueeze" or "ReduceSum" => Opset >= 13,
        "Pad" => true,
        "Slice" => Opset >= 10,
        _ => Node.OpType.StartsWith("Reduce", StringComparison.Ordinal) && Opset >= 18,
    };

    private int AxesInput => Node.OpType switch { "Pad" or "Slice" => 3, _ => 1 };

    /// <summary>True when the node names axes at all, be they known or not.</summary>
    public bool HasAxes => AxesAreInput ? Has(AxesInput) : HasAttribute("axes");

    /// <summary>Axes of Squeeze, Unsqueeze, Reduce…, Slice and Pad, negative ones as written; null when not given or not constant (<see cref="HasAxes"/> tells).</summary>
    public long[]? Axes => AxesAreInput ? Integers(AxesInput) : Ints("axes");

    /// <summary>The axis of the operators that have one, with the version's own default.</summary>
    public long Axis => Int("axis", DefaultAxis);

    private long DefaultAxis => Node.OpType switch
    {
        "Softmax" or "LogSoftmax" or "Hardmax" => Opset >= 13 ? -1 : 1,
        "Concat" or "Flatten" => 1,
        "QuantizeLinear" or "DequantizeLinear" => 1,
        "LayerNormalization" or "RMSNormalization" or "SimplifiedLayerNormalization" or "OneHot" or "TopK" or "LpNormalization" => -1,
        "TensorScatter" => -2,
        _ => 0,
    };

    /// <summary>Softmax, LogSoftmax and Hardmax before opset 13 normalize over all axes from <see cref="Axis"/> on at once.</summary>
    public bool NormalizesTrailingAxes => Opset < 13;

    /// <summary>True when a reduction keeps the reduced axes with extent 1.</summary>
    public bool KeepsDimensions => Int("keepdims", 1) != 0;

    /// <summary>True when a reduction without axes does nothing, instead of reducing all.</summary>
    public bool IsNoOpWithoutAxes => Int("noop_with_empty_axes", 0) != 0;

    /// <summary>A Transpose's permutation; reversal of <paramref name="rank"/> axes when none is written.</summary>
    public int[] Permutation(int rank) => Ints("perm") is { } perm ? [.. perm.Select(p => (int)p)] : [.. Enumerable.Range(0, rank).Reverse()];

    /// <summary>Pad's amounts: before every axis, then after every axis (of <see cref="Axes"/>, if given).</summary>
    public long[]? PadAmounts => Opset >= 11 ? Integers(1) : Ints("pads") ?? Ints("paddings");

    /// <summary>The value Pad fills with; 0 when absent, null when only known at run time.</summary>
    public double? PadValue => Opset >= 11 ? Has(2) ? Number(2) : 0 : Float("value", 0);

    /// <summary>Clip's bounds. An open side is ∓∞; null where a bound is only known at run time.</summary>
    public (double? Min, double? Max) ClipBounds => Opset >= 11
        ? (Has(1) ? Number(1) : double.NegativeInfinity, Has(2) ? Number(2) : double.PositiveInfinity)
        : (Open(Float("min", float.MinValue)), Open(Float("max", float.MaxValue)));

    /// <summary>Sizes of Split's parts, when written; else it divides evenly by <see cref="SplitCount"/>.</summary>
    public long[]? SplitSizes => Opset >= 13 || (Opset < 2 && Has(1)) ? Integers(1) : Ints("split");

    public bool HasSplitSizes => Opset >= 13 || Opset < 2 ? Has(1) || HasAttribute("split") : HasAttribute("split");

    public int SplitCount => (int)Math.Clamp(Int("num_outputs", Node.Outputs.Count), 1, int.MaxValue);

    public long[]? SliceStarts => Opset >= 10 ? Integers(1) : Ints("starts");

    public long[]? SliceEnds => Opset >= 10 ? Integers(2) : Ints("ends");

    /// <summary>Slice's steps; null also when absent, which means 1.</summary>
    public long[]? SliceSteps => Opset >= 10 ? Integers(4) : null;

    /// <summary>How many TopK gives.</summary>
    public long? TopKCount => Opset >= 10 ? Integers(1) is [long k] ? k : null : Int("k", 0);

    /// <summary>Target of a Reshape, when constant.</summary>
    public long[]? ReshapeTarget => Opset >= 5 ? Integers(1) : Ints("shape");

    /// <summary>A Reshape's 0 means the extent 0, not the input's extent.</summary>
    public bool ZeroIsExtent => Int("allowzero", 0) != 0;

    /// <summary>True when Dropout passes its input through, as it does in inference.</summary>
    public bool IsDropoutInactive => Opset switch
    {
        >= 12 => !Has(2) || Integers(2) is [0] || Number(1) == 0,
        >= 7 => true,
        _ => Int("is_test", 0) != 0 || Float("ratio", 0.5f) == 0,
    };

    /// <summary>True when BatchNormalization uses the given mean and variance, not the batch's.</summary>
    public bool IsBatchNormalizationInference => Opset switch
    {
        >= 14 => Int("training_mode", 0) == 0,
        >= 7 => Node.Outputs.Skip(1).All(o => o is null),
        _ => Int("is_test", 0) != 0 && Int("spatial", 1) != 0,
    };

    /// <summary>The element type a Cast gives.</summary>
    public DataType CastTarget => Attribute("to") switch
    {
        { Content: long number } => (DataType)number,
        { Content: byte[] } named => ParseType(named.Text),
        _ => DataType.Undefined,
    };

    /// <summary>Where Resize and Upsample read their scales: the input's number, or null for an attribute or none.</summary>
    public int? ScalesInput => Node.OpType == "Upsample" ? Opset >= 9 ? 1 : null : Opset >= 11 ? Has(2) ? 2 : null : 1;

    /// <summary>Scales of Resize and Upsample (of <see cref="Axes"/> or all axes), when constant and given.</summary>
    public double[]? ResizeScales
    {
        get
        {
            if (Node.OpType == "Upsample" && Opset < 9)
            {
                return Floats("scales") is { } scales ? [.. scales.Select(s => (double)s)]
                    : HasAttribute("height_scale") ? [1, 1, Float("height_scale", 1), Float("width_scale", 1)] : null;
            }
            return ScalesInput is { } input && Numbers(input) is { Length: > 0 } numbers ? numbers : null;
        }
    }

    /// <summary>Resize's input that holds the target sizes; null before opset 11 and when absent.</summary>
    public int? SizesInput => Node.OpType == "Resize" && Opset >= 11 && Has(3) ? 3 : null;

    /// <summary>How Resize and Upsample map coordinates; the versions before 11 knew one way only.</summary>
    public string CoordinateMode => Opset < 11 ? "asymmetric" : String("coordinate_transformation_mode", "half_pixel");

    public string NearestMode => Opset < 11 ? "floor" : String("nearest_mode", "round_prefer_floor");

    /// <summary>Before opset 7, two-operand arithmetic broadcast only when asked to, and could align B at an axis of A.</summary>
    public long? LegacyBroadcastAxis => Opset < 7 && Int("broadcast", 0) != 0 && HasAttribute("axis") ? Int("axis", 0) : null;

    /// <summary>Epsilon of the normalizations, with each one's default.</summary>
    public float Epsilon => Float("epsilon", 1e-5f);

    private static double Open(float bound) => bound <= float.MinValue ? double.NegativeInfinity : bound >= float.MaxValue ? double.PositiveInfinity : bound;

    private static DataType ParseType(string name) => name.ToUpperInvariant() switch
    {
        "FLOAT" => DataType.Float32, "DOUBLE" => DataType.Float64,
        string other => Enum.TryParse(other, ignoreCase: true, out DataType type) ? type : DataType.Undefined,
    };
}
