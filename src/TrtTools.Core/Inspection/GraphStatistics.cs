using System.Globalization;
using TrtTools.Data;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Quantization;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Inspection;

/// <summary>Statistics of a graph's weights, and of what its nodes compute.</summary>
public static class GraphStatistics
{
    private const long LimitBytes = 256 << 20;

    /// <summary>One record for each initializer and Constant whose name <paramref name="wanted"/> takes; what holds no numbers is left out.</summary>
    public static IEnumerable<TensorStatistic> OfWeights(OnnxGraph graph, Func<string, bool> wanted, int bins)
    {
        ArgumentNullException.ThrowIfNull(graph);
        foreach (Value value in graph.Body.WithSubgraphs.SelectMany(g => g.Values))
        {
            if ((value.Data ?? ConstantReader.Read(value)) is { } data && TensorStatistics.Knows(data.Type) && wanted(value.Name)) yield return TensorStatistics.Of(value.Name, data, bins, graph.Name);
        }
    }

    /// <summary>One record for each sample and each tensor that a node of the main graph computes, in ONNX Runtime with its optimizations off.</summary>
    public static IEnumerable<TensorStatistic> OfActivations(OnnxGraph graph, InputSource data, Func<string, bool> wanted, int bins, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(data);
        using OnnxGraph copy = graph.Copy();
        ShapeInference.Infer(copy);
        List<Value> tensors = [.. copy.Body.Nodes.SelectMany(n => n.Outputs).OfType<Value>().Where(v => v.Type is { } type && TensorStatistics.Knows(type.DataType) && ConstantReader.Read(v) is null && wanted(v.Name))];
        if (tensors.Count == 0) yield break;
        using ActivationTap tap = new(copy, tensors, LimitBytes, stop);
        int sample = 0;
        foreach (IReadOnlyDictionary<string, Tensor> inputs in data.Read(stop))
        {
            string source = string.Create(CultureInfo.InvariantCulture, $"{graph.Name}, sample {sample}");
            report.Progress("Capturing", source, data.Count is > 0 and long count ? Math.Min(1, (double)sample / count) : double.NaN);
            Dictionary<string, TensorData> given = inputs.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
            foreach (IReadOnlyDictionary<string, TensorData> part in tap.Run(given, stop))
            {
                foreach ((string name, TensorData activation) in part) yield return TensorStatistics.Of(name, activation, bins, source);
            }
            sample++;
        }
        if (sample == 0) throw new TrtToolsException(ErrorCode.DataNotFound, data.Description, "it holds no samples", "At least one is needed", "Give other input data");
    }
}
