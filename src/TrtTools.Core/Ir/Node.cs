namespace TrtTools.Ir;

/// <summary>One operation of a graph. Create and remove nodes through <see cref="Graph"/>.</summary>
internal sealed class Node
{
    internal readonly ValueList InputList = new();
    internal readonly ValueList OutputList = new();

    private readonly int _hash = IdentityHash.Next();

    internal Node(Graph graph, string opType, string domain)
    {
        Graph = graph;
        OpType = opType;
        Domain = domain;
        Attributes = new AttributeMap(this);
    }

    public Graph Graph { get; internal set; }

    /// <summary>The next node in topological order.</summary>
    public Node? Next { get; internal set; }

    public Node? Previous { get; internal set; }

    /// <summary>False once it was removed from its graph.</summary>
    public bool IsAlive { get; internal set; } = true;

    public string Name { get; set; } = "";

    public string OpType { get; set; }

    /// <summary>Empty for ai.onnx.</summary>
    public string Domain { get; set; }

    /// <summary>Distinguishes functions of one name.</summary>
    public string Overload { get; set; } = "";

    /// <summary>Null where an optional input is absent.</summary>
    public ValueList Inputs => InputList;

    /// <summary>Null where an optional output is not wanted.</summary>
    public ValueList Outputs => OutputList;

    public AttributeMap Attributes { get; }

    /// <summary>Names of the nodes of the imported file that this one stands for; itself when empty.</summary>
    public IReadOnlyList<string> SourceNodes { get; set; } = [];

    /// <summary>Doc string, metadata, unknown fields; opaque outside Onnx.</summary>
    public object? Remainder { get; set; }

    /// <summary>Where in the list of a <c>PassContext</c> the node was touched last.</summary>
    internal int LastTouch { get; set; }

    /// <summary>On a call of a function that was outlined: the names its nodes and values had.</summary>
    public OutlinedBody? Outlined { get; set; }

    /// <summary>True for operator <paramref name="opType"/> of the ONNX domain.</summary>
    public bool Is(string opType) => Domain.Length == 0 && string.Equals(OpType, opType, StringComparison.Ordinal);

    public Value? Input(int index) => index < InputList.Count ? InputList[index] : null;

    public Value? Output(int index = 0) => index < OutputList.Count ? OutputList[index] : null;

    /// <summary>Graphs held in attributes (If, Loop, Scan).</summary>
    public IEnumerable<Graph> Subgraphs => Attributes.HasGraphs ? Attributes.SelectMany(a => a.Graphs) : [];

    /// <summary>Name for messages: the node's own, else its first output's.</summary>
    public string DisplayName => Name.Length > 0 ? Name : Outputs.FirstOrDefault(o => o is not null)?.Name ?? OpType;

    public void SetInput(int index, Value? value)
    {
        while (InputList.Count <= index) InputList.Add(null);
        InputList[index]?.UseList.Remove(new Use(this, index));
        InputList[index] = value;
        value?.UseList.Add(new Use(this, index));
    }

    /// <summary>Replaces all inputs.</summary>
    public void SetInputs(params IReadOnlyList<Value?> values)
    {
        for (int i = 0; i < InputList.Count; i++) InputList[i]?.UseList.Remove(new Use(this, i));
        InputList.Clear();
        InputList.Reserve(values.Count);
        for (int i = 0; i < values.Count; i++)
        {
            InputList.Add(values[i]);
            values[i]?.UseList.Add(new Use(this, i));
        }
    }

    public override int GetHashCode() => _hash;

    public override string ToString() => $"{string.Join(", ", Outputs.Select(o => o?.Name ?? "_"))} = {(Domain.Length > 0 ? Domain + "::" : "")}{OpType}({string.Join(", ", Inputs.Select(i => i?.Name ?? "_"))})";
}
