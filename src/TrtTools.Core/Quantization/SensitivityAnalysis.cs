using System.Diagnostics;
using System.Globalization;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>Measures what INT8 does to a model's outputs, and finds the layers that must stay in floating point for them to be right.</summary>
/// <remarks>Noise of different layers adds up in the outputs, nearly. So each layer is quantized alone, and those that bring most noise are left out until
/// the sum, and then the model as a whole, is quiet enough.</remarks>
internal sealed class SensitivityAnalysis : IDisposable
{
    // A model too large for one run per layer keeps all its layers and gets a warning.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    private readonly OnnxGraph _graph;
    private readonly CalibrationCache _cache;
    private readonly IReadOnlyList<IReadOnlyDictionary<string, TensorData>> _samples;
    private readonly List<IReadOnlyDictionary<string, TensorData>> _expected = [];
    private readonly QuantizeOptions _form;
    private readonly CancellationToken _stop;

    private SensitivityAnalysis(OnnxGraph canonical, CalibrationCache cache, QuantizeOptions form, IReadOnlyList<IReadOnlyDictionary<string, TensorData>> samples, CancellationToken stop)
    {
        _graph = canonical.Copy();
        OpsetUplift.Apply(_graph);
        _cache = cache;
        _form = form;
        _samples = samples;
        _stop = stop;
        using OrtSession session = Open(_graph);
        foreach (IReadOnlyDictionary<string, TensorData> sample in samples) _expected.Add(session.Run(sample, null, stop));
    }

    /// <summary>The cache with <see cref="CalibrationCache.FloatLayers"/> and <see cref="CalibrationCache.OutputSqnr"/>.</summary>
    /// <param name="form">Which tensors would be quantized: what is measured is what will run.</param>
    public static CalibrationCache Complete(OnnxGraph canonical, CalibrationCache cache, QuantizeOptions form, IReadOnlyList<IReadOnlyDictionary<string, TensorData>> samples, double target, Report report, CancellationToken stop)
    {
        // Models that INT8 cannot be written into say so when it is asked for.
        if (canonical.OnnxOpset < 7) return cache;
        using SensitivityAnalysis analysis = new(canonical, cache, form, samples, stop);
        List<string> layers = analysis.Layers();
        if (layers.Count == 0) return cache;
        double reached = analysis.Measure(_ => true).Worst;
        HashSet<string> kept = new(StringComparer.Ordinal);
        if (reached < target) (kept, reached) = analysis.Search(layers, target, reached, report);
        report.Verbose(string.Create(CultureInfo.InvariantCulture, $"{cache.Model}: INT8 outputs keep {reached:F1} dB of signal to noise{(kept.Count > 0 ? $" with {kept.Count} of {layers.Count} layers in floating point" : "")}"));
        return new CalibrationCache(cache.Tensors)
        {
            Algorithm = cache.Algorithm, SampleCount = cache.SampleCount, DataHash = cache.DataHash, GraphHash = cache.GraphHash, IsSynthetic = cache.IsSynthetic,
            Model = cache.Model, Path = cache.Path, FloatLayers = [.. layers.Where(kept.Contains).SelectMany(analysis.Originals).Distinct(StringComparer.Ordinal)],
            OutputSqnr = double.IsFinite(reached) ? Math.Round(reached, 3) : null,
        };
    }

    private IReadOnlyList<string> Originals(string output) => CanonicalGraph.OriginalNames(_graph.Body.Find(output)!);

    /// <summary>The layers that INT8 is for, by output.</summary>
    private List<string> Layers() => [.. QuantizationPlan.Make(_graph, _cache, _form).Layers.Select(l => l.Node.Output()!.Name)];

    private (HashSet<string> Kept, double Reached) Search(List<string> layers, double target, double reached, Report report)
    {
        Stopwatch clock = Stopwatch.StartNew();
        Dictionary<string, double[]> noise = new(StringComparer.Ordinal);
        foreach (string layer in layers)
        {
            noise.Add(layer, Measure(l => l == layer).Noise);
            report.Progress("Measuring layers", string.Create(CultureInfo.InvariantCulture, $"layer {noise.Count} of {layers.Count}"), noise.Count / (double)layers.Count, clock.Elapsed * ((layers.Count - noise.Count) / (double)noise.Count));
            if (clock.Elapsed * (layers.Count / (double)noise.Count) > s_limit && clock.Elapsed > TimeSpan.FromSeconds(10))
            {
                report.Warning(string.Create(CultureInfo.InvariantCulture, $"{_cache.Model}: in INT8 its outputs keep {reached:F1} dB of signal to noise, less than {target:F0}; it has too many layers to find those that cause it."));
                return (new HashSet<string>(StringComparer.Ordinal), reached);
            }
        }
        // The worst output counts.
        List<string> order = [.. layers.OrderByDescending(l => noise[l].Max()).ThenBy(l => l, StringComparer.Ordinal)];
        double allowed = Math.Pow(10, -target / 10);
        int count = 0;
        while (count < order.Count && Enumerable.Range(0, noise[order[0]].Length).Any(o => order.Skip(count).Sum(l => noise[l][o]) > allowed)) count++;
        for (count = Math.Max(1, count); ; count += Math.Max(1, layers.Count / 16))
        {
            count = Math.Min(count, order.Count);
            HashSet<string> kept = new(order.Take(count), StringComparer.Ordinal);
            reached = count == order.Count ? double.PositiveInfinity : Measure(l => !kept.Contains(l)).Worst;
            if (reached >= target || count == order.Count) return (kept, reached);
        }
    }

    /// <summary>Noise over signal of each output, with some layers quantized, and the worst in dB.</summary>
    private (double[] Noise, double Worst) Measure(Func<string, bool> chosen)
    {
        _stop.ThrowIfCancellationRequested();
        OnnxGraph copy = _graph.Copy();
        new QuantizationWriter(copy, QuantizationPlan.Make(copy, _cache, _form with { OnlyLayer = n => chosen(n.Output()!.Name) }), cpuEncoding: false).Write();
        using OrtSession session = Open(copy);
        List<string> outputs = [.. copy.Body.Outputs.Select(o => o.Name).Distinct(StringComparer.Ordinal)];
        double[] signal = new double[outputs.Count], noise = new double[outputs.Count];
        for (int i = 0; i < _samples.Count; i++)
        {
            IReadOnlyDictionary<string, TensorData> actual = session.Run(_samples[i], null, _stop);
            for (int o = 0; o < outputs.Count; o++)
            {
                if (actual[outputs[o]].Type != DataType.Float32 || !actual[outputs[o]].Shape.SequenceEqual(_expected[i][outputs[o]].Shape)) continue;
                ReadOnlySpan<float> x = _expected[i][outputs[o]].AsSpan<float>(), y = actual[outputs[o]].AsSpan<float>();
                for (int k = 0; k < x.Length; k++)
                {
                    double difference = (double)x[k] - y[k];
                    signal[o] += (double)x[k] * x[k];
                    noise[o] += difference * difference;
                }
            }
        }
        double[] ratio = [.. signal.Zip(noise, (s, n) => n == 0 ? 0 : s == 0 ? 1 : n / s)];
        return (ratio, ratio.Max() > 0 ? -10 * Math.Log10(ratio.Max()) : double.PositiveInfinity);
    }

    private OrtSession Open(OnnxGraph graph) => OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Optimization = OrtOptimization.None, Subject = _cache.Model }, _stop);

    public void Dispose() => _graph.Dispose();
}
