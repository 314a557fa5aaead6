using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>A body: of a model, of a node's subgraph attribute, or of a function. Nodes stand in topological order; names are unique within
/// one body, and a name that a nested body does not define is looked up outwards.</summary>
internal sealed class Graph
{
    private readonly Dictionary<string, Value> _values;
    private readonly List<Value> _inputs = [];
    private readonly List<Value> _outputs = [];
    private int _fresh;

    /// <param name="valueCount">How many values to expect.</param>
    public Graph(string name, int valueCount = 0)
    {
        Name = name;
        _values = new Dictionary<string, Value>(valueCount, StringComparer.Ordinal);
    }

    public string Name { get; set; }

    /// <summary>The If, Loop or Scan whose body this is.</summary>
    public Node? Owner { get; private set; }

    public Graph? Outer => Owner?.Graph;

    public Node? First { get; private set; }

    public Node? Last { get; private set; }

    public int NodeCount { get; private set; }

    public IReadOnlyList<Value> Inputs => _inputs;

    public IReadOnlyList<Value> Outputs => _outputs;

    /// <summary>Doc string, annotations, unknown fields; opaque outside Onnx.</summary>
    public object? Remainder { get; set; }

    /// <summary>Every value this body defines, in the order of definition.</summary>
    public IEnumerable<Value> Values => _values.Values;

    public int ValueCount => _values.Count;

    public IEnumerable<Value> Initializers => _values.Values.Where(v => v.Data is not null);

    /// <summary>Nodes in topological order. The current node may be removed, and nodes inserted, while this runs.</summary>
    public IEnumerable<Node> Nodes
    {
        get
        {
            for (Node? node = First; node is not null;)
            {
                Node? next = node.Next;
                yield return node;
                node = node.IsAlive ? node.Next : next is { IsAlive: true } or null ? next : FirstAliveAfter(next);
            }
        }
    }

    private static Node? FirstAliveAfter(Node dead)
    {
        // Removal keeps the dead node's own links, so the walk can go on from it.
        Node? node = dead;
        while (node is { IsAlive: false }) node = node.Next;
        return node;
    }

    /// <summary>This body's nodes and those of all bodies below, outer before inner.</summary>
    public IEnumerable<Node> NodesWithSubgraphs
    {
        get
        {
            foreach (Node node in Nodes)
            {
                yield return node;
                foreach (Graph below in node.Subgraphs)
                {
                    foreach (Node inner in below.NodesWithSubgraphs) yield return inner;
                }
            }
        }
    }

    /// <summary>This body and all below, outer before inner.</summary>
    public IEnumerable<Graph> WithSubgraphs => Nodes.SelectMany(n => n.Subgraphs).SelectMany(g => g.WithSubgraphs).Prepend(this);

    public Value? Find(string name) => _values.GetValueOrDefault(name);

    /// <summary>Looks a name up here and then outwards.</summary>
    public Value? Resolve(string name)
    {
        for (Graph? graph = this; graph is not null; graph = graph.Outer)
        {
            if (graph._values.TryGetValue(name, out Value? value)) return value;
        }
        return null;
    }

    public Value AddInput(string name, TensorType? type = null)
    {
        Value value = Define(name);
        value.Type = type;
        value.IsGraphInput = true;
        _inputs.Add(value);
        return value;
    }

    /// <summary>An input takes the place of <paramref name="old"/>, which nothing reads any more and which goes.</summary>
    public void ReplaceInput(Value old, Value input)
    {
        if (old.HasUses) throw new InvalidOperationException($"'{old.Name}' still has uses.");
        _inputs.Remove(input);
        _inputs[_inputs.IndexOf(old)] = input;
        old.IsGraphInput = false;
        Forget(old);
    }

    /// <summary>Adds an initializer, or gives an input of that name its default content.</summary>
    public Value AddInitializer(string name, TensorData data)
    {
        if (_values.TryGetValue(name, out Value? input) && input is { IsGraphInput: true, Data: null })
        {
            input.Data = data;
            input.Type ??= TensorType.Of(data);
            return input;
        }
        Value value = Define(name);
        value.Data = data;
        value.Type = TensorType.Of(data);
        return value;
    }

