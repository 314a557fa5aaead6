using TrtTools.Onnx.Proto;

namespace TrtTools.Onnx;

/// <summary>Keeps what a file said of tensors by name when the names change.</summary>
internal static class RemainderNames
{
    /// <summary>A body's remainder under new names; null stays null. Messages are shared by copies of the graph, so changed ones are new.</summary>
    public static object? Renamed(object? remainder, IReadOnlyDictionary<string, string> names)
    {
        if (remainder is not GraphRemainder graph) return remainder;
        GraphProto husk = graph.Husk;
        if (husk.QuantizationAnnotation.Any(a => names.ContainsKey(a.TensorName) || a.QuantParameterTensorNames.Any(p => names.ContainsKey(p.Value))))
        {
            husk = husk.Clone();
            foreach (TensorAnnotation annotation in husk.QuantizationAnnotation)
            {
                if (names.TryGetValue(annotation.TensorName, out string? name)) annotation.TensorName = name;
                foreach (StringStringEntryProto parameter in annotation.QuantParameterTensorNames)
                {
                    if (names.TryGetValue(parameter.Value, out string? tensor)) parameter.Value = tensor;
                }
            }
        }
        List<ValueInfoProto> outputs = [];
        foreach (ValueInfoProto output in graph.Outputs)
        {
            if (!names.TryGetValue(output.Name, out string? name))
            {
                outputs.Add(output);
                continue;
            }
            ValueInfoProto copy = output.Clone();
            copy.Name = name;
            outputs.Add(copy);
        }
        return graph with { Husk = husk, Outputs = outputs };
    }
}
