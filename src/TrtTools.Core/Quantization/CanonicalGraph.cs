using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>The form in which a graph is calibrated and quantized, the same whether it comes raw, optimized or fused: functions expanded,
/// simplified by the default passes. Names in a cache are those of the model file.</summary>
internal static class CanonicalGraph
{
    public static OnnxGraph Of(OnnxGraph graph, CancellationToken stop)
    {
        OnnxGraph open = graph.Copy();
        FunctionInliner.Inline(open, static _ => true);
        OnnxGraph result = GraphOptimizer.Optimize(open, new OptimizeOptions(), Report.None, stop);
        result.History = graph.History;
        return result;
    }

    /// <summary>The names that a value goes by in the model file.</summary>
    public static IReadOnlyList<string> OriginalNames(Value value)
    {
        IReadOnlyList<string> names = value.Origin.TensorNames;
        return names.Count == 0 ? [value.Name] : names.Contains(value.Name, StringComparer.Ordinal) ? names : [.. names, value.Name];
    }

    /// <summary>The floating-point values of the main graph that depend on its inputs, inputs included.</summary>
    public static List<Value> Activations(OnnxGraph graph)
    {
        HashSet<Value> variable = [.. graph.Body.Inputs.Where(i => i.Data is null)];
        List<Value> result = [.. variable.Where(IsFloat)];
        foreach (Node node in graph.Body.Nodes)
        {
            if (!node.Subgraphs.Any() && !node.Inputs.Any(i => i is not null && variable.Contains(i))) continue;
            foreach (Value? output in node.Outputs)
            {
                if (output is null) continue;
                variable.Add(output);
                // Nothing known of its type: ONNX Runtime will say.
                if (output.Type is null || IsFloat(output)) result.Add(output);
            }
        }
        return result;

        static bool IsFloat(Value value) => value.Type?.DataType is DataType.Float32 or DataType.Float16;
    }
}
