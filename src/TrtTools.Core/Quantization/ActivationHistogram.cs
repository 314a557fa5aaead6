using System.Numerics.Tensors;

namespace TrtTools.Quantization;

/// <summary>What calibration keeps of one tensor: its range, and how often each magnitude occurs. The 2,048 bins are as wide as a power of two.
/// When the range grows, neighbouring bins merge, which is exact; so the result depends neither on the order of the data nor on how it is divided.</summary>
internal sealed class ActivationHistogram
{
    public const int BinCount = 2048;

    // 2^-110 · 2048 is far below any activation that matters, and its reciprocal is a normal float.
    private const int SmallestExponent = -110;

    private long[] _bins = new long[BinCount];
    private int _exponent = SmallestExponent;

    public float Min { get; private set; } = float.PositiveInfinity;

    public float Max { get; private set; } = float.NegativeInfinity;

    public float AbsoluteMax { get; private set; }

    /// <summary>Exact zeros; they are in no bin, since quantization keeps them.</summary>
    public long ZeroCount { get; private set; }

    /// <summary>All elements seen.</summary>
    public long Count { get; private set; }

    /// <summary>How often |x| lies in [i, i+1) times <see cref="BinWidth"/>, zeros apart.</summary>
    public ReadOnlySpan<long> Bins => _bins;

    public double BinWidth => Math.ScaleB(1, _exponent);

    /// <summary>Adds values. False, and nothing is added, when one of them is NaN or infinite.</summary>
    public bool TryAdd(ReadOnlySpan<float> values)
    {
        if (values.IsEmpty) return true;
        float largest = MathF.Abs(TensorPrimitives.MaxMagnitude(values));
        if (!float.IsFinite(largest)) return false;
        Min = MathF.Min(Min, TensorPrimitives.Min(values));
        Max = MathF.Max(Max, TensorPrimitives.Max(values));
        AbsoluteMax = MathF.Max(AbsoluteMax, largest);
        Count += values.Length;
        Grow(largest);
        float perBin = (float)Math.ScaleB(1, -_exponent);
        long[] bins = _bins;
        long zeros = 0;
        foreach (float value in values)
        {
            // The product is exact (a power of two), so the bin is the floor of the true quotient.
            if (value == 0) zeros++;
            else bins[(int)(MathF.Abs(value) * perBin)]++;
        }
        ZeroCount += zeros;
        return true;
    }

    /// <summary>Adds what another histogram has seen.</summary>
    public void Add(ActivationHistogram other)
    {
        if (other.Count == 0) return;
        Min = MathF.Min(Min, other.Min);
        Max = MathF.Max(Max, other.Max);
        AbsoluteMax = MathF.Max(AbsoluteMax, other.AbsoluteMax);
        Count += other.Count;
        ZeroCount += other.ZeroCount;
        Grow(other.AbsoluteMax);
        int shift = Math.Min(31, _exponent - other._exponent);
        for (int i = 0; i < BinCount; i++) _bins[i >> shift] += other._bins[i];
    }

    /// <summary>Widens the bins until <paramref name="largest"/> has one.</summary>
    private void Grow(float largest)
    {
        if (largest == 0) return;
        // 2^10 ≤ largest / 2^exponent < 2^11.
        int needed = Math.Max(SmallestExponent, Math.ILogB(largest) - 10);
        int shift = needed - _exponent;
        if (shift <= 0) return;
        long[] merged = new long[BinCount];
        for (int i = 0; i < BinCount; i++) merged[shift > 30 ? 0 : i >> shift] += _bins[i];
        _bins = merged;
        _exponent = needed;
    }
}
