namespace TrtTools.Comparison;

/// <summary>How far one output of an engine lies from its reference, over all samples.</summary>
public sealed record OutputComparison
{
    /// <summary>The output's name.</summary>
    public required string Output { get; init; }

    /// <summary>Every element is within tolerance, and NaN and infinities stand where the reference has them.</summary>
    public required bool Passed { get; init; }

    /// <summary>What the output was held against, and why it did not pass.</summary>
    public required string Reason { get; init; }

    public required double MaxAbsoluteError { get; init; }

    public required double MeanAbsoluteError { get; init; }

    public required double MedianAbsoluteError { get; init; }

    /// <summary>Error over the reference's magnitude, elements under a millionth of the output's scale left out.</summary>
    public required double MaxRelativeError { get; init; }

    public required double MeanRelativeError { get; init; }

    public required double MedianRelativeError { get; init; }

    /// <summary>Cosine of the angle between output and reference; 1 when they point the same way.</summary>
    public required double Cosine { get; init; }

    /// <summary>Peak signal to noise ratio in dB, the peak being the reference's range.</summary>
    public required double Psnr { get; init; }

    /// <summary>Signal to quantization noise ratio in dB.</summary>
    public required double Sqnr { get; init; }

    /// <summary>The length of the difference, all samples taken as one vector.</summary>
    public double L2 { get; init; }

    /// <summary>Share of rows along the last axis whose largest element is at the same place.</summary>
    public required double Top1Agreement { get; init; }

    /// <summary>Mean share of the K largest elements of each row that both have.</summary>
    public required double TopKAgreement { get; init; }

    /// <summary>The engine gave a NaN.</summary>
    public required bool HasNaN { get; init; }

    /// <summary>The engine gave an infinity.</summary>
    public required bool HasInfinity { get; init; }

    /// <summary>The largest magnitude in the reference: "scale" of the default tolerance.</summary>
    public required double Scale { get; init; }

    /// <summary>What decided.</summary>
    public ComparatorKind Comparator { get; init; }

    /// <summary>The limit of L2, cosine, PSNR, SNR and index comparators, the share of the quantile; else 0.</summary>
    public double Threshold { get; init; }

    public required double AbsoluteTolerance { get; init; }

    public required double RelativeTolerance { get; init; }

    /// <summary>The least cosine that passes; 0 where elements decide.</summary>
    public required double CosineTolerance { get; init; }

    public required long ElementCount { get; init; }

    public required int SampleCount { get; init; }

    /// <summary>What it was compared with.</summary>
    public required string Reference { get; init; }

    public string Model { get; init; } = "";

    public string? Path { get; init; }

    public string Device { get; init; } = "";

    public string Precision { get; init; } = "";
}
