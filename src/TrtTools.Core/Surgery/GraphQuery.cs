using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Which nodes to list. All that is given must hold.</summary>
public sealed record NodeQuery
{
    /// <summary>Names and patterns; one that nothing matches is an error when it is a plain name.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    public IReadOnlyList<string> OpType { get; init; } = [];

    /// <summary>Nodes that read one of these tensors.</summary>
    public IReadOnlyList<string> InputTensor { get; init; } = [];

    /// <summary>Nodes that give one of these tensors.</summary>
    public IReadOnlyList<string> OutputTensor { get; init; } = [];

    /// <summary>Nodes that lead to these nodes or tensors.</summary>
    public IReadOnlyList<string> UpstreamOf { get; init; } = [];

    /// <summary>Nodes that these nodes or tensors lead to.</summary>
    public IReadOnlyList<string> DownstreamOf { get; init; } = [];

    /// <summary>The longest way up or down, in nodes.</summary>
    public int Depth { get; init; } = int.MaxValue;

    /// <summary>Nodes of subgraphs too.</summary>
    public bool Recurse { get; init; }
}

/// <summary>Which tensors to list. All that is given must hold.</summary>
public sealed record TensorQuery
{
    public IReadOnlyList<string> Name { get; init; } = [];

    public DataType? DataType { get; init; }

    public bool? IsInput { get; init; }

    public bool? IsOutput { get; init; }

    public bool? IsInitializer { get; init; }

    /// <summary>Tensors that one of these nodes, or nodes of these operators, gives.</summary>
    public IReadOnlyList<string> Producer { get; init; } = [];

    /// <summary>Tensors that one of these nodes, or nodes of these operators, reads.</summary>
    public IReadOnlyList<string> Consumer { get; init; } = [];

    public bool Recurse { get; init; }
}

