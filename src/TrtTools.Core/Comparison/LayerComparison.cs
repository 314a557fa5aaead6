using System.Globalization;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Onnx;
using TrtTools.Ort;
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
        if (options.ReferenceEngine is not null || options.ExpectedPath is not null) throw new TrtToolsException(ErrorCode.OptionInvalid, "Reference", "layers are compared with the original model only", "OnnxRuntime or an .onnx file", "Leave -Reference out");
        if (!string.Equals(engine.Device, "Cpu", StringComparison.Ordinal)) throw new TrtToolsException(ErrorCode.DeviceUnsupported, $"The engine '{engine.Name}'", $"it runs on {engine.Device}", "A CPU engine, whose layers can be looked into", "Build one with -Device Cpu");
        string path = options.ModelPath ?? engine.Provenance.ModelPath ?? throw new TrtToolsException(ErrorCode.ModelNotFound, $"The engine '{engine.Name}'", "it was built from a graph that came from no file", "The ONNX file that it was built from", "Give -ModelPath");
        using OnnxGraph original = OnnxFile.Import(path, report, stop);
        (IReadOnlyList<LayerTap> taps, OnnxGraph running) = LayerTaps.Find(engine, original, report, stop);
        using OnnxGraph tapped = running;
        EngineComparison.CheckNames(options, [.. taps.Select(t => t.Tensor)]);
        using ActivationTap reference = new(original, taps.Select(t => original.Body.Find(t.Tensor)!), LimitBytes, stop);
        OrtOptions settings = OnnxRuntimeHost.OptionsOf(engine.StepRequest.Settings, engine.Name, profile: false);
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(tapped), settings, stop);
        Dictionary<string, LayerTap> byTensor = taps.ToDictionary(t => t.Tensor, StringComparer.Ordinal);
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
                IReadOnlyDictionary<string, TensorData> mine = session.Run(given, [.. part.Keys.Select(n => byTensor[n].EngineValue).Distinct(StringComparer.Ordinal)], stop);
                foreach ((string name, TensorData expected) in part) statistics[name].Add(mine[byTensor[name].EngineValue], expected);
                done += part.Count;
                report.Progress("Comparing layers", string.Create(CultureInfo.InvariantCulture, $"{engine.Name}: sample {sample + 1}, {done} of {taps.Count} tensors"), data.Count is > 0 and long count ? (sample + (double)done / taps.Count) / count : double.NaN);
            }
            sample++;
        }
        if (sample == 0) throw new TrtToolsException(ErrorCode.DataNotFound, data.Description, "it holds no samples", "At least one", "Give other input data");
        Dictionary<string, Verdict> verdicts = taps.ToDictionary(t => t.Tensor, t => Verdicts.Of(statistics[t.Tensor], options.For(t.Tensor), EngineComparison.IsExact(engine)), StringComparer.Ordinal);
        HashSet<string> begins = Begins(original, verdicts);
        return [.. taps.Select(t => Describe(engine, t, statistics[t.Tensor], verdicts[t.Tensor], begins.Contains(t.Tensor), Path.GetFileName(path)))];
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
