using System.Globalization;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Quantization;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>Holds what each layer of an engine computes against the original model, and says where the error begins.</summary>
public static class LayerComparison
{
    private const long LimitBytes = 256 << 20;

    public static IReadOnlyList<LayerDifference> Compare(Engine engine, CompareOptions options, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(options);
        EngineComparison.CheckOptions(options);
        if (options.ReferenceEngine is not null || options.ExpectedPath is not null || options.Expected is not null) throw new TrtToolsException(ErrorCode.OptionInvalid, "Reference", "layers are compared with the original model only", "They take OnnxRuntime, a graph or an .onnx file", "Leave -Reference out");
        using OnnxGraph original = Original(engine, options, report, stop, out string model);
        using ILayerSource layers = string.Equals(engine.Device, "Cpu", StringComparison.Ordinal) ? HostLayerSource.Open(engine, original, report, stop) : DeviceLayerSource.Open(engine, original, report, stop);
        IReadOnlyList<LayerTap> taps = layers.Taps;
        EngineComparison.CheckNames(options, [.. taps.Select(t => t.Tensor)]);
        using ActivationTap reference = new(original, taps.Select(t => original.Body.Find(t.Tensor)!), LimitBytes, stop);
        Dictionary<string, OutputStatistics> statistics = taps.ToDictionary(t => t.Tensor, t => EngineComparison.StatisticsOf(t.Tensor, options), StringComparer.Ordinal);
        InputSource data = options.InputData ?? EngineComparison.Synthetic(engine, options, report);
        IReadOnlyList<InputInfo> described = InputInfo.Of(engine);
        int sample = 0;
        foreach (IReadOnlyDictionary<string, Tensor> inputs in data.Read(stop))
        {
            Dictionary<string, TensorData> given = inputs.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
            Dictionary<string, TensorData> outside = PreprocessingInside.Outside(inputs, described, [.. original.Inputs.Select(i => i.Name)]).ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
            int done = 0;
            foreach (IReadOnlyDictionary<string, TensorData> part in reference.Run(outside, stop))
            {
                // One group of tensors at a time, so that large models do not fill the memory.
                IReadOnlyDictionary<string, TensorData> mine = layers.Run(given, [.. part.Keys], stop);
                foreach ((string name, TensorData expected) in part) statistics[name].Add(mine[name], expected);
                done += part.Count;
                report.Progress("Comparing layers", string.Create(CultureInfo.InvariantCulture, $"{engine.Name}: sample {sample + 1}, {done} of {taps.Count} tensors"), data.Count is > 0 and long count ? (sample + (double)done / taps.Count) / count : double.NaN);
            }
            sample++;
        }
        if (sample == 0) throw new TrtToolsException(ErrorCode.DataNotFound, data.Description, "it holds no samples", "At least one is needed", "Give other input data");
        Dictionary<string, Verdict> verdicts = taps.ToDictionary(t => t.Tensor, t => Verdicts.Of(statistics[t.Tensor], options.For(t.Tensor), EngineComparison.IsExact(engine)), StringComparer.Ordinal);
        HashSet<string> begins = Begins(original, verdicts);
        if (options.PlotPath is { } folder)
        {
            foreach (LayerTap tap in taps.Where(t => verdicts[t.Tensor].Reason.Length > 0 && statistics[t.Tensor].FirstErrors.Length > 0)) ErrorPlot.Write(folder, statistics[tap.Tensor], $"{engine.Name} {tap.Tensor}", options.Force);
        }
        return [.. taps.Select(t => Describe(engine, t, statistics[t.Tensor], verdicts[t.Tensor], begins.Contains(t.Tensor), model))];
    }

    private static OnnxGraph Original(Engine engine, CompareOptions options, Report report, CancellationToken stop, out string model)
    {
        if (options.ReferenceGraph is { } graph)
        {
            model = graph.Name;
            return graph.Copy();
        }
        string path = options.ModelPath ?? engine.Provenance.ModelPath ?? throw new TrtToolsException(ErrorCode.ModelNotFound, $"The engine '{engine.Name}'", "it was built from a graph that came from no file", "It needs the ONNX file or the graph that it was built from", "Give -ModelPath, or the graph as -Reference");
        model = Path.GetFileName(path);
        return OnnxFile.Import(path, report, stop);
    }

    private static LayerDifference Describe(Engine engine, LayerTap tap, OutputStatistics found, Verdict verdict, bool begins, string model) => new()
    {
        Index = tap.Index, Layer = tap.Layer.Name, Kind = tap.Layer.Kind, Tensor = tap.Tensor, Passed = verdict.Reason.Length == 0, BeginsHere = begins, Reason = verdict.Reason, MaxAbsoluteError = found.Max,
        MeanAbsoluteError = found.Mean, Cosine = found.Cosine, Sqnr = found.Sqnr, Scale = found.Scale, HasNaN = found.HasNaN, HasInfinity = found.HasInfinity, Precision = tap.Layer.Precision,
        SourceNode = tap.Layer.SourceNode, SampleCount = found.Samples, Reference = $"ONNX Runtime on {model}", Model = engine.Model, Path = engine.Path,
    };

    /// <summary>Failing tensors on no way from another failing one. A tensor that was compared and passed ends a way: what it carries is good enough.</summary>
    private static HashSet<string> Begins(OnnxGraph original, Dictionary<string, Verdict> verdicts)
    {
        HashSet<Value> tainted = [];
        HashSet<string> begins = new(StringComparer.Ordinal);
        foreach (Node node in original.Body.Nodes)
        {
            bool before = Rewiring.ReadBy(node).Any(tainted.Contains);
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                bool known = verdicts.TryGetValue(output.Name, out Verdict? verdict);
                bool failed = known && verdict!.Reason.Length > 0;
                if (failed && !before) begins.Add(output.Name);
                if (failed || before && !known) tainted.Add(output);
            }
        }
        return begins;
    }
}
