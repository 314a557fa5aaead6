using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>Gathers the differences of one output over samples.</summary>
internal sealed class OutputStatistics(string name, int topK, double relativeTolerance, double absoluteTolerance = 0, int? indexTolerance = null)
{
    /// <summary>Errors kept for the medians; past it every second is dropped, then every fourth…</summary>
    private const int MaxKept = 1 << 22;

    private readonly List<(float Error, float Magnitude)> _pairs = [];
    private int _stride = 1;
    private long _seen, _rows, _top1;
    private double _sumError, _sumSquare, _sumReference, _sumEngine, _sumProduct, _topK;
    private double _low = double.PositiveInfinity, _high = double.NegativeInfinity;

    public string Name { get; } = name;

    public long Elements { get; private set; }

    public int Samples { get; private set; }

    public long Finite { get; private set; }

    public double Max { get; private set; }

    /// <summary>The largest error less what the relative tolerance allows.</summary>
    public double Excess { get; private set; } = double.NegativeInfinity;

    public double Scale { get; private set; }

    public bool HasNaN { get; private set; }

    public bool HasInfinity { get; private set; }

    /// <summary>Places where one side has a NaN or an infinity and the other has not the same.</summary>
    public long Misplaced { get; private set; }

    /// <summary>Elements that are not equal.</summary>
    public long Unequal { get; private set; }

    public bool IsFloating { get; private set; }

    /// <summary>Elements whose error is over both tolerances.</summary>
    public long Exceeding { get; private set; }

    /// <summary>Indices that stand too far from their place.</summary>
    public long IndexErrors { get; private set; }

    /// <summary>Error and reference's magnitude of elements; of very many, every second or fourth …</summary>
    public IReadOnlyList<(float Error, float Magnitude)> Pairs => _pairs;

    /// <summary>The first sample's errors, and their shape.</summary>
    public double[] FirstErrors { get; private set; } = [];

    public long[] FirstShape { get; private set; } = [];

    /// <summary>Another type or shape than the reference's; nothing else counts then.</summary>
    public string? Mismatch { get; private set; }

    public void Add(TensorData engine, TensorData reference)
    {
        Samples++;
        if (!engine.Shape.SequenceEqual(reference.Shape))
        {
            Mismatch ??= $"the engine gave {engine}, the reference {reference}";
            return;
        }
        if (engine.Type == DataType.String || reference.Type == DataType.String)
        {
            if (engine.Type != reference.Type)
            {
                Mismatch ??= $"the engine gave {engine}, the reference {reference}";
                return;
            }
            for (int i = 0; i < engine.Strings.Length; i++) Unequal += string.Equals(engine.Strings[i], reference.Strings[i], StringComparison.Ordinal) ? 0 : 1;
            Elements += engine.Strings.Length;
            return;
        }
        if (indexTolerance is { } places) IndexErrors += TopIndices.Misplaced(engine, reference, places);
        IsFloating |= reference.Type.IsFloatingPoint();
        double[] a = engine.ToDouble(), r = reference.ToDouble();
        if (Samples == 1)
        {
            FirstShape = engine.Shape.ToArray();
            FirstErrors = new double[a.Length];
            for (int i = 0; i < a.Length; i++) FirstErrors[i] = a[i].Equals(r[i]) ? 0 : Math.Abs(a[i] - r[i]);
        }
        for (int i = 0; i < a.Length; i++) Add(a[i], r[i]);
        Elements += a.Length;
        if (engine.Rank > 0 && engine.Shape[^1] > 1) AddRows(a, r, checked((int)engine.Shape[^1]));
    }

