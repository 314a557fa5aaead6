using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>One place where a pattern matched.</summary>
public sealed class PatternMatch
{
    internal PatternMatch(OnnxGraph graph, string pattern, Passes.Fusion.TreeMatch match, InferredTypes types)
    {
        Match = match;
        Pattern = pattern;
        Model = graph.Name;
        Node = new GraphNode(match.Last);
        Nodes = [.. match.Nodes.Distinct().Reverse().Select(n => new GraphNode(n))];
        Tensor = match.Bound.ToDictionary(b => b.Name, b => new GraphTensor(b.Value, types.Of(b.Value)), StringComparer.Ordinal);
        Constant = match.Bound.Where(b => Passes.PassContext.Constant(b.Value) is not null).ToDictionary(b => b.Name, b => new Tensor(b.Value.Name, Passes.PassContext.Constant(b.Value)!), StringComparer.Ordinal);
    }

    internal Passes.Fusion.TreeMatch Match { get; }

    public string Pattern { get; }

    /// <summary>The model's name.</summary>
    public string Model { get; }

    /// <summary>The last of the nodes, the one whose output a replacement gives.</summary>
    public GraphNode Node { get; }

    /// <summary>All matched nodes, the last one last.</summary>
    public GraphNode[] Nodes { get; }

    /// <summary>The last node's name.</summary>
    public string Name => Match.Last.DisplayName;

    /// <summary>Attributes of the last node.</summary>
    public IReadOnlyDictionary<string, object?> Attributes => Node.Attributes;

    /// <summary>What the pattern's names stand for.</summary>
    public IReadOnlyDictionary<string, GraphTensor> Tensor { get; }

    /// <summary>The contents of those that are constants.</summary>
    public IReadOnlyDictionary<string, Tensor> Constant { get; }

    public override string ToString() => $"{Name}: {string.Join(" + ", Nodes.Select(n => n.OpType))}";
}