    /// <summary>Adds an initializer under a name like <paramref name="hint"/> that nothing visible here or below has.</summary>
    public Value AddConstant(string hint, TensorData data) => AddInitializer(FreshName(hint), data);

    public void SetData(Value value, TensorData? data)
    {
        value.Data = data;
        if (data is not null) value.Type = TensorType.Of(data);
    }

    public void AddOutput(Value value)
    {
        _outputs.Add(value);
        value.GraphOutputCount++;
    }

    public void SetOutput(int index, Value value)
    {
        _outputs[index].GraphOutputCount--;
        _outputs[index] = value;
        value.GraphOutputCount++;
    }

    public void RemoveOutput(int index)
    {
        _outputs[index].GraphOutputCount--;
        _outputs.RemoveAt(index);
    }

    /// <summary>Takes a value off the inputs; with content it stays as a constant, without it must have no uses.</summary>
    public void RemoveInput(Value value)
    {
        if (!_inputs.Remove(value)) return;
        value.IsGraphInput = false;
        if (value.Data is null) Forget(value);
    }

    /// <summary>Makes an initializer or a node's output an input without content, keeping name, uses and place among the outputs. The node that computed
    /// it stays, without this output.</summary>
    public void MakeInput(Value value, TensorType type)
    {
        Disown(value);
        value.Data = null;
        value.Type = type;
        value.Remainder = null;
        if (value.IsGraphInput) return;
        value.IsGraphInput = true;
        _inputs.Add(value);
    }

    /// <summary>Makes an input or a node's output a constant, keeping name, uses and place among the outputs.</summary>
    public void MakeConstant(Value value, TensorData data)
    {
        Disown(value);
        if (value.IsGraphInput) _inputs.Remove(value);
        value.IsGraphInput = false;
        value.Remainder = null;
        SetData(value, data);
    }

    private static void Disown(Value value)
    {
        if (value.Producer is { } producer) producer.OutputList[value.OutputIndex] = null;
        value.Producer = null;
        value.OutputIndex = 0;
    }

    /// <summary>Takes many inputs that have content off the list at once.</summary>
    public void FixInputs(IReadOnlyCollection<Value> values)
    {
        HashSet<Value> gone = [.. values];
        _inputs.RemoveAll(gone.Contains);
        foreach (Value value in gone) value.IsGraphInput = false;
    }

    /// <summary>Adds a node before <paramref name="before"/>, or at the end. Output names that are null stand for unwanted outputs.</summary>
    public Node AddNode(string opType, IReadOnlyList<Value?> inputs, IReadOnlyList<string?> outputs, string domain = "", Node? before = null)
    {
        Node node = new(this, opType, domain);
        Link(node, before);
        node.SetInputs(inputs);
        node.OutputList.Reserve(outputs.Count);
        for (int i = 0; i < outputs.Count; i++)
        {
            if (outputs[i] is not { } name)
            {
                node.OutputList.Add(null);
                continue;
            }
            Value value = Define(name);
            value.Producer = node;
            value.OutputIndex = i;
            node.OutputList.Add(value);
        }
        return node;
    }

    /// <summary>Adds a node with the operator, the outputs' names and, as far as <paramref name="map"/> does not replace them, the inputs of another one.
    /// A graph of a hundred thousand nodes is copied for each edit, so this makes nothing that is thrown away.</summary>
    internal Node AddTwin(Node original, Dictionary<Value, Value> map, Node? before, Func<string, string>? rename)
    {
        Node node = new(this, original.OpType, original.Domain);
        Link(node, before);
        node.InputList.Reserve(original.InputList.Count);
        for (int i = 0; i < original.InputList.Count; i++)
        {
            Value? input = original.InputList[i];
            if (input is not null && map.TryGetValue(input, out Value? replaced)) input = replaced;
            node.InputList.Add(input);
            input?.UseList.Add(new Use(node, i));
        }
        node.OutputList.Reserve(original.OutputList.Count);
        for (int i = 0; i < original.OutputList.Count; i++)
        {
            Value? value = original.OutputList[i] is { } output ? Define(rename is null ? output.Name : rename(output.Name)) : null;
            if (value is not null)
            {
                value.Producer = node;
                value.OutputIndex = i;
            }
            node.OutputList.Add(value);
        }
        return node;
    }

