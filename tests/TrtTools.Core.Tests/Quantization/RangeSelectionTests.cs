using TrtTools.Quantization;

namespace TrtTools.Tests.Quantization;

public sealed class RangeSelectionTests
{
    private static ActivationHistogram Normal(int count, params float[] outliers)
    {
        Random random = new(1);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        ActivationHistogram histogram = new();
        histogram.TryAdd(values);
        histogram.TryAdd(outliers);
        return histogram;
    }

    /// <summary>The definition, bin by bin.</summary>
    private static double PlainEntropy(ActivationHistogram histogram)
    {
        double[] counts = [.. histogram.Bins.ToArray().Select(c => (double)c)];
        int used = Array.FindLastIndex(counts, c => c > 0) + 1;
        (double best, int end) = (double.PositiveInfinity, used);
        for (int i = 128; i <= used; i++)
        {
            double[] p = counts[..i];
            p[^1] += counts[i..].Sum();
            double[] q = new double[i];
            for (int level = 0; level < 128; level++)
            {
                int from = level * i / 128, to = (level + 1) * i / 128;
                double sum = counts[from..to].Sum();
                int inUse = p[from..to].Count(c => c > 0);
                for (int b = from; b < to; b++) q[b] = p[b] > 0 ? (sum > 0 ? sum : 1e-4) / inUse : 0;
            }
            double divergence = 0, total = p.Sum(), kept = counts[..i].Sum();
            for (int b = 0; b < i; b++)
            {
                if (p[b] > 0) divergence += p[b] / total * Math.Log(p[b] / total / (q[b] / kept));
            }
            if (divergence < best - 1e-12) (best, end) = (divergence, i);
        }
        return Math.Min(histogram.AbsoluteMax, (end + 0.5) * histogram.BinWidth);
    }

    [Fact]
    public void Entropy_equals_its_definition()
    {
        foreach (ActivationHistogram histogram in new[] { Normal(3000), Normal(2000, 40), Normal(500, 8, 8.5f, 9) })
            Assert.Equal(PlainEntropy(histogram), RangeSelection.Select(histogram, CalibrationAlgorithm.Entropy, 0), 1e-9);
    }

    [Fact]
    public void Outliers_are_cut_but_by_MinMax()
    {
        ActivationHistogram histogram = Normal(100_000, 200);
        Assert.Equal(200, RangeSelection.Select(histogram, CalibrationAlgorithm.MinMax, 0));
        foreach (CalibrationAlgorithm algorithm in new[] { CalibrationAlgorithm.Entropy, CalibrationAlgorithm.Percentile, CalibrationAlgorithm.Mse })
            Assert.InRange(RangeSelection.Select(histogram, algorithm, 99.99), 2, 150);
    }

    [Fact]
    public void Percentile_keeps_the_part_asked_for()
    {
        ActivationHistogram histogram = new();
        histogram.TryAdd([.. Enumerable.Range(1, 1000).Select(i => (float)i)]);
        Assert.InRange(RangeSelection.Select(histogram, CalibrationAlgorithm.Percentile, 90), 900, 901);
        Assert.Equal(1000, RangeSelection.Select(histogram, CalibrationAlgorithm.Percentile, 100));
        Assert.InRange(RangeSelection.ClippedFraction(histogram, 900), 0.099, 0.102);
    }

    [Fact]
    public void Mse_is_no_worse_than_any_other()
    {
        ActivationHistogram histogram = Normal(20_000, 30);
        double mse = RangeSelection.Noise(histogram, RangeSelection.Select(histogram, CalibrationAlgorithm.Mse, 0));
        foreach (CalibrationAlgorithm other in Enum.GetValues<CalibrationAlgorithm>())
            Assert.True(mse <= RangeSelection.Noise(histogram, RangeSelection.Select(histogram, other, 99.9)) * 1.0001);
    }

    [Fact]
    public void A_tensor_of_zeros_has_no_range()
    {
        ActivationHistogram histogram = new();
        histogram.TryAdd(new float[10]);
        Assert.All(Enum.GetValues<CalibrationAlgorithm>(), a => Assert.Equal(0, RangeSelection.Select(histogram, a, 99.99)));
    }

    [Fact]
    public void A_uniform_spread_has_the_noise_of_its_step()
    {
        ActivationHistogram histogram = new();
        histogram.TryAdd([.. Enumerable.Range(1, 1 << 20).Select(i => i / 1048576f)]);
        double step = 1.0 / 127;
        Assert.Equal(step * step / 12, RangeSelection.Noise(histogram, 1) / histogram.Count, step * step / 1000);
    }
}
