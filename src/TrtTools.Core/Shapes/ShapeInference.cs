using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Shapes;

/// <summary>Finds types and shapes of all values, with symbolic extents, and the contents of shape tensors.</summary>
internal static class ShapeInference
{
    /// <summary>Infers, and sets <see cref="Value.Type"/> where it learns something: on the main graph, on subgraphs and on function bodies
    /// (there what all calls agree on). What the file declares is never weakened; where it can't be true, the result says so.
    /// Overridable initializers count as their default content.</summary>
    /// <param name="graph">The model; its values' types change in place.</param>
    /// <param name="inputShapes">Shapes of inputs by name; -1 leaves an extent open. A symbol that one of them decides is decided everywhere.</param>
    public static ShapeResult Infer(OnnxGraph graph, IReadOnlyDictionary<string, long[]>? inputShapes = null)
    {
        ShapeWalk walk = new(graph, inputShapes);
        walk.Run();
        walk.Commit();
        return walk.Result();
    }
}

/// <summary>Inference inside function bodies, call by call; the graph's own types stay as they are.</summary>
internal sealed class CallInference(OnnxGraph graph)
{
    private readonly CallKey _keys = new();

    /// <param name="function">The function.</param>
    /// <param name="call">The node that calls it.</param>
    /// <param name="around">Types of the body that the call stands in, where they differ from the values' own.</param>
    public CalledBody Infer(Function function, OperatorView call, IReadOnlyDictionary<Value, TensorType>? around = null) =>
        new ShapeWalk(graph, null, _keys).InferCall(function, call, around);
}

/// <summary>What inference found of a function's body for one call.</summary>
/// <param name="Types">Types of the body's values.</param>
/// <param name="Bindings">The attributes the call gives.</param>
/// <param name="Key">The same for calls that can't differ.</param>
internal sealed record CalledBody(IReadOnlyDictionary<Value, TensorType> Types, AttributeBindings Bindings, string Key);

/// <summary>What inference found beside types.</summary>
/// <param name="Contents">Elements of integer and Boolean tensors (and of floats with integral values), row-major in the value's own shape;
/// null where an element is unknown.</param>
/// <param name="Contradictions">Places where the graph can't be right, with node names.</param>
/// <param name="Symbols">Extents that the given input shapes decided, by symbol.</param>
internal sealed record ShapeResult(IReadOnlyDictionary<Value, DimExpr?[]> Contents, IReadOnlyList<string> Contradictions, IReadOnlyDictionary<string, long> Symbols)
{
    /// <summary>A value's elements; null when nothing is known of them.</summary>
    public DimExpr?[]? ContentOf(Value value) => Contents.GetValueOrDefault(value);

    /// <summary>A value's elements, when all are plain numbers.</summary>
    public long[]? ConstantOf(Value value) => ContentOf(value) is { } content && content.All(e => e is { IsConstant: true }) ? [.. content.Select(e => e!.Value)] : null;
}
