using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Tensors;
using Tensor = TrtTools.Tensors.Tensor;

namespace TrtTools.Quantization;

/// <summary>The least and the greatest finite element that tensors take, by the tensors' names in the model file.</summary>
internal sealed class ActivationRanges
{
    /// <summary>More samples than this widen a range hardly any more.</summary>
    private const int MostSamples = 64;

    private readonly Dictionary<string, (double Min, double Max)> _ranges;

    private ActivationRanges(Dictionary<string, (double Min, double Max)> ranges, bool isSynthetic)
    {
        _ranges = ranges;
        IsSynthetic = isSynthetic;
    }

    /// <summary>Seen on made-up inputs.</summary>
    public bool IsSynthetic { get; }

    public int Count => _ranges.Count;

    /// <summary>What a calibration saw; a cache in TensorRT's text form says the largest magnitude kept alone.</summary>
    public static ActivationRanges Of(CalibrationCache cache)
    {
        Dictionary<string, (double, double)> ranges = new(StringComparer.Ordinal);
        foreach (TensorCalibration tensor in cache.Tensors)
        {
            double most = tensor.AbsoluteMax ?? 127.0 * tensor.Scale;
            ranges[tensor.Name] = (tensor.Min ?? -most, tensor.Max ?? most);
        }
        return new ActivationRanges(ranges, cache.IsSynthetic);
    }

    /// <summary>Runs the model over samples. Names fit the raw, the optimized and the fused graph.</summary>
    public static ActivationRanges Measure(OnnxGraph graph, InputSource data, Report report, CancellationToken stop)
    {
        OnnxGraph canonical = CanonicalGraph.Of(graph, stop);
        List<Value> wanted = CanonicalGraph.Activations(canonical);
        HashSet<string> inputs = [.. canonical.Body.Inputs.Select(i => i.Name)];
        Dictionary<string, (double Min, double Max)> seen = new(StringComparer.Ordinal);
        using (ActivationTap tap = new(canonical, wanted.Where(v => !inputs.Contains(v.Name)), new CalibrationOptions().ActivationLimitBytes, stop))
        {
            foreach (IReadOnlyDictionary<string, Tensor> named in data.Read(stop).Take(MostSamples))
            {
                Dictionary<string, TensorData> content = named.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
                Collect(seen, content, stop);
                foreach (IReadOnlyDictionary<string, TensorData> activations in tap.Run(content, stop)) Collect(seen, activations, stop);
            }
        }
        Dictionary<string, (double, double)> ranges = new(StringComparer.Ordinal);
        foreach (Value value in wanted.Where(v => seen.ContainsKey(v.Name)))
        {
            foreach (string name in CanonicalGraph.OriginalNames(value)) ranges.TryAdd(name, seen[value.Name]);
        }
        report.Verbose($"{graph.Name}: ranges of {ranges.Count} tensors were measured on {data.Description}.");
        return new ActivationRanges(ranges, data.IsSynthetic);
    }

    /// <summary>Null where nothing is known.</summary>
    public (double Min, double Max)? Find(Value value)
    {
        foreach (string name in CanonicalGraph.OriginalNames(value)) if (_ranges.TryGetValue(name, out (double, double) range)) return range;
        return null;
    }

    private static void Collect(Dictionary<string, (double Min, double Max)> seen, IReadOnlyDictionary<string, TensorData> tensors, CancellationToken stop)
    {
        Parallel.ForEach(tensors, new ParallelOptions { CancellationToken = stop }, pair =>
        {
            if (pair.Value.Type is not (DataType.Float32 or DataType.Float16) || pair.Value.ElementCount == 0) return;
            (double min, double max) = pair.Value.Type == DataType.Float32 ? Range(pair.Value.AsSpan<float>()) : Range(Widen(pair.Value));
            if (min > max) return;
            lock (seen) seen[pair.Key] = seen.TryGetValue(pair.Key, out (double Min, double Max) known) ? (Math.Min(known.Min, min), Math.Max(known.Max, max)) : (min, max);
        });
    }

    /// <summary>Of the finite elements: what is infinite in FP32 is so in FP16. The least is above the greatest where there are none.</summary>
    private static (double Min, double Max) Range(ReadOnlySpan<float> values)
    {
        float min = TensorPrimitives.Min(values), max = TensorPrimitives.Max(values);
        if (float.IsFinite(min) && float.IsFinite(max)) return (min, max);
        (min, max) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (float value in values)
        {
            if (!float.IsFinite(value)) continue;
            min = Math.Min(min, value);
            max = Math.Max(max, value);
        }
        return (min, max);
    }

    private static float[] Widen(TensorData data)
    {
        float[] wide = new float[data.ElementCount];
        TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(data.Bytes), wide);
        return wide;
    }
}
