using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Types of a graph's values, where the file does not state them as inference finds them. The graph stays as it is, since others may be reading it;
/// nothing is inferred before a type is missing.</summary>
internal sealed class InferredTypes(OnnxGraph graph)
{
    private Dictionary<Graph, Graph>? _twins;

    public TensorType? Of(Value value)
    {
        if (value.Type is { DataType: not DataType.Undefined } declared) return declared;
        if (value.Data is { } data) return TensorType.Of(data);
        return (_twins ??= Infer()).GetValueOrDefault(value.Graph)?.Find(value.Name)?.Type;
    }

    private Dictionary<Graph, Graph> Infer()
    {
        OnnxGraph copy = graph.Copy();
        ShapeInference.Infer(copy);
        Dictionary<Graph, Graph> twins = [];
        foreach ((Graph own, Graph twin) in graph.Body.WithSubgraphs.Zip(copy.Body.WithSubgraphs)) twins.Add(own, twin);
        return twins;
    }
}
