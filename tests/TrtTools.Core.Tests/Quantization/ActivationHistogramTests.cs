using CsCheck;
using TrtTools.Quantization;

namespace TrtTools.Tests.Quantization;

public sealed class ActivationHistogramTests
{
    private static readonly Gen<float[]> s_values = Gen.Select(Gen.Float[-1, 1], Gen.Int[-40, 40]).Select((m, e) => m * MathF.ScaleB(1, e)).Array[0, 60];

    private static ActivationHistogram Of(params IEnumerable<float[]> parts)
    {
        ActivationHistogram histogram = new();
        foreach (float[] part in parts) Assert.True(histogram.TryAdd(part));
        return histogram;
    }

    private static void Same(ActivationHistogram a, ActivationHistogram b)
    {
        Assert.Equal((a.Min, a.Max, a.AbsoluteMax, a.Count, a.ZeroCount, a.BinWidth), (b.Min, b.Max, b.AbsoluteMax, b.Count, b.ZeroCount, b.BinWidth));
        Assert.True(a.Bins.SequenceEqual(b.Bins));
    }

    [Fact]
    public void Neither_order_nor_division_matters() => Gen.Select(s_values.Array[1, 6], Gen.Int).Sample((parts, seed) =>
    {
        ActivationHistogram whole = Of([.. parts.SelectMany(p => p)]);
        Same(whole, Of(parts));
        Same(whole, Of([.. parts.Reverse()]));
        float[] shuffled = [.. parts.SelectMany(p => p)];
        new Random(seed).Shuffle(shuffled);
        Same(whole, Of(shuffled.Chunk(3)));
        ActivationHistogram left = Of(parts[..(parts.Length / 2)]), right = Of(parts[(parts.Length / 2)..]);
        right.Add(left);
        Same(whole, right);
    });

    [Fact]
    public void Every_value_is_counted_in_its_bin() => s_values.Sample(values =>
    {
        ActivationHistogram histogram = Of(values);
        long[] expected = new long[ActivationHistogram.BinCount];
        foreach (float v in values.Where(v => v != 0)) expected[(int)Math.Floor(Math.Abs((double)v) / histogram.BinWidth)]++;
        Assert.True(histogram.Bins.SequenceEqual(expected));
        Assert.Equal(values.Length, histogram.ZeroCount + expected.Sum());
    });

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void What_is_not_finite_is_refused_whole(float bad)
    {
        ActivationHistogram histogram = Of([1f, 2]);
        Assert.False(histogram.TryAdd([3, bad, 5]));
        Same(Of([1f, 2]), histogram);
    }

    [Fact]
    public void Extremes_are_held()
    {
        ActivationHistogram histogram = Of([float.MaxValue, -float.MaxValue, float.Epsilon, 0, -0f]);
        Assert.Equal(5, histogram.Count);
        Assert.Equal(2, histogram.ZeroCount);
        Assert.Equal(2, histogram.Bins[^1]);
        Assert.Equal(1, histogram.Bins[0]);
    }
}
