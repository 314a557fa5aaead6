using System.Globalization;
using System.Text;
using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Turns groups of nodes into calls of model-local functions whose bodies are those nodes. Bodies of equal content are shared.</summary>
/// <param name="domain">The functions' domain.</param>
/// <param name="describe">An attribute as text that is equal exactly when the attribute is.</param>
internal sealed class FunctionOutliner(OnnxGraph model, string domain, Func<Attribute, string> describe)
{
    /// <summary>Integer constants of up to this many elements are axes, extents and the like.</summary>
    private const int LongestIntegerList = 16;

    private readonly Dictionary<string, Function> _byContent = new(StringComparer.Ordinal);

    /// <summary>Replaces the group by one call. The nodes stand in one graph, in its order, have no subgraphs, and no path leads out of the group and
    /// back into it. Values that others read are outputs; weights and whatever else comes from outside are inputs; small constants are attributes of the call.</summary>
    public Node Outline(IReadOnlyList<Node> nodes, string name, string nodeName)
    {
        Graph graph = nodes[0].Graph;
        HashSet<Node> group = [.. nodes];
        List<Value> results = [.. nodes.SelectMany(n => n.Outputs).OfType<Value>().Where(v => v.IsGraphOutput || v.UseList.Any(u => !group.Contains(u.Node)))];
        Draft draft = new(this, nodes, results);
        Function function = FindOrAdd(draft, name);
        List<Node> dependent = FindDependent(nodes, group);
        Node? next = nodes[^1].Next;
        Node call = graph.AddNode(function.Name, [.. draft.Inputs], [], domain, next);
        foreach (Node node in dependent) graph.Move(node, next);
        call.Name = nodeName;
        call.Outlined = draft.Names;
        for (int i = 0; i < draft.Constants.Count; i++) call.Attributes.Set(AttributeOf(AttributeName(i), draft.Constants[i].Data!));
        for (int i = 0; i < results.Count; i++) graph.MoveOutput(results[i], call, i);
        foreach (Node node in nodes.Reverse()) graph.Remove(node);
        foreach (Value constant in draft.Constants)
        {
            if (!constant.HasUses) constant.Graph.RemoveInitializer(constant);
        }
        return call;
    }

    /// <summary>The nodes between the group's first and last that depend on it: they must stand after the call.</summary>
    private static List<Node> FindDependent(IReadOnlyList<Node> nodes, HashSet<Node> group)
    {
        List<Node> found = [];
        HashSet<Node> dependent = [.. group];
        for (Node? at = nodes[0]; at is not null && !ReferenceEquals(at, nodes[^1]); at = at.Next)
        {
            if (group.Contains(at) || !Reads(at, dependent)) continue;
            dependent.Add(at);
            found.Add(at);
        }
        return found;
    }

    private static bool Reads(Node node, HashSet<Node> producers)
    {
        if (node.Inputs.Any(i => i?.Producer is { } producer && producers.Contains(producer))) return true;
        return node.Subgraphs.SelectMany(g => g.WithSubgraphs).Any(g => g.Nodes.SelectMany(n => n.Inputs).Concat(g.Outputs).Any(v => v?.Producer is { } producer && producers.Contains(producer)));
    }

    private Function FindOrAdd(Draft draft, string name)
    {
        string content = name + "\n" + draft.Content;
        if (_byContent.TryGetValue(content, out Function? known)) return known;
        string free = name;
        for (int i = 2; model.FunctionTable.ContainsKey((domain, free, "")); i++) free = string.Create(CultureInfo.InvariantCulture, $"{name}_{i}");
        Function function = draft.Build(domain, free);
        foreach ((string imported, long version) in model.OpsetImports)
        {
            if (imported != domain) function.Opset[imported] = version;
        }
        model.FunctionTable.Add(function.Key, function);
        model.OpsetImports.TryAdd(domain, 1);
        _byContent.Add(content, function);
        return function;
    }

    /// <summary>Numbers, axes and shapes: what says how, not what.</summary>
    private static bool IsSmall(Value value) =>
        value is { IsConstant: true, Data: { } data } && data.Type.BitSize() >= 8 && (data.ElementCount == 1 || (data.Rank <= 1 && data.Type == DataType.Int64 && data.ElementCount <= LongestIntegerList));

    private static string AttributeName(int index) => string.Create(CultureInfo.InvariantCulture, $"c{index}");

    private Attribute AttributeOf(string name, TensorData data) => FormOf(data) switch
    {
        AttributeKind.Float => Attribute.Float(name, data.AsSpan<float>()[0]),
        AttributeKind.Int => Attribute.Int(name, data.AsSpan<long>()[0]),
        AttributeKind.Ints => Attribute.Ints(name, data.ToInt64()),
        _ => Attribute.Tensor(name, data),
    };

