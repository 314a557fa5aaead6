using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>How INT8 is written into a graph.</summary>
public sealed record QuantizeOptions
{
    /// <summary>Layers whose signal to quantization noise is lower, in dB, stay in floating point.</summary>
    public double SqnrThreshold { get; init; } = 10;

    /// <summary>Says of a layer's name that it stays in floating point.</summary>
    internal Func<string, bool> FloatLayer { get; init; } = static _ => false;

    /// <summary>When set, only these layers are quantized.</summary>
    internal Func<Node, bool>? OnlyLayer { get; init; }

    /// <summary>Writes what ONNX Runtime's CPU kernels run fastest instead of what TensorRT accepts: the same scales on unsigned
    /// activations, and biases as INT32.</summary>
    internal bool CpuEncoding { get; init; }

    /// <summary>Quantizes what a GPU reads and writes in INT8, and no more: a layer ends in INT8 where INT8 is read, the sum of a residual is not rounded before the other term is
    /// added, and layers for which tensor cores have no integers stay in floating point.</summary>
    internal bool ForDevice { get; init; }

    /// <summary>Layers that make the model's results stay in floating point.</summary>
    internal bool FloatResults { get; init; }
}

/// <summary>Writes INT8 into graphs as QuantizeLinear and DequantizeLinear.</summary>
public static class Quantizer
{
    /// <summary>A copy of the graph, simplified, whose layers with weights run on INT8: signed, zero point 0, activations per tensor, weights per channel.</summary>
    public static OnnxGraph Quantize(OnnxGraph graph, CalibrationCache cache, QuantizeOptions options, Report report, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(cache);
        if (HasQuantization(graph))
        {
            report.Warning($"{graph.Name}: it has QuantizeLinear and DequantizeLinear already; they stay as they are and the calibration cache is not used.");
            return graph.Copy();
        }
        OnnxGraph result = CanonicalGraph.Of(graph, stop);
        if (OpsetUplift.Apply(result)) report.Verbose($"{graph.Name}: raised to opset {OpsetUplift.Target}, for scales per channel");
        QuantizationPlan plan = QuantizationPlan.Make(result, cache, options);
        if (plan.Layers.Count == 0 && plan.Missing.Count > 0)
        {
            throw new TrtToolsException(ErrorCode.CalibrationCacheInvalid, cache.Path ?? cache.Model, $"it holds no scale for any layer of {graph.Name}", $"A cache of this model, with names such as '{plan.Missing.First()}'", "Calibrate this model");
        }
        Warn(graph, cache, result, plan, report);
        QuantizationWriter writer = new(result, plan, options.CpuEncoding);
        writer.Write();
        report.Verbose(string.Create(CultureInfo.InvariantCulture, $"{graph.Name}: {plan.Layers.Count} layers in INT8, {plan.Tensors.Count} tensors quantized"));
        string kept = plan.FloatLayers.Count == 0 ? "" : $"; in floating point: {string.Join(", ", plan.FloatLayers.Select(f => $"{f.Layer} ({f.Reason})"))}";
        return result.WithHistory("Quantize", string.Create(CultureInfo.InvariantCulture, $"{cache.Algorithm}, {plan.Layers.Count} layers in INT8{kept}"));
    }

    /// <summary>True when the graph has QuantizeLinear or DequantizeLinear, or operators on quantized numbers.</summary>
    public static bool HasQuantization(OnnxGraph graph) => graph.Body.NodesWithSubgraphs.Concat(graph.FunctionTable.Values.SelectMany(f => f.Body.NodesWithSubgraphs))
        .Any(n => n.OpType is "QuantizeLinear" or "DequantizeLinear" or "QLinearConv" or "QLinearMatMul" or "ConvInteger" or "MatMulInteger" or "DynamicQuantizeLinear");

    private static void Warn(OnnxGraph graph, CalibrationCache cache, OnnxGraph result, QuantizationPlan plan, Report report)
    {
        if (plan.Missing.Count > 0) report.Warning($"{graph.Name}: the calibration cache holds no scale for {Names(plan.Missing)}; what reads or makes them stays in floating point.");
        List<(string Layer, string Reason)> noisy = plan.FloatLayers.FindAll(f => f.Reason == QuantizationPlan.Sensitive || f.Reason.StartsWith("SQNR", StringComparison.Ordinal));
        if (noisy.Count > 0) report.Warning($"{graph.Name}: {Names([.. noisy.Select(f => $"{f.Layer} ({f.Reason})")])} would lose too much in INT8 and stay in floating point.");
        HashSet<string> known = [.. result.Body.Values.SelectMany(CanonicalGraph.OriginalNames)];
        List<string> strange = [.. cache.Tensors.Select(t => t.Name).Where(n => !known.Contains(n))];
        if (strange.Count > 0) report.Verbose($"{graph.Name}: {Names(strange)} of the calibration cache are no tensors of the simplified graph.");
    }

    private static string Names(IReadOnlyCollection<string> names) => string.Join(", ", names.Take(10).Select(n => $"'{n}'")) + (names.Count > 10 ? string.Create(CultureInfo.InvariantCulture, $" and {names.Count - 10} more") : "");
}