/// <summary>Finds nodes, tensors and weights: what the Get-Graph… cmdlets run.</summary>
public static class GraphQuery
{
    public static IReadOnlyList<GraphNode> Nodes(OnnxGraph graph, NodeQuery query)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(query);
        NameFinder names = new(graph);
        IEnumerable<Node> found = query.Recurse ? graph.Body.NodesWithSubgraphs : graph.Body.Nodes;
        if (query.Name.Count > 0)
        {
            HashSet<Node> plain = [.. query.Name.Where(n => !NameFinder.IsPattern(n)).Select(names.Node)];
            found = (plain.All(n => n.Graph == graph.Body) ? found : graph.Body.NodesWithSubgraphs).Where(n => plain.Contains(n) || ((query.Recurse || n.Graph == graph.Body) && query.Name.Any(p => NameFinder.Matches(p, n.DisplayName))));
        }
        if (query.OpType.Count > 0) found = found.Where(n => query.OpType.Any(o => NameFinder.IsOperator(o, n)));
        if (query.InputTensor.Count > 0)
        {
            HashSet<Value> read = [.. names.Tensors(query.InputTensor, query.Recurse)];
            found = found.Where(n => n.Inputs.Any(i => i is not null && read.Contains(i)));
        }
        if (query.OutputTensor.Count > 0)
        {
            HashSet<Value> given = [.. names.Tensors(query.OutputTensor, query.Recurse)];
            found = found.Where(n => n.Outputs.Any(o => o is not null && given.Contains(o)));
        }
        if (query.UpstreamOf.Count > 0) found = found.Where(Walk(graph, Ends(names, query.UpstreamOf), query.Depth, up: true).Contains);
        if (query.DownstreamOf.Count > 0) found = found.Where(Walk(graph, Ends(names, query.DownstreamOf), query.Depth, up: false).Contains);
        return [.. found.Select(n => new GraphNode(n))];
    }

    /// <summary>Names of all tensors, those of subgraphs included.</summary>
    public static IEnumerable<string> TensorNames(OnnxGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return graph.Body.WithSubgraphs.SelectMany(g => g.Values).Select(v => v.Name);
    }

    public static IReadOnlyList<GraphTensor> Tensors(OnnxGraph graph, TensorQuery query)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(query);
        InferredTypes types = new(graph);
        IEnumerable<Value> found = Named(graph, query.Name, query.Recurse);
        HashSet<Value> outputs = [.. graph.Body.WithSubgraphs.SelectMany(g => g.Outputs.Where(o => o.Graph == g))];
        if (query.IsInput is { } input) found = found.Where(v => v.IsGraphInput == input);
        if (query.IsOutput is { } output) found = found.Where(v => outputs.Contains(v) == output);
        if (query.IsInitializer is { } initializer) found = found.Where(v => v.Data is not null == initializer);
        if (query.Producer.Count > 0) found = found.Where(v => v.Producer is { } p && IsOneOf(p, query.Producer));
        if (query.Consumer.Count > 0) found = found.Where(v => v.Uses.Any(u => IsOneOf(u.Node, query.Consumer)));
        if (query.DataType is { } type) found = found.Where(v => types.Of(v)?.DataType == type);
        return [.. found.Select(v => new GraphTensor(v, types.Of(v)))];
    }

    /// <summary>Initializers with their content; with <paramref name="constantNodes"/> also what Constant nodes give.</summary>
    public static IReadOnlyList<Tensor> Initializers(OnnxGraph graph, TensorQuery query, bool constantNodes)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(query);
        List<Tensor> tensors = [];
        foreach (Value value in Named(graph, query.Name, query.Recurse))
        {
            TensorData? data = value.Data ?? (constantNodes && value.Producer is { } node && node.Is("Constant") ? ConstantContent.Of(node.Attributes.FirstOrDefault()) : null);
            if (data is null)
            {
                if (!query.Name.Contains(value.Name)) continue;
                throw new TrtToolsException(ErrorCode.TensorNotFound, $"Initializer '{value.Name}'", value.IsGraphInput ? "it is an input of the graph" : $"node '{value.Producer?.DisplayName}' ({value.Producer?.OpType}) computes it", "A constant",
                    value.Producer is { } constant && constant.Is("Constant") ? "Use -ConstantNode" : "Get-GraphInitializer without -Name lists the initializers");
            }
            if (query.DataType is { } type && data.Type != type) continue;
            if (query.Consumer.Count > 0 && !value.Uses.Any(u => IsOneOf(u.Node, query.Consumer))) continue;
            tensors.Add(new Tensor(value.Name, data));
        }
        return tensors;
    }

    private static IEnumerable<Value> Named(OnnxGraph graph, IReadOnlyList<string> names, bool recurse)
    {
        IEnumerable<Value> all = recurse ? graph.Body.WithSubgraphs.SelectMany(g => g.Values) : graph.Body.Values;
        if (names.Count == 0) return all;
        HashSet<Value> plain = [.. new NameFinder(graph).Tensors(names.Where(n => !NameFinder.IsPattern(n) || graph.Body.Find(n) is not null))];
        List<string> patterns = [.. names.Where(n => NameFinder.IsPattern(n) && graph.Body.Find(n) is null)];
        return (plain.All(v => v.Graph == graph.Body) ? all : graph.Body.WithSubgraphs.SelectMany(g => g.Values))
            .Where(v => plain.Contains(v) || ((recurse || v.Graph == graph.Body) && patterns.Exists(p => NameFinder.Matches(p, v.Name))));
    }

    private static bool IsOneOf(Node node, IReadOnlyList<string> wanted) => wanted.Any(w => NameFinder.Matches(w, node.DisplayName) || NameFinder.IsOperator(w, node));

    /// <summary>A name of a node, else one of a tensor.</summary>
    private static List<(Node? Node, Value? Value)> Ends(NameFinder names, IReadOnlyList<string> wanted)
    {
        List<(Node?, Value?)> ends = [];
        foreach (string name in wanted)
        {
            try
            {
                ends.AddRange(names.Tensors([name]).Select(v => ((Node?)null, (Value?)v)));
            }
            catch (TrtToolsException e) when (e.Code == ErrorCode.TensorNotFound)
            {
                ends.AddRange(names.Nodes([name]).Select(n => ((Node?)n, (Value?)null)));
            }
        }
        return ends;
    }

    /// <summary>The nodes reached, the ends themselves left out; a node in a subgraph also counts as the one around it.</summary>
    private static HashSet<Node> Walk(OnnxGraph graph, List<(Node? Node, Value? Value)> ends, int depth, bool up)
    {
        HashSet<Node> reached = [];
        Queue<(Node Node, int Distance)> pending = new();
        foreach ((Node? node, Value? value) in ends)
        {
            if (node is not null) Next(node, 0);
            else if (up && value!.Producer is { } producer) Reach(producer, 1);
            else if (!up) Readers(value!, 0);
        }
        while (pending.TryDequeue(out (Node Node, int Distance) at)) Next(at.Node, at.Distance);
        return reached;

        void Next(Node node, int distance)
        {
            if (distance >= depth) return;
            if (!up)
            {
                foreach (Value? output in node.Outputs)
                {
                    if (output is not null) Readers(output, distance);
                }
                return;
            }
            foreach (Value read in Rewiring.ReadBy(node))
            {
                if (read.Producer is { } producer) Reach(producer, distance + 1);
            }
        }

        void Readers(Value value, int distance)
        {
            foreach (Node reader in Rewiring.ReadersOf(value))
            {
                Reach(reader, distance + 1);
                for (Node? around = reader.Graph.Owner; around is not null; around = around.Graph.Owner) Reach(around, distance + 1);
            }
        }

        void Reach(Node node, int distance)
        {
            if (distance <= depth && reached.Add(node)) pending.Enqueue((node, distance));
        }
    }
}
