using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>A node as users see it.</summary>
public sealed class GraphNode
{
    internal GraphNode(Node node)
    {
        Node = node;
        Name = node.Name;
        OpType = node.OpType;
        Domain = node.Domain.Length == 0 ? "ai.onnx" : node.Domain;
        Inputs = [.. node.Inputs.Select(i => i?.Name ?? "")];
        Outputs = [.. node.Outputs.Select(o => o?.Name ?? "")];
    }

    internal Node Node { get; }

    public string Name { get; }

    /// <summary>Where the node stands: empty in the main graph, else the nodes around it and their attributes, such as "if1/then_branch".</summary>
    public string Scope => ScopeOf(Node.Graph);

    public string OpType { get; }

    public string Domain { get; }

    /// <summary>Names of the input tensors; empty for an optional input that is absent.</summary>
    public string[] Inputs { get; }

    public string[] Outputs { get; }

    /// <summary>Attributes by name: long, double, string, arrays of them, Tensor, or the name of a subgraph.</summary>
    public IReadOnlyDictionary<string, object?> Attributes => Node.Attributes.ToDictionary(a => a.Name, ToPublic, StringComparer.Ordinal);

    /// <summary>The nodes of each subgraph (If, Loop, Scan).</summary>
    public IReadOnlyList<GraphNode[]> Subgraphs => Node.Subgraphs.Select(g => g.Nodes.Select(n => new GraphNode(n)).ToArray()).ToArray();

    /// <summary>The nodes that read this one's outputs.</summary>
    public IReadOnlyList<GraphNode> GetConsumers() => Node.Outputs.Where(o => o is not null).SelectMany(o => o!.Uses).Select(u => u.Node).Distinct().Select(n => new GraphNode(n)).ToArray();

    /// <summary>The nodes whose outputs this one reads.</summary>
    public IReadOnlyList<GraphNode> GetProducers() => Node.Inputs.Where(i => i?.Producer is not null).Select(i => i!.Producer!).Distinct().Select(n => new GraphNode(n)).ToArray();

    public override string ToString() => Node.ToString();

    internal static string ScopeOf(Graph graph)
    {
        List<string> parts = [];
        for (Graph at = graph; at.Owner is { } owner; at = owner.Graph)
        {
            Attribute? holder = owner.Attributes.FirstOrDefault(a => a.Graphs.Contains(at));
            parts.Insert(0, $"{owner.DisplayName}/{holder?.Name}");
        }
        return string.Join('/', parts);
    }

    private static object? ToPublic(Attribute attribute) => attribute.Content switch
    {
        float f => (double)f,
        byte[] => attribute.Text,
        byte[][] texts => texts.Select(System.Text.Encoding.UTF8.GetString).ToArray(),
        TensorData data => new Tensor(attribute.Name, data),
        TensorData[] many => many.Select(d => new Tensor(attribute.Name, d)).ToArray(),
        Graph graph => graph.Name,
        Graph[] graphs => graphs.Select(g => g.Name).ToArray(),
        long or long[] or float[] => attribute.Content,
        _ => attribute.Kind.ToString(),
    };
}

/// <summary>A tensor of a graph as users see it: an input, an output, an initializer, or what one node gives to others.</summary>
public sealed class GraphTensor
{
    private readonly Value _value;

    internal GraphTensor(Value value)
        : this(value, value.Type)
    {
    }

    internal GraphTensor(Value value, TensorType? type)
    {
        _value = value;
        Name = value.Name;
        DataType = type?.DataType ?? DataType.Undefined;
        SymbolicShape? shape = type?.Shape;
        HasRank = shape is not null;
        Shape = shape is null ? [] : [.. shape.Dimensions.Select(d => d is { IsConstant: true } ? d.Value : -1)];
        SymbolicShape = shape is null ? [] : [.. shape.Dimensions.Select(d => d?.ToString() ?? "?")];
    }

    public string Name { get; }

    public DataType DataType { get; }

    /// <summary>False when not even the number of dimensions is known.</summary>
    public bool HasRank { get; }

    /// <summary>Extents; -1 where a dimension is dynamic.</summary>
    public long[] Shape { get; }

    /// <summary>Extents as text: a number, a symbol such as "batch", or "?".</summary>
    public string[] SymbolicShape { get; }

    public bool IsInput => _value.IsGraphInput;

    public bool IsOutput => _value.IsGraphOutput && _value.Graph.Outputs.Contains(_value);

    public bool IsInitializer => _value.Data is not null;

    /// <summary>The node that computes it; null for inputs and initializers.</summary>
    public GraphNode? Producer => _value.Producer is { } producer ? new GraphNode(producer) : null;

    /// <summary>The nodes that read it, those of subgraphs included.</summary>
    public IReadOnlyList<GraphNode> GetConsumers() => _value.Uses.Select(u => u.Node).Distinct().Select(n => new GraphNode(n)).ToArray();

    /// <summary>Where it is defined: empty in the main graph, else the nodes around it and their attributes.</summary>
    public string Scope => GraphNode.ScopeOf(_value.Graph);

    internal Value Value => _value;

    public override string ToString() => $"{Name}: {DataType}[{(HasRank ? string.Join(',', SymbolicShape) : "…")}]";
}
