using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>Computes a tensor's statistics.</summary>
public static class TensorStatistics
{
    /// <summary>True for a type whose elements are numbers here.</summary>
    public static bool Knows(DataType type) => type.IsFloatingPoint() || type.IsInteger() || type == DataType.Bool;

    /// <param name="bins">Bars of the histogram; 0 for none.</param>
    public static TensorStatistic Of(Tensor tensor, int bins = 10, string source = "")
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return Of(tensor.Name, tensor.Content, bins, source);
    }

    internal static TensorStatistic Of(string name, TensorData data, int bins, string source)
    {
        if (!Knows(data.Type))
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, $"Tensor '{name}'", $"its type is {data.Type}", "Numbers: floating point of 16 bits or more, integers of 8 bits or more, or Booleans", "Leave it out, or convert it first");
        }
        double[] all = data.ToDouble();
        long nan = 0, infinite = 0, zero = 0;
        int low = -1, high = -1, kept = 0;
        double sum = 0, magnitude = 0;
        double[] finite = new double[all.Length];
        for (int i = 0; i < all.Length; i++)
        {
            double value = all[i];
            if (!double.IsFinite(value))
            {
                if (double.IsNaN(value)) nan++;
                else infinite++;
                continue;
            }
            if (value == 0) zero++;
            if (low < 0 || value < all[low]) low = i;
            if (high < 0 || value > all[high]) high = i;
            sum += value;
            magnitude += Math.Abs(value);
            finite[kept++] = value;
        }
        Array.Resize(ref finite, kept);
        double mean = kept == 0 ? 0 : sum / kept, variance = 0;
        foreach (double value in finite) variance += (value - mean) * (value - mean);
        variance = kept == 0 ? 0 : variance / kept;
        Array.Sort(finite);
        return new TensorStatistic
        {
            Name = name, DataType = data.Type, Shape = data.Shape.ToArray(), ElementCount = data.ElementCount, Mean = mean, Variance = variance, StandardDeviation = Math.Sqrt(variance),
            Median = Quantile(finite, 0.5), Minimum = low < 0 ? 0 : all[low], MinimumAt = Index(low, data), Maximum = high < 0 ? 0 : all[high], MaximumAt = Index(high, data),
            MeanMagnitude = kept == 0 ? 0 : magnitude / kept, P90 = Quantile(finite, 0.90), P95 = Quantile(finite, 0.95), P99 = Quantile(finite, 0.99),
            NaNCount = nan, InfinityCount = infinite, ZeroCount = zero, Histogram = Bars(finite, bins), Source = source,
        };
    }

    /// <summary>The value below which the given share of the sorted values lies, interpolated as NumPy does by default.</summary>
    internal static double Quantile(ReadOnlySpan<double> sorted, double share)
    {
        if (sorted.Length == 0) return 0;
        double at = share * (sorted.Length - 1);
        int below = (int)Math.Floor(at), above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
    }

    internal static HistogramBin[] Bars(ReadOnlySpan<double> sorted, int bins)
    {
        if (bins <= 0 || sorted.Length == 0) return [];
        double low = sorted[0], high = sorted[^1];
        // All values equal: one unit around them, as NumPy does.
        if (low == high) (low, high) = (low - 0.5, high + 0.5);
        double width = (high - low) / bins;
        long[] counts = new long[bins];
        foreach (double value in sorted) counts[Math.Clamp((int)((value - low) / width), 0, bins - 1)]++;
        HistogramBin[] bars = new HistogramBin[bins];
        for (int i = 0; i < bins; i++) bars[i] = new HistogramBin(low + i * width, i == bins - 1 ? high : low + (i + 1) * width, counts[i]);
        return bars;
    }

    private static long[] Index(int flat, TensorData data)
    {
        if (flat < 0) return [];
        long[] index = new long[data.Rank];
        long left = flat;
        for (int d = data.Rank - 1; d >= 0; d--)
        {
            index[d] = left % data.Shape[d];
            left /= data.Shape[d];
        }
        return index;
    }
}
