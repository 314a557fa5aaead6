using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>One use of a value: input number <paramref name="Index"/> of <paramref name="Node"/>, which may stand in a nested subgraph.</summary>
internal readonly record struct Use(Node Node, int Index)
{
    public bool Equals(Use other) => ReferenceEquals(Node, other.Node) && Index == other.Index;

    public override int GetHashCode() => HashCode.Combine(Node?.GetHashCode() ?? 0, Index);
}

/// <summary>Hash codes of objects that are equal to nothing but themselves: many times faster than the runtime's, which live in a table of their own.</summary>
internal static class IdentityHash
{
    [ThreadStatic]
    private static int s_last;

    /// <summary>No two of a thread are alike until they run out; those of two threads may be.</summary>
    public static int Next() => s_last++;
}

/// <summary>A named value of one graph: a graph input, an initializer, or a node's output. An initializer of old models may be an input too.</summary>
internal sealed class Value
{
    internal readonly UseList UseList = new();

    private readonly int _hash = IdentityHash.Next();

    internal Value(Graph graph, string name)
    {
        Graph = graph;
        Name = name;
    }

    public Graph Graph { get; internal set; }

    public string Name { get; internal set; }

    /// <summary>Type and shape as declared or inferred; null when nothing is known or the value is no tensor.</summary>
    public TensorType? Type { get; set; }

    /// <summary>The node that computes it; null for inputs and initializers.</summary>
    public Node? Producer { get; internal set; }

    public int OutputIndex { get; internal set; }

    /// <summary>The content of an initializer.</summary>
    public TensorData? Data { get; internal set; }

    public bool IsGraphInput { get; internal set; }

    /// <summary>How often the value stands among its graph's outputs.</summary>
    public int GraphOutputCount { get; internal set; }

    public bool IsGraphOutput => GraphOutputCount > 0;

    /// <summary>An initializer that no caller can replace: its content is the value.</summary>
    public bool IsConstant => Data is not null && !IsGraphInput;

    /// <summary>Uses by nodes of this graph and of the subgraphs below it, in the order they were made.</summary>
    public IReadOnlyList<Use> Uses => UseList;

    public bool HasUses => UseList.Count > 0 || IsGraphOutput;

    /// <summary>True when one node reads it once and the graph does not return it.</summary>
    public bool HasSingleUse => UseList.Count == 1 && !IsGraphOutput;

    /// <summary>The original tensors that this value equals (see <see cref="Ir.Origin"/>).</summary>
    public Origin Origin { get; set; } = Origin.None;

    /// <summary>What the file said of the value beyond name and type; opaque outside Onnx.</summary>
    public object? Remainder { get; set; }

    public override int GetHashCode() => _hash;

    public override string ToString() => Type is null ? Name : $"{Name}: {Type}";
}

/// <summary>Names of tensors in the file as it was imported whose content a value equals, so that a calibration cache finds it
/// whatever passes ran since. A value that no pass touched has its own name.</summary>
internal sealed record Origin(IReadOnlyList<string> TensorNames)
{
    public static Origin None { get; } = new([]);

    public static Origin Of(string name) => new([name]);

    public Origin Join(Origin other) => other.TensorNames.Count == 0 ? this : TensorNames.Count == 0 ? other : new([.. TensorNames.Union(other.TensorNames, StringComparer.Ordinal)]);
}
