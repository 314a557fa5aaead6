using TrtTools.Ir;

namespace TrtTools.Surgery;

/// <summary>Keeps the names of a body that comes in from hiding those around it.</summary>
internal static class ShadowCheck
{
    /// <summary>Renames what the node's subgraphs define under a name that is taken outside, and makes their nodes' names unique.</summary>
    public static void NamesIn(Node node, GraphEdit edit)
    {
        foreach (Graph below in node.Subgraphs.SelectMany(g => g.WithSubgraphs).ToList())
        {
            foreach (Value value in below.Values.ToList())
            {
                if (below.Outer?.Resolve(value.Name) is not null) below.Rename(value, below.FreshName($"{node.DisplayName}/{value.Name}"));
            }
            foreach (Node inner in below.Nodes) inner.Name = inner.Name.Length == 0 ? "" : edit.FreshNodeName(inner.Name);
        }
    }
}
