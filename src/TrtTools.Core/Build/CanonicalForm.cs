using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Build;

/// <summary>
/// Rewrites a graph so that two graphs that compute the same by the same nodes are the same bytes: nodes in the order in which a walk from the outputs needs
/// them, names numbered in that order (the model's own inputs and outputs keep theirs), weights held once, and nothing that does not compute.
/// </summary>
internal sealed class CanonicalForm
{
    private readonly Dictionary<Value, Value> _map = [];
    private readonly Dictionary<Graph, List<Node>> _orders = [];
    private readonly Dictionary<Graph, List<Value>> _captures = [];
    private readonly HashSet<string> _reserved = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _domains = new(StringComparer.Ordinal);
    private readonly HashSet<(string, string, string)> _called = [];
    private readonly OnnxGraph _source;
    private readonly Graph _main = new("engine");
    private int _values, _nodes;

    private readonly IReadOnlyDictionary<string, TensorFormat> _inputFormats, _outputFormats;

    private CanonicalForm(OnnxGraph source, IReadOnlyDictionary<string, TensorFormat> inputFormats, IReadOnlyDictionary<string, TensorFormat> outputFormats)
    {
        _source = source;
        _inputFormats = inputFormats;
        _outputFormats = outputFormats;
    }

    /// <summary>The node that each numbered node was, with the original nodes it stands for; conversions of inputs and outputs were none.</summary>
    public Dictionary<string, Node> Originals { get; } = new(StringComparer.Ordinal);

    public OnnxGraph Graph { get; private set; } = null!;

    /// <param name="inputFormats">What the engine takes instead of the model's own.</param>
    public static CanonicalForm Of(OnnxGraph source, IReadOnlyDictionary<string, TensorFormat>? inputFormats = null, IReadOnlyDictionary<string, TensorFormat>? outputFormats = null)
    {
        CanonicalForm form = new(source, inputFormats ?? new Dictionary<string, TensorFormat>(), outputFormats ?? new Dictionary<string, TensorFormat>());
        form.Run();
        return form;
    }

    private void Run()
    {
        Graph body = _source.Body;
        foreach (Value value in body.Inputs.Concat(body.Outputs)) _reserved.Add(value.Name);
        Graph copy = _main;
        foreach (Value input in body.Inputs)
        {
            TensorFormat? format = _inputFormats.GetValueOrDefault(input.Name);
            _map[input] = copy.AddInput(input.Name, format is null || input.Type is null ? input.Type : format.ToEngine(input.Type));
        }
        foreach (Value input in body.Inputs.Where(i => _inputFormats.ContainsKey(i.Name))) _map[input] = ConvertInput(_map[input], input.Type!, _inputFormats[input.Name]);
        Fill(body, copy, isMain: true);
        foreach (Value output in body.Outputs) copy.AddOutput(Output(output, copy));
        // Every feature the compiler knows is in IR 10; a newer model keeps its own.
        Graph = new OnnxGraph(copy, _source.Name, _source.Path, Math.Max(10, _source.IrVersion), Opsets(), _source.Resources);
        foreach (Function function in _source.FunctionTable.Values.Where(f => _called.Contains(f.Key)).OrderBy(f => f.Domain, StringComparer.Ordinal).ThenBy(f => f.Name, StringComparer.Ordinal).ThenBy(f => f.Overload, StringComparer.Ordinal))
        {
            Graph.FunctionTable.Add(function.Key, function);
        }
    }

    private Value ConvertInput(Value given, TensorType own, TensorFormat format)
    {
        Value value = given;
        // Bytes are moved before they become floats: four times less to move.
        if (format.ChannelsLast) value = Append("Transpose", value, NextValue(), own with { DataType = given.Type!.DataType }, Attribute.Ints("perm", TensorFormat.ToChannelsSecond(own.Shape!.Rank)));
        if (given.Type!.DataType != own.DataType) value = Append("Cast", value, NextValue(), own, Attribute.Int("to", (long)own.DataType));
        return value;
    }

    private Value ConvertOutput(Value own, string name, TensorFormat format)
    {
        TensorType type = own.Type ?? new TensorType(DataType.Undefined, null), wanted = format.ToEngine(type);
        Value value = own;
        if (wanted.DataType != type.DataType) value = Append("Cast", value, format.ChannelsLast ? NextValue() : name, type with { DataType = wanted.DataType }, Attribute.Int("to", (long)wanted.DataType));
        return format.ChannelsLast ? Append("Transpose", value, name, wanted, Attribute.Ints("perm", TensorFormat.ToChannelsLast(type.Shape!.Rank))) : value;
    }

    private Value Append(string opType, Value input, string output, TensorType type, Attribute attribute)
    {
        Node node = _main.AddNode(opType, [input], [output]);
        node.Name = string.Create(CultureInfo.InvariantCulture, $"n{_nodes++}");
        node.Attributes.Set(attribute);
        node.Outputs[0]!.Type = type;
        _domains.Add("");
        return node.Outputs[0]!;
    }

    /// <summary>An output that is a constant carries the output's name, not a number; one that nodes read too is held twice.</summary>
    private Value Output(Value output, Graph copy)
    {
        if (_outputFormats.TryGetValue(output.Name, out TensorFormat? format))
            return copy.Find(output.Name) ?? ConvertOutput(_map.TryGetValue(output, out Value? own) ? own : Constant(output), output.Name, format);
        if (_map.TryGetValue(output, out Value? made) && (output.Data is null || string.Equals(made.Name, output.Name, StringComparison.Ordinal))) return made;
        return copy.Find(output.Name) ?? copy.AddInitializer(output.Name, Bare(output.Data ?? throw new InvalidOperationException($"'{output.Name}' is read before it is computed.")));
    }

