using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Types of a graph's values: as the file states them, else as inference finds them. The graph stays as it is, since others may be reading it.</summary>
internal sealed class InferredTypes(OnnxGraph graph)
{
    private ShapeWalk? _walk;

    /// <summary>Nothing is inferred before a type is missing.</summary>
    public TensorType? Of(Value value)
    {
        if (value.Type is { DataType: not DataType.Undefined } declared) return declared;
        if (value.Data is { } data) return TensorType.Of(data);
        return Inferred(value);
    }

    /// <summary>As inference finds it, with what the file states where inference knows less.</summary>
    public TensorType? Inferred(Value value) => Walk.TypeOf(value) is { DataType: not DataType.Undefined } found ? found : null;

    /// <summary>Infers at once, for a graph that changes afterwards.</summary>
    public InferredTypes Now()
    {
        _ = Walk;
        return this;
    }

    private ShapeWalk Walk
    {
        get
        {
            if (_walk is not null) return _walk;
            // Without Commit it writes nothing to the graph.
            ShapeWalk walk = new(graph, null);
            walk.Run();
            return _walk = walk;
        }
    }
}