    /// <summary>Gives a node one more output, at a place that is empty so far.</summary>
    public Value AddOutputTo(Node node, int index, string name)
    {
        while (node.OutputList.Count <= index) node.OutputList.Add(null);
        if (node.OutputList[index] is { } present) throw new InvalidOperationException($"Output {index} is '{present.Name}' already.");
        Value value = Define(name);
        value.Producer = node;
        value.OutputIndex = index;
        node.OutputList[index] = value;
        return value;
    }

    /// <summary>Takes away an output that nobody reads; the later ones move up. An optional one in the middle would become another: only trailing outputs
    /// and those of If may go.</summary>
    public void RemoveOutputOf(Node node, int index)
    {
        if (node.OutputList[index] is { } output)
        {
            if (output.HasUses) throw new InvalidOperationException($"'{output.Name}' still has uses.");
            output.Producer = null;
            Forget(output);
        }
        node.OutputList.RemoveAt(index);
        for (int i = index; i < node.OutputList.Count; i++)
        {
            if (node.OutputList[i] is { } later) later.OutputIndex = i;
        }
    }

    /// <summary>Makes <paramref name="value"/> (so far without producer) the output of another node, keeping its name, uses and place among the outputs.</summary>
    public void MoveOutput(Value value, Node producer, int index)
    {
        if (value.Producer is { } old) old.OutputList[value.OutputIndex] = null;
        while (producer.OutputList.Count <= index) producer.OutputList.Add(null);
        if (producer.OutputList[index] is { } replaced)
        {
            if (replaced.HasUses) throw new InvalidOperationException($"'{replaced.Name}' still has uses.");
            replaced.Producer = null;
            Forget(replaced);
        }
        producer.OutputList[index] = value;
        value.Producer = producer;
        value.OutputIndex = index;
    }

    /// <summary>Removes a node whose outputs nobody reads. Its inputs' uses go with it, and so do the subgraphs' uses of outer values.</summary>
    public void Remove(Node node)
    {
        foreach (Value? output in node.OutputList)
        {
            if (output is { HasUses: true }) throw new InvalidOperationException($"'{output.Name}' of {node.OpType} still has uses.");
        }
        foreach (Graph subgraph in node.Subgraphs) subgraph.Detach();
        node.SetInputs();
        foreach (Value? output in node.OutputList)
        {
            if (output is null) continue;
            output.Producer = null;
            Forget(output);
        }
        Unlink(node);
    }

    /// <summary>Every reader of <paramref name="old"/>, graph outputs included, reads <paramref name="replacement"/> from now on.
    /// A graph output keeps its name: the replacement takes it over where it can, else a node Identity carries it.</summary>
    public void ReplaceUses(Value old, Value replacement)
    {
        if (ReferenceEquals(old, replacement)) return;
        // Moved in one go: a constant may have a hundred thousand readers.
        foreach (Use use in old.UseList)
        {
            use.Node.InputList[use.Index] = replacement;
            replacement.UseList.Add(use);
        }
        old.UseList.Clear();
        if (!old.IsGraphOutput) return;
        ReplaceOutputsBelow(old, replacement);
        if (!old.IsGraphOutput) return;
        replacement.Origin = replacement.Origin.Join(old.Origin);
        if (replacement.Graph == this && replacement is { IsGraphOutput: false, IsGraphInput: false, Producer: not null } && old.Producer is not null)
        {
            ReplaceOutput(old, replacement);
            string name = old.Name;
            Rename(old, FreshName(name + "_replaced"));
            Rename(replacement, name);
            if (old.Remainder is not null) (replacement.Remainder, old.Remainder) = (old.Remainder, null);
            replacement.Type ??= old.Type;
        }
        else if (!(old.Producer is { } node && node.Is("Identity") && ReferenceEquals(node.Input(0), replacement)))
        {
            Node? producer = old.Producer;
            Node identity = AddNode("Identity", [replacement], [], before: producer?.Next);
            if (producer is null) throw new InvalidOperationException($"'{old.Name}' has no producer, so nothing can take its place among the outputs.");
            identity.Name = FreshName(old.Name + "_identity");
            MoveOutput(old, identity, 0);
        }
    }