    private SortedDictionary<string, long> Opsets()
    {
        SortedDictionary<string, long> opsets = new(StringComparer.Ordinal);
        foreach ((string domain, long version) in _source.OpsetImports)
        {
            if (domain.Length == 0 || _domains.Contains(domain)) opsets[domain] = version;
        }
        return opsets;
    }

    private void Fill(Graph from, Graph to, bool isMain)
    {
        foreach (Node node in OrderOf(from)) Add(node, to, isMain);
    }

    private void Add(Node node, Graph to, bool isMain)
    {
        List<Value?> inputs = [.. node.Inputs.Select(i => i is null ? null : _map.TryGetValue(i, out Value? made) ? made : Constant(i))];
        while (inputs.Count > 0 && inputs[^1] is null) inputs.RemoveAt(inputs.Count - 1);
        List<string?> outputs = [.. node.Outputs.Select(o => o is null || !o.HasUses ? null : isMain && o.IsGraphOutput && !_outputFormats.ContainsKey(o.Name) ? o.Name : NextValue())];
        while (outputs.Count > 1 && outputs[^1] is null) outputs.RemoveAt(outputs.Count - 1);
        Node twin = to.AddNode(node.OpType, inputs, outputs, node.Domain);
        twin.Overload = node.Overload;
        twin.Name = string.Create(CultureInfo.InvariantCulture, $"n{_nodes++}");
        Originals.Add(twin.Name, node);
        _domains.Add(node.Domain);
        _called.Add((node.Domain, node.OpType, node.Overload));
        for (int i = 0; i < outputs.Count; i++)
        {
            if (outputs[i] is null) continue;
            twin.Outputs[i]!.Type = node.Outputs[i]!.Type;
            _map[node.Outputs[i]!] = twin.Outputs[i]!;
        }
        foreach (Attribute attribute in node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal))
        {
            twin.Attributes.Set(new Attribute(attribute.Name, attribute.Kind, attribute.Content switch
            {
                Graph graph => Subgraph(graph),
                Graph[] graphs => graphs.Select(Subgraph).ToArray(),
                TensorData data => Bare(data),
                TensorData[] many => many.Select(Bare).ToArray(),
                _ => attribute.Content,
            }) { Reference = attribute.Reference });
        }
    }

    private Graph Subgraph(Graph from)
    {
        Graph to = new("body");
        foreach (Value input in from.Inputs) _map[input] = to.AddInput(NextValue(), input.Type);
        Fill(from, to, isMain: false);
        // A body may not return a constant of an outer one.
        foreach (Value output in from.Outputs) to.AddOutput(output.Data is { } data ? to.AddInitializer(NextValue(), Bare(data)) : _map[output]);
        return to;
    }

    /// <summary>All constants live in the main graph: bodies below read them from there.</summary>
    private Value Constant(Value value)
    {
        if (value.Data is not { } data) throw new InvalidOperationException($"'{value.Name}' is read before it is computed.");
        Value made = _main.AddInitializer(NextValue(), Bare(data));
        // ONNX Runtime makes unsigned weights and zero points of signed ones, reader by reader, and fails on one that two read.
        if (data.Type != DataType.Int8) _map[value] = made;
        return made;
    }

    private static TensorData Bare(TensorData data) => data.Remainder is null ? data : data.Reshape(data.Shape);

    private string NextValue()
    {
        string name;
        do name = string.Create(CultureInfo.InvariantCulture, $"v{_values++}"); while (_reserved.Contains(name));
        return name;
    }

    /// <summary>The nodes that the graph's outputs need, each after what it needs itself.</summary>
    private List<Node> OrderOf(Graph graph)
    {
        if (_orders.TryGetValue(graph, out List<Node>? known)) return known;
        List<Node> order = [];
        HashSet<Node> seen = [];
        Stack<(Node Node, IEnumerator<Value> Needs)> path = new();
        foreach (Value output in graph.Outputs) Visit(output);
        _orders.Add(graph, order);
        return order;

        void Visit(Value start)
        {
            Enter(start);
            while (path.Count > 0)
            {
                (Node node, IEnumerator<Value> needs) = path.Peek();
                if (needs.MoveNext())
                {
                    Enter(needs.Current);
                    continue;
                }
                path.Pop();
                order.Add(node);
            }
        }

        void Enter(Value value)
        {
            if (value.Producer is { } producer && producer.Graph == graph && seen.Add(producer)) path.Push((producer, Needs(producer).GetEnumerator()));
        }
    }

    private List<Value> Needs(Node node)
    {
        List<Value> needs = [.. node.Inputs.OfType<Value>()];
        foreach (Attribute attribute in node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal))
        {
            foreach (Graph graph in attribute.Graphs) needs.AddRange(CapturesOf(graph));
        }
        return needs;
    }

    /// <summary>Values from outside that a subgraph reads, itself or below.</summary>
    private List<Value> CapturesOf(Graph graph)
    {
        if (_captures.TryGetValue(graph, out List<Value>? known)) return known;
        List<Value> captures = [];
        foreach (Node node in OrderOf(graph)) captures.AddRange(Needs(node).Where(v => v.Graph != graph));
        captures.AddRange(graph.Outputs.Where(v => v.Graph != graph));
        List<Value> distinct = [.. captures.Distinct()];
        _captures.Add(graph, distinct);
        return distinct;
    }
}
