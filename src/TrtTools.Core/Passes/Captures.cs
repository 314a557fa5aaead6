using TrtTools.Ir;

namespace TrtTools.Passes;

/// <summary>What nested bodies read from outside.</summary>
internal static class Captures
{
    /// <summary>The outer values that a body and those below it read, each once, in the order met.</summary>
    public static IReadOnlyList<Value> Of(Graph graph)
    {
        List<Value> found = [];
        HashSet<Value> seen = [];
        HashSet<Graph> inside = [.. graph.WithSubgraphs];
        foreach (Graph body in inside)
        {
            foreach (Value? input in body.Nodes.SelectMany(n => n.Inputs).Concat(body.Outputs))
            {
                if (input is not null && !inside.Contains(input.Graph) && seen.Add(input)) found.Add(input);
            }
        }
        return found;
    }

    /// <summary>The node of <paramref name="graph"/> that is, or that holds below it, <paramref name="node"/>; null when there is none.</summary>
    public static Node? AncestorIn(Graph graph, Node node)
    {
        Node? at = node;
        while (at is not null && at.Graph != graph) at = at.Graph.Owner;
        return at;
    }
}
