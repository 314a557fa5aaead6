using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>One bar of a histogram: values from <see cref="From"/> up to <see cref="To"/>, the last bar's end included.</summary>
public sealed record HistogramBin(double From, double To, long Count)
{
    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{From:0.####} … {To:0.####}: {Count}");
}

/// <summary>A tensor's values in figures. NaNs and infinities are counted, and left out of everything else.</summary>
public sealed record TensorStatistic
{
    public required string Name { get; init; }

    public required DataType DataType { get; init; }

    public required long[] Shape { get; init; }

    public required long ElementCount { get; init; }

    public required double Mean { get; init; }

    /// <summary>Of the population: the square root of the variance.</summary>
    public required double StandardDeviation { get; init; }

    public required double Variance { get; init; }

    public required double Median { get; init; }

    public required double Minimum { get; init; }

    /// <summary>Index of the first smallest element.</summary>
    public required long[] MinimumAt { get; init; }

    public required double Maximum { get; init; }

    /// <summary>Index of the first largest element.</summary>
    public required long[] MaximumAt { get; init; }

    /// <summary>Mean of the absolute values.</summary>
    public required double MeanMagnitude { get; init; }

    public required double P90 { get; init; }

    public required double P95 { get; init; }

    public required double P99 { get; init; }

    public required long NaNCount { get; init; }

    public required long InfinityCount { get; init; }

    public required long ZeroCount { get; init; }

    public required HistogramBin[] Histogram { get; init; }

    /// <summary>The file or the model it is from, and for an activation the sample.</summary>
    public string Source { get; init; } = "";

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Name}: mean {Mean:0.####}, std {StandardDeviation:0.####}, {Minimum:0.####} … {Maximum:0.####}");
}