    /// <summary>A nested body may give a value from outside as its own result.</summary>
    private void ReplaceOutputsBelow(Value old, Value replacement)
    {
        foreach (Graph below in _graphsBelow ?? [])
        {
            below.ReplaceOutput(old, replacement);
            below.ReplaceOutputsBelow(old, replacement);
        }
    }

    private void ReplaceOutput(Value old, Value replacement)
    {
        for (int i = 0; i < _outputs.Count; i++)
        {
            if (ReferenceEquals(_outputs[i], old)) SetOutput(i, replacement);
        }
    }

    public void Rename(Value value, string name)
    {
        if (string.Equals(value.Name, name, StringComparison.Ordinal)) return;
        if (_values.ContainsKey(name)) throw new InvalidOperationException($"'{name}' is defined already.");
        _values.Remove(value.Name);
        value.Name = name;
        _values.Add(name, value);
    }

    /// <summary>Drops an initializer that nobody reads.</summary>
    public void RemoveInitializer(Value value)
    {
        if (value.HasUses) throw new InvalidOperationException($"Initializer '{value.Name}' still has uses.");
        value.Data = null;
        if (!value.IsGraphInput) Forget(value);
    }

    /// <summary>Moves a node; the caller keeps topological order.</summary>
    public void Move(Node node, Node? before)
    {
        if (ReferenceEquals(node, before) || ReferenceEquals(node.Next, before) && before is not null) return;
        Unlink(node);
        node.IsAlive = true;
        Link(node, before);
    }

    /// <summary>A name that starts with <paramref name="hint"/> and that neither this body, nor one around it, nor one below defines.</summary>
    public string FreshName(string hint)
    {
        Graph root = this;
        while (root.Outer is { } outer) root = outer;
        string name = hint;
        while (Resolve(name) is not null || root.DefinedBelow(name)) name = $"{hint}_{++root._fresh}";
        return name;
    }

    private bool DefinedBelow(string name) => _graphsBelow is { } below && below.Any(g => g._values.ContainsKey(name) || g.DefinedBelow(name));

    private List<Graph>? _graphsBelow;

    internal void Attach(Node owner)
    {
        Owner = owner;
        (owner.Graph._graphsBelow ??= []).Add(this);
    }

    /// <summary>Releases what this body reads from outside; it is unusable afterwards.</summary>
    internal void Detach()
    {
        foreach (Node node in Nodes)
        {
            foreach (Graph below in node.Subgraphs) below.Detach();
            for (int i = 0; i < node.InputList.Count; i++)
            {
                if (node.InputList[i] is { } input && input.Graph != this) node.SetInput(i, null);
            }
        }
        foreach (Value output in _outputs)
        {
            if (output.Graph != this) output.GraphOutputCount--;
        }
        Owner?.Graph._graphsBelow?.Remove(this);
        Owner = null;
    }

    private Value Define(string name)
    {
        Value value = new(this, name);
        if (!_values.TryAdd(name, value)) throw new InvalidOperationException($"'{name}' is defined twice.");
        return value;
    }

    private void Forget(Value value)
    {
        if (_values.TryGetValue(value.Name, out Value? known) && ReferenceEquals(known, value)) _values.Remove(value.Name);
    }

    private void Link(Node node, Node? before)
    {
        node.Next = before;
        node.Previous = before is null ? Last : before.Previous;
        if (node.Previous is null) First = node; else node.Previous.Next = node;
        if (before is null) Last = node; else before.Previous = node;
        NodeCount++;
    }

    private void Unlink(Node node)
    {
        if (node.Previous is null) First = node.Next; else node.Previous.Next = node.Next;
        if (node.Next is null) Last = node.Previous; else node.Next.Previous = node.Previous;
        node.IsAlive = false;
        NodeCount--;
    }
}