    /// <summary>The attribute of Constant that gives this content. Constant has had attributes other than "value" since opset 12.</summary>
    private AttributeKind FormOf(TensorData data) => model.OnnxOpset < 12 ? AttributeKind.Tensor : (data.Type, data.Rank) switch
    {
        (DataType.Float32, 0) => AttributeKind.Float,
        (DataType.Int64, 0) => AttributeKind.Int,
        (DataType.Int64, 1) when data.ElementCount > 0 => AttributeKind.Ints,
        _ => AttributeKind.Tensor,
    };

    private static string NameOf(AttributeKind form) => form switch { AttributeKind.Float => "value_float", AttributeKind.Int => "value_int", AttributeKind.Ints => "value_ints", _ => "value" };

    /// <summary>A body in the making: its text decides whether it is known already.</summary>
    private sealed class Draft
    {
        private readonly FunctionOutliner _owner;
        private readonly IReadOnlyList<Node> _nodes;
        private readonly IReadOnlyList<Value> _results;
        private readonly Dictionary<Value, string> _local = [];

        public Draft(FunctionOutliner owner, IReadOnlyList<Node> nodes, IReadOnlyList<Value> results)
        {
            _owner = owner;
            _nodes = nodes;
            _results = results;
            HashSet<Value> inner = [.. nodes.SelectMany(n => n.Outputs).OfType<Value>()];
            int count = 0;
            foreach (Node node in nodes)
            {
                foreach (Value input in node.Inputs.OfType<Value>())
                {
                    if (inner.Contains(input) || _local.ContainsKey(input)) continue;
                    if (IsSmall(input))
                    {
                        _local.Add(input, "k" + AttributeName(Constants.Count));
                        Constants.Add(input);
                    }
                    else
                    {
                        _local.Add(input, string.Create(CultureInfo.InvariantCulture, $"i{Inputs.Count}"));
                        Inputs.Add(input);
                    }
                }
                foreach (Value output in node.Outputs.OfType<Value>()) _local.Add(output, string.Create(CultureInfo.InvariantCulture, $"v{count++}"));
            }
            Content = Describe();
            Names = new OutlinedBody([
                .. Constants.Select(c => new OutlinedNode("", [], null, [Remember(c, isInitializer: true)])),
                .. nodes.Select(n => new OutlinedNode(n.Name, n.SourceNodes, n.Remainder, [.. n.Outputs.Select(o => o is null ? null : Remember(o, isInitializer: false))])),
            ]);
        }

        public List<Value> Inputs { get; } = [];

        public List<Value> Constants { get; } = [];

        public string Content { get; }

        public OutlinedBody Names { get; }

        private OutlinedValue Remember(Value value, bool isInitializer)
        {
            int level = 0;
            for (Graph? at = _nodes[0].Graph; at is not null && at != value.Graph; at = at.Outer) level++;
            return new OutlinedValue(value.Name, value.Type, value.Origin, value.Remainder, isInitializer, level);
        }

        private string Describe()
        {
            StringBuilder text = new();
            foreach (Value constant in Constants) text.Append(_owner.FormOf(constant.Data!)).Append(',');
            foreach (Node node in _nodes)
            {
                text.Append('\n').Append(node.Domain).Append(':').Append(node.OpType).Append(':').Append(node.Overload);
                foreach (Value? input in node.Inputs) text.Append(' ').Append(input is null ? "_" : _local[input]);
                text.Append(" ->");
                foreach (Value? output in node.Outputs) text.Append(' ').Append(output is null ? "_" : _local[output]);
                foreach (Attribute attribute in node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal)) text.Append(' ').Append(_owner.Describe(attribute));
            }
            return text.Append("\n=").AppendJoin(' ', _results.Select(r => _local[r])).ToString();
        }

        public Function Build(string domain, string name)
        {
            Graph body = new(name);
            Dictionary<Value, Value> map = [];
            foreach (Value input in Inputs) map[input] = body.AddInput(_local[input]);
            Function function = new(domain, name, "", body);
            for (int i = 0; i < Constants.Count; i++)
            {
                AttributeKind form = _owner.FormOf(Constants[i].Data!);
                Node constant = body.AddNode("Constant", [], [_local[Constants[i]]]);
                constant.Attributes.Set(Attribute.ReferenceTo(NameOf(form), form, AttributeName(i)));
                map[Constants[i]] = constant.Output()!;
                function.RequiredAttributes.Add(AttributeName(i));
            }
            foreach (Node node in _nodes)
            {
                Node twin = body.AddNode(node.OpType, [.. node.Inputs.Select(v => v is null ? null : map[v])], [.. node.Outputs.Select(o => o is null ? null : _local[o])], node.Domain);
                twin.Overload = node.Overload;
                foreach (Attribute attribute in node.Attributes) twin.Attributes.Set(attribute);
                for (int i = 0; i < node.Outputs.Count; i++)
                {
                    if (node.Outputs[i] is { } output) map[output] = twin.Outputs[i]!;
                }
            }
            foreach (Value result in _results) body.AddOutput(map[result]);
            return function;
        }
    }

    private string Describe(Attribute attribute) => describe(attribute);
}