    private void Add(double a, double r)
    {
        HasNaN |= double.IsNaN(a);
        HasInfinity |= double.IsInfinity(a);
        if (a != r && !(double.IsNaN(a) && double.IsNaN(r))) Unequal++;
        if (!double.IsFinite(a) || !double.IsFinite(r))
        {
            if (!a.Equals(r))
            {
                Misplaced++;
                Exceeding++;
            }
            return;
        }
        Finite++;
        double error = Math.Abs(a - r), magnitude = Math.Abs(r);
        Max = Math.Max(Max, error);
        Scale = Math.Max(Scale, magnitude);
        _low = Math.Min(_low, r);
        _high = Math.Max(_high, r);
        _sumError += error;
        _sumSquare += error * error;
        _sumReference += r * r;
        _sumEngine += a * a;
        _sumProduct += a * r;
        if (_seen++ % _stride == 0)
        {
            _pairs.Add(((float)error, (float)magnitude));
            if (_pairs.Count == MaxKept) Thin();
        }
        if (error > absoluteTolerance && error > relativeTolerance * magnitude) Exceeding++;
        Excess = Math.Max(Excess, error - relativeTolerance * magnitude);
    }

    private void Thin()
    {
        int kept = 0;
        for (int i = 0; i < _pairs.Count; i += 2, kept++) _pairs[kept] = _pairs[i];
        _pairs.RemoveRange(kept, _pairs.Count - kept);
        _stride *= 2;
    }

    private void AddRows(double[] a, double[] r, int width)
    {
        int k = Math.Min(topK, width);
        for (int start = 0; start < a.Length; start += width)
        {
            ReadOnlySpan<double> x = a.AsSpan(start, width), y = r.AsSpan(start, width);
            _rows++;
            // The engine's choice counts when the reference holds it for as large as its own: ties are no disagreement.
            if (y[IndexOfMax(x)] >= y[IndexOfMax(y)] || a.AsSpan(start, width).SequenceEqual(y)) _top1++;
            _topK += TopOverlap(x, y, k);
        }
    }

    private static int IndexOfMax(ReadOnlySpan<double> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best]) best = i;
        }
        return best;
    }

    private static double TopOverlap(ReadOnlySpan<double> x, ReadOnlySpan<double> y, int k)
    {
        if (k >= x.Length) return 1;
        Span<int> best = k <= 64 ? stackalloc int[k] : new int[k];
        int count = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int at = count;
            while (at > 0 && x[best[at - 1]] < x[i]) at--;
            if (at >= k) continue;
            if (count < k) count++;
            for (int j = count - 1; j > at; j--) best[j] = best[j - 1];
            best[at] = i;
        }
        // The k-th largest of the reference: everything from it on belongs to its top k, ties too.
        double[] sorted = y.ToArray();
        Array.Sort(sorted);
        double threshold = sorted[^k];
        int agree = 0;
        foreach (int i in best[..count])
        {
            if (y[i] >= threshold) agree++;
        }
        return (double)agree / k;
    }

    public double Mean => Finite == 0 ? 0 : _sumError / Finite;

    public double Median => MedianOf([.. _pairs.Select(p => (double)p.Error)]);

    /// <summary>Error over magnitude, elements under a millionth of the scale left out.</summary>
    public double[] RelativeErrors()
    {
        double least = Scale * 1e-6;
        return [.. _pairs.Where(p => p.Magnitude > least && p.Magnitude > 0).Select(p => (double)p.Error / p.Magnitude)];
    }

    public static double MedianOf(double[] values)
    {
        if (values.Length == 0) return 0;
        Array.Sort(values);
        int half = values.Length / 2;
        return values.Length % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    }

    public double[] AbsoluteErrors() => [.. _pairs.Select(p => (double)p.Error)];

    /// <summary>The length of the difference, all samples taken as one vector.</summary>
    public double L2 => Math.Sqrt(_sumSquare);

    public double Cosine => _sumReference == 0 && _sumEngine == 0 ? 1 : _sumReference == 0 || _sumEngine == 0 ? 0 : Math.Min(1, _sumProduct / Math.Sqrt(_sumReference * _sumEngine));

    public double Sqnr => Decibel(_sumReference, _sumSquare);

    public double Psnr => Finite == 0 ? double.PositiveInfinity : Decibel((_high - _low) * (_high - _low), _sumSquare / Finite);

    public double Top1 => _rows == 0 ? 1 : (double)_top1 / _rows;

    public double TopK => _rows == 0 ? 1 : _topK / _rows;

    private static double Decibel(double signal, double noise) => noise == 0 ? double.PositiveInfinity : signal == 0 ? double.NegativeInfinity : 10 * Math.Log10(signal / noise);
}
