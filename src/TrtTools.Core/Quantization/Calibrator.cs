using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>Finds INT8 scales for a model's activations by running it over samples, once.</summary>
public static class Calibrator
{
    /// <summary>Names in the result are those of the model file, so it fits the raw, the optimized and the fused graph.</summary>
    public static CalibrationCache Calibrate(OnnxGraph graph, InputSource data, CalibrationOptions options, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(data);
        if (options.Percentile is not (> 0 and <= 100)) throw new TrtToolsException(ErrorCode.OptionInvalid, "Percentile", $"it is {options.Percentile.ToString(CultureInfo.InvariantCulture)}", "More than 0, at most 100", "A usual value is 99.99");
        OnnxGraph canonical = CanonicalGraph.Of(graph, stop);
        List<Value> wanted = CanonicalGraph.Activations(canonical);
        if (wanted.Count == 0) throw new TrtToolsException(ErrorCode.OptionInvalid, graph.Name, "the model computes nothing in floating point from its inputs", "", "It needs no calibration");
        HashSet<string> inputs = [.. canonical.Body.Inputs.Select(i => i.Name)];
        Dictionary<string, ActivationHistogram> histograms = wanted.ToDictionary(v => v.Name, _ => new ActivationHistogram(), StringComparer.Ordinal);
        report.Verbose(string.Create(CultureInfo.InvariantCulture, $"Calibrating {wanted.Count} tensors of {graph.Name} on {data.Description}"));
        DataHash hash = new();
        SampleChoice specimens = new();
        int sample = 0;
        Stopwatch clock = Stopwatch.StartNew();
        using (ActivationTap tap = new(canonical, wanted.Where(v => !inputs.Contains(v.Name)), options.ActivationLimitBytes, stop))
        {
            foreach (IReadOnlyDictionary<string, Tensor> named in data.Read(stop))
            {
                stop.ThrowIfCancellationRequested();
                Dictionary<string, TensorData> content = named.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
                specimens.Offer(hash.Add(content), content);
                Collect(histograms, content, sample, isInput: true, stop);
                foreach (IReadOnlyDictionary<string, TensorData> activations in tap.Run(content, stop)) Collect(histograms, activations, sample, isInput: false, stop);
                sample++;
                double fraction = data.Count is > 0 and long count ? Math.Min(1, sample / (double)count) : double.NaN;
                report.Progress("Calibrating", string.Create(CultureInfo.InvariantCulture, $"sample {sample}{(data.Count is { } all ? $" of {all}" : "")}"), fraction,
                    double.IsNaN(fraction) ? null : clock.Elapsed * ((1 - fraction) / fraction));
            }
        }
        if (sample == 0) throw new TrtToolsException(ErrorCode.CalibrationDataInvalid, data.Description, "it gave no samples", "At least one, better a hundred", "Check the path or the script block");
        if (data.IsSynthetic) report.Warning($"{graph.Name}: calibrated on synthetic data; the scales are good for timing, and accuracy is not to be trusted.");
        IReadOnlyList<TensorCalibration> tensors = Summarize(wanted, histograms, options, stop);
        report.Verbose(string.Create(CultureInfo.InvariantCulture, $"Calibrated {graph.Name} on {sample} samples in {clock.Elapsed.TotalSeconds:F1} s"));
        CalibrationCache cache = new(tensors)
        {
            Algorithm = options.Algorithm, SampleCount = sample, DataHash = hash.ToString(), GraphHash = DataHash.OfGraph(graph),
            IsSynthetic = data.IsSynthetic, Model = graph.Name, Path = graph.Path,
        };
        return options.OutputSqnr > 0 && !Quantizer.HasQuantization(graph) ? SensitivityAnalysis.Complete(canonical, cache, options.Form, specimens.Samples, options.OutputSqnr, report, stop) : cache;
    }

    private static void Collect(Dictionary<string, ActivationHistogram> histograms, IReadOnlyDictionary<string, TensorData> tensors, int sample, bool isInput, CancellationToken stop)
    {
        ConcurrentBag<string> bad = [];
        Parallel.ForEach(tensors, new ParallelOptions { CancellationToken = stop }, pair =>
        {
            if (!histograms.TryGetValue(pair.Key, out ActivationHistogram? histogram)) return;
            TensorData data = pair.Value;
            bool finite = data.Type switch
            {
                DataType.Float32 => histogram.TryAdd(data.AsSpan<float>()),
                DataType.Float16 => histogram.TryAdd(Widen(data)),
                _ => true,
            };
            if (!finite) bad.Add(pair.Key);
        });
        if (bad.IsEmpty) return;
        // In the order of the graph the first one is the cause of the others.
        string first = histograms.Keys.First(bad.Contains);
        throw new TrtToolsException(ErrorCode.CalibrationDataInvalid, string.Create(CultureInfo.InvariantCulture, $"Tensor '{first}', sample {sample + 1}"),
            isInput ? "the data holds NaN or an infinity" : "the model computes NaN or an infinity", "Finite numbers",
            isInput ? "Take the sample out, or mend it" : "Check that the data is scaled as the model wants it (preprocessing), and take the sample out if it is");
    }

    private static float[] Widen(TensorData data)
    {
        float[] wide = new float[data.ElementCount];
        System.Numerics.Tensors.TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(data.Bytes), wide);
        return wide;
    }

    private static TensorCalibration[] Summarize(List<Value> wanted, Dictionary<string, ActivationHistogram> histograms, CalibrationOptions options, CancellationToken stop)
    {
        // A type that was unknown turned out to be no float, or the model did not compute it.
        List<Value> seen = wanted.FindAll(v => histograms[v.Name].Count > 0);
        TensorCalibration[] all = new TensorCalibration[seen.Count];
        Parallel.For(0, seen.Count, new ParallelOptions { CancellationToken = stop }, i => all[i] = Summarize(seen[i].Name, histograms[seen[i].Name], options));
        Dictionary<string, TensorCalibration> byName = new(StringComparer.Ordinal);
        for (int i = 0; i < all.Length; i++)
        {
            foreach (string name in CanonicalGraph.OriginalNames(seen[i])) byName.TryAdd(name, all[i] with { Name = name });
        }
        return [.. byName.Values];
    }

    internal static TensorCalibration Summarize(string name, ActivationHistogram histogram, CalibrationOptions options)
    {
        double threshold = RangeSelection.Select(histogram, options.Algorithm, options.Percentile);
        float scale = (float)(threshold / 127);
        double? sqnr = null;
        if (scale > 0)
        {
            double noise = RangeSelection.Noise(histogram, scale * 127.0), signal = RangeSelection.Signal(histogram);
            if (noise > 0) sqnr = Math.Round(10 * Math.Log10(signal / noise), 3);
        }
        return new TensorCalibration
        {
            Name = name, Min = histogram.Min, Max = histogram.Max, AbsoluteMax = histogram.AbsoluteMax, Scale = scale,
            ClippedFraction = RangeSelection.ClippedFraction(histogram, scale * 127.0), Sqnr = sqnr,
        };
    }
}
