using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Surgery;

/// <summary>Moves readers from one value to another, and takes away what is then left over.</summary>
internal static class Rewiring
{
    /// <summary>Every reader of <paramref name="old"/>, bodies that return it included, reads the other value. An output of its own body keeps its name.</summary>
    public static void Replace(Value old, Value replacement)
    {
        ReplaceInNestedOutputs(old, replacement);
        old.Graph.ReplaceUses(old, replacement);
    }

    /// <summary>Bodies below that return an outer value return the other one.</summary>
    public static void ReplaceInNestedOutputs(Value old, Value replacement)
    {
        if (!old.IsGraphOutput) return;
        foreach (Graph below in old.Graph.WithSubgraphs.Skip(1))
        {
            for (int i = 0; i < below.Outputs.Count; i++)
            {
                if (ReferenceEquals(below.Outputs[i], old)) below.SetOutput(i, replacement);
            }
        }
    }

    /// <summary>The nodes that read a value, the holders of bodies that return it included.</summary>
    public static IEnumerable<Node> ReadersOf(Value value)
    {
        foreach (Use use in value.Uses) yield return use.Node;
        if (!value.IsGraphOutput) yield break;
        foreach (Graph below in value.Graph.WithSubgraphs.Skip(1))
        {
            if (below.Outputs.Contains(value) && below.Owner is { } owner) yield return owner;
        }
    }

    /// <summary>Removes the nodes and initializers that nothing reads any more, beginning with what gave or was these values.</summary>
    public static void RemoveUnused(IEnumerable<Value?> values)
    {
        Stack<Value> pending = new(values.OfType<Value>());
        while (pending.TryPop(out Value? value))
        {
            if (value.HasUses) continue;
            if (value.Producer is not { } producer)
            {
                if (value.IsConstant && value.Graph.Find(value.Name) == value) value.Graph.RemoveInitializer(value);
                continue;
            }
            if (!producer.IsAlive || producer.Outputs.Any(o => o is { HasUses: true })) continue;
            List<Value> read = ReadBy(producer);
            producer.Graph.Remove(producer);
            foreach (Value input in read) pending.Push(input);
        }
    }

    /// <summary>After another took over one of a node's outputs: the node goes when nothing else of it is read, else a tensor of a new name fills the place,
    /// since operators do not let every output be absent.</summary>
    public static void CloseGap(Node node, int index, string name, bool keep)
    {
        bool isRead = node.Outputs.Any(o => o is { HasUses: true });
        if (isRead || (keep && node.Outputs.Any(o => o is not null))) node.Graph.AddOutputTo(node, index, node.Graph.FreshName($"{name}_before"));
        else node.Graph.Remove(node);
    }

    /// <summary>What a node and its subgraphs read from the bodies around.</summary>
    public static List<Value> ReadBy(Node node) => [.. node.Inputs.OfType<Value>(), .. node.Subgraphs.SelectMany(Captures.Of)];
}
