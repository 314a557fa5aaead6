using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Shapes;

/// <summary>Inference over a graph that changes: after the first walk only the changed nodes are visited again, and what depends on what they
/// now say otherwise.</summary>
internal sealed class ShapeTracker(OnnxGraph graph)
{
    private ShapeWalk? _walk;

    /// <summary>Infers anew and sets the types of values. Returns the nodes of the main graph that were visited, in its order.</summary>
    /// <param name="changed">Nodes, of any body, that were added or edited since the last call.</param>
    /// <param name="learned">Gets the values that have another type than before; not by the first call, which looks at all.</param>
    public IReadOnlyList<Node> Update(IEnumerable<Node> changed, List<Value> learned)
    {
        // A call's types come from the function's body, which is shared: there all calls must be seen together.
        if (_walk is null || graph.FunctionTable.Count > 0)
        {
            _walk = new ShapeWalk(graph, null);
            _walk.Run();
            _walk.Commit();
            return [.. graph.Body.Nodes];
        }
        HashSet<Node> dirty = [];
        foreach (Node node in changed)
        {
            if (AncestorInBody(node) is { } ancestor) dirty.Add(ancestor);
        }
        return _walk.Update(dirty, AncestorInBody, learned);
    }

    /// <summary>A value's elements as the last update left them.</summary>
    public DimExpr?[]? ContentOf(Value value) => _walk?.KnownContent(value);

    private Node? AncestorInBody(Node node)
    {
        Node? at = node;
        while (at is not null && at.Graph != graph.Body) at = at.Graph.Owner;
        return at;
    }
}
