using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>How large a graph's values get on samples of data.</summary>
internal static class ActivationRange
{
    /// <summary>The greatest finite absolute value of each tensor over all samples; one that is not finite counts as infinite.</summary>
    public static IReadOnlyDictionary<string, double> Measure(OnnxGraph graph, IEnumerable<string> tensors, InputSource data, CancellationToken stop)
    {
        OnnxGraph copy = graph.Copy();
        HashSet<string> given = [.. copy.Body.Outputs.Select(o => o.Name)];
        List<string> names = [.. tensors.Where(n => copy.Body.Find(n) is not null)];
        foreach (string name in names.Where(given.Add)) copy.Body.AddOutput(copy.Body.Find(name)!);
        Dictionary<string, double> ranges = names.ToDictionary(n => n, _ => 0.0, StringComparer.Ordinal);
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(copy), new OrtOptions { Optimization = OrtOptimization.None, Subject = graph.Name }, stop);
        foreach (IReadOnlyDictionary<string, Tensor> sample in data.Read(stop))
        {
            Dictionary<string, TensorData> inputs = sample.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
            foreach ((string name, TensorData values) in session.Run(inputs, names, stop))
            {
                double greatest = values.ElementCount == 0 ? 0 : values.ToDouble().Max(v => double.IsNaN(v) ? double.PositiveInfinity : Math.Abs(v));
                ranges[name] = Math.Max(ranges[name], greatest);
            }
        }
        return ranges;
    }
}
