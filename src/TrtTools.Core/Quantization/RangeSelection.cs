namespace TrtTools.Quantization;

/// <summary>Chooses the largest magnitude that INT8 keeps, from a tensor's histogram.</summary>
internal static class RangeSelection
{
    public const int Levels = 128;

    /// <summary>What a level counts for that holds only outliers moved there.</summary>
    private const double Trace = 1e-4;

    public static double Select(ActivationHistogram histogram, CalibrationAlgorithm algorithm, double percentile)
    {
        if (histogram.AbsoluteMax == 0) return 0;
        double chosen = algorithm switch
        {
            CalibrationAlgorithm.Entropy => Entropy(histogram),
            CalibrationAlgorithm.Percentile => Percentile(histogram, percentile),
            CalibrationAlgorithm.Mse => MeanSquaredError(histogram),
            _ => histogram.AbsoluteMax,
        };
        return Math.Min(chosen, histogram.AbsoluteMax);
    }

    /// <summary>The threshold whose 128 levels lose least of the distribution (Kullback-Leibler divergence): outliers are moved into the last bin
    /// kept, the kept bins are spread evenly within each level, and the two distributions are compared.</summary>
    /// <remarks>Within a level Q is constant over the bins in use, so the sum over bins becomes one over levels by prefix sums, and each of
    /// the 1,920 candidates costs 128 logarithms.</remarks>
    private static double Entropy(ActivationHistogram histogram)
    {
        ReadOnlySpan<long> bins = histogram.Bins;
        int used = LastUsed(bins) + 1;
        if (used <= Levels) return histogram.AbsoluteMax;
        long[] countBelow = new long[used + 1];
        int[] nonZeroBelow = new int[used + 1];
        double[] entropyBelow = new double[used + 1];
        for (int i = 0; i < used; i++)
        {
            countBelow[i + 1] = countBelow[i] + bins[i];
            nonZeroBelow[i + 1] = nonZeroBelow[i] + (bins[i] > 0 ? 1 : 0);
            entropyBelow[i + 1] = entropyBelow[i] + XLogX(bins[i]);
        }
        double total = countBelow[used];
        double best = double.PositiveInfinity;
        int bestEnd = used;
        for (int end = Levels; end <= used; end++)
        {
            double kept = countBelow[end];
            double outliers = total - kept;
            long last = bins[end - 1];
            if (kept == 0) continue;
            // Σ p log p with the outliers in the last bin.
            double divergence = entropyBelow[end - 1] + XLogX(last + outliers);
            for (int level = 0; level < Levels; level++)
            {
                int from = level * end / Levels, to = (level + 1) * end / Levels;
                double q = countBelow[to] - countBelow[from];
                int inUse = nonZeroBelow[to] - nonZeroBelow[from];
                double p = q;
                if (level == Levels - 1 && outliers > 0)
                {
                    p += outliers;
                    if (last == 0) inUse++;
                }
                if (p == 0) continue;
                // A gap before the outliers must cost much, but not everything.
                divergence -= p * Math.Log((q == 0 ? Trace : q) / inUse);
            }
            divergence = divergence / total - Math.Log(total) + Math.Log(kept);
            if (divergence < best) (best, bestEnd) = (divergence, end);
        }
        return (bestEnd + 0.5) * histogram.BinWidth;
    }

    private static double Percentile(ActivationHistogram histogram, double percentile)
    {
        ReadOnlySpan<long> bins = histogram.Bins;
        double wanted = histogram.Count * (percentile / 100);
        long seen = histogram.ZeroCount;
        for (int i = 0; i < bins.Length; i++)
        {
            seen += bins[i];
            if (bins[i] > 0 && seen >= wanted) return (i + 1) * histogram.BinWidth;
        }
        return histogram.AbsoluteMax;
    }

    private static double MeanSquaredError(ActivationHistogram histogram)
    {
        int used = LastUsed(histogram.Bins) + 1;
        double best = Noise(histogram, histogram.AbsoluteMax);
        double chosen = histogram.AbsoluteMax;
        const int Step = 16;
        for (int end = Step; end < used; end += Step) Try(end);
        int around = (int)Math.Round(chosen / histogram.BinWidth);
        for (int end = Math.Max(1, around - Step); end < Math.Min(used, around + Step); end++) Try(end);
        return chosen;

        void Try(int end)
        {
            double noise = Noise(histogram, end * histogram.BinWidth);
            if (noise < best) (best, chosen) = (noise, end * histogram.BinWidth);
        }
    }

    /// <summary>Sum of squared errors when magnitudes are rounded to multiples of threshold / 127 and cut at the threshold.</summary>
    public static double Noise(ActivationHistogram histogram, double threshold)
    {
        double step = threshold / 127, perStep = 127 / threshold, width = histogram.BinWidth;
        ReadOnlySpan<long> bins = histogram.Bins;
        double sum = 0;
        for (int i = 0; i < bins.Length; i++)
        {
            if (bins[i] == 0) continue;
            // Two points stand for the bin, at the places that give a uniform spread its variance.
            double a = (i + 0.21132486540518713) * width, b = (i + 0.7886751345948129) * width;
            double errorA = a - Math.Min(127, Math.Floor(a * perStep + 0.5)) * step, errorB = b - Math.Min(127, Math.Floor(b * perStep + 0.5)) * step;
            sum += bins[i] * 0.5 * (errorA * errorA + errorB * errorB);
        }
        return sum;
    }

    /// <summary>Sum of squares.</summary>
    public static double Signal(ActivationHistogram histogram)
    {
        double sum = 0, width = histogram.BinWidth;
        ReadOnlySpan<long> bins = histogram.Bins;
        for (int i = 0; i < bins.Length; i++)
        {
            double centre = (i + 0.5) * width;
            sum += bins[i] * (centre * centre + width * width / 12);
        }
        return sum;
    }

    /// <summary>The part of all elements whose magnitude exceeds the threshold, to the resolution of the bins.</summary>
    public static double ClippedFraction(ActivationHistogram histogram, double threshold)
    {
        // 127 times a scale rounded to float can fall just short of the magnitude that the scale was made of.
        if (threshold >= histogram.AbsoluteMax * (1 - 1e-6) || histogram.Count == 0) return 0;
        long clipped = 0;
        ReadOnlySpan<long> bins = histogram.Bins;
        for (int i = (int)Math.Ceiling(threshold / histogram.BinWidth); i < bins.Length; i++) clipped += bins[i];
        return (double)clipped / histogram.Count;
    }

    private static int LastUsed(ReadOnlySpan<long> bins)
    {
        int last = bins.Length - 1;
        while (last > 0 && bins[last] == 0) last--;
        return last;
    }

    private static double XLogX(double x) => x > 0 ? x * Math.Log(x) : 0;
}
