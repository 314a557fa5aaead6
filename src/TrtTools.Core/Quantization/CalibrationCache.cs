namespace TrtTools.Quantization;

/// <summary>How calibration chooses a tensor's range: least Kullback-Leibler divergence, the whole range, a percentile of the
/// magnitudes, or least mean squared error.</summary>
public enum CalibrationAlgorithm { Entropy, MinMax, Percentile, Mse }

/// <summary>How to calibrate.</summary>
public sealed record CalibrationOptions
{
    public CalibrationAlgorithm Algorithm { get; init; } = CalibrationAlgorithm.Entropy;

    /// <summary>For <see cref="CalibrationAlgorithm.Percentile"/>: the part of the magnitudes, in percent, that is not clipped.</summary>
    public double Percentile { get; init; } = 99.99;

    /// <summary>The model's outputs should keep this signal to quantization noise, in dB: layers that cost them most stay in floating point until they
    /// do. 18 dB is a cosine of 0.992. 0 leaves the outputs unmeasured.</summary>
    public double OutputSqnr { get; init; } = 18;

    /// <summary>What the scales are for: the check of the outputs quantizes the same tensors.</summary>
    internal QuantizeOptions Form { get; init; } = new();

    /// <summary>Activations fetched at once; a model with more of them runs several times per sample.</summary>
    public long ActivationLimitBytes { get; init; } = 1L << 30;
}

/// <summary>One tensor's part of a calibration. What a cache in TensorRT's text form does not say is null.</summary>
public sealed record TensorCalibration
{
    /// <summary>The tensor's name in the model file.</summary>
    public required string Name { get; init; }

    public float? Min { get; init; }

    public float? Max { get; init; }

    /// <summary>The largest magnitude seen.</summary>
    public float? AbsoluteMax { get; init; }

    /// <summary>The largest magnitude kept, divided by 127; 0 for a tensor that was always zero.</summary>
    public required float Scale { get; init; }

    /// <summary>The part of all elements beyond the range kept.</summary>
    public double? ClippedFraction { get; init; }

    /// <summary>Signal to quantization noise in dB; null when unknown, or when there is no noise.</summary>
    public double? Sqnr { get; init; }

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Name}: {Scale}");
}

/// <summary>INT8 scales of a model's tensors, by the tensors' names in the model file.</summary>
public sealed class CalibrationCache
{
    private readonly Dictionary<string, TensorCalibration> _byName = new(StringComparer.Ordinal);

    internal CalibrationCache(IReadOnlyList<TensorCalibration> tensors)
    {
        Tensors = tensors;
        foreach (TensorCalibration tensor in tensors) _byName[tensor.Name] = tensor;
    }

    public CalibrationAlgorithm Algorithm { get; internal init; }

    /// <summary>Samples calibrated on; 0 when the cache's file does not say.</summary>
    public int SampleCount { get; internal init; }

    public IReadOnlyList<TensorCalibration> Tensors { get; }

    /// <summary>SHA-256 of the samples, whatever their order; empty when unknown.</summary>
    public string DataHash { get; internal init; } = "";

    /// <summary>SHA-256 of the model file, or of the serialized graph when it came from none; empty when unknown.</summary>
    public string GraphHash { get; internal init; } = "";

    /// <summary>True when the samples were made up, so that accuracy is not to be trusted.</summary>
    public bool IsSynthetic { get; internal init; }

    /// <summary>The model's name; empty when unknown.</summary>
    public string Model { get; internal init; } = "";

    /// <summary>Layers, by the tensors they make, that calibration found to cost the model's outputs too much in INT8; they stay in floating
    /// point. TensorRT's text form does not hold them.</summary>
    public IReadOnlyList<string> FloatLayers { get; internal init; } = [];

    /// <summary>Signal to noise of the model's outputs in INT8, in dB, of the worst output; null when it was not measured.</summary>
    public double? OutputSqnr { get; internal init; }

    /// <summary>The cache's file, or else the model's.</summary>
    public string? Path { get; internal init; }

    internal TensorCalibration? Find(string name) => _byName.GetValueOrDefault(name);

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Model} {Algorithm}: {Tensors.Count} tensors, {SampleCount} samples");
}
