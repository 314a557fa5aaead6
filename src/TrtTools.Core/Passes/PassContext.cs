using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Passes;

/// <summary>The graph under work. Passes edit it through here, so that the neighbours of every edit are looked at again.</summary>
internal sealed class PassContext(OnnxGraph model, Report report, CancellationToken stop)
{
    private readonly List<Node> _touched = [];
    private readonly Dictionary<string, List<(Node Node, int Index)>> _touchesByOperator = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<Node>> _exhausted = new(StringComparer.Ordinal);
    private readonly ShapeTracker _shapes = new(model);
    private int _shapesSeen;
    private HashSet<string>? _nodeNames;

    public OnnxGraph Model { get; } = model;

    /// <summary>True when a pass was taken back, so that the result is not what all passes make of it.</summary>
    public bool WasTakenBack { get; init; }

    /// <summary>How often evaluation ended its process.</summary>
    public int Collapses { get; set; }

    public Report Report { get; } = report;

    public CancellationToken Stop { get; } = stop;

    public long Opset => Model.OnnxOpset;

    /// <summary>How many touches there were.</summary>
    public int TouchCount => _touched.Count;

    /// <summary>Nodes in the order they were touched; one may stand here several times.</summary>
    public IReadOnlyList<Node> Touched => _touched;

    /// <summary>The touches of one operator's nodes (of the ONNX domain): the node, and where in <see cref="Touched"/> it stands.</summary>
    public List<(Node Node, int Index)> TouchesOf(string opType)
    {
        if (!_touchesByOperator.TryGetValue(opType, out List<(Node, int)>? list)) _touchesByOperator.Add(opType, list = []);
        return list;
    }

    /// <summary>Nodes that a pass tried in vain and need not try again.</summary>
    public HashSet<Node> ExhaustedBy(string pass)
    {
        if (!_exhausted.TryGetValue(pass, out HashSet<Node>? nodes)) _exhausted.Add(pass, nodes = []);
        return nodes;
    }

    public static bool IsLastTouch(Node node, int index) => node.LastTouch == index;

    /// <summary>Infers types and shapes of what was touched since the last call; returns the main graph's nodes that were visited.</summary>
    public IReadOnlyList<Node> InferShapes()
    {
        List<Value> learned = [];
        IReadOnlyList<Node> visited = _shapes.Update(_touched.Skip(_shapesSeen), learned);
        _shapesSeen = _touched.Count;
        // Where a shape is known now, guards may hold that did not before.
        foreach (Value value in learned) TouchAround(value);
        return visited;
    }

    /// <summary>The elements of a shape tensor, as far as the last <see cref="InferShapes"/> found them.</summary>
    public DimExpr?[]? ContentOf(Value value) => _shapes.ContentOf(value);

    public void Touch(Node? node)
    {
        if (node is not { IsAlive: true }) return;
        node.LastTouch = _touched.Count;
        if (node.Domain.Length == 0) TouchesOf(node.OpType).Add((node, _touched.Count));
        _touched.Add(node);
    }

    public void TouchAround(Value? value)
    {
        if (value is null) return;
        Touch(value.Producer);
        // The many readers of one value are unaffected by one reader more or less.
        if (value.UseList.Count > 64) return;
        foreach (Use use in value.UseList) Touch(use.Node);
    }

    public void TouchAround(Node node)
    {
        foreach (Value? input in node.Inputs) TouchAround(input);
        Touch(node);
        foreach (Value? output in node.Outputs) TouchAround(output);
    }

    /// <summary>The node read so that its opset doesn't matter.</summary>
    public OperatorView View(Node node) => OperatorView.Of(Model, node);

    /// <summary>The content of a constant: an initializer's or a Constant node's.</summary>
    public static TensorData? Constant(Value? value) => ConstantReader.Read(value);

    /// <summary>Whether <see cref="Replace"/> would change anything: a graph output that only takes its value from an input or
    /// an outer value needs a node to carry it.</summary>
    public static bool CanReplace(Value old, Value replacement) =>
        old.UseList.Count > 0 || (old.IsGraphOutput && replacement.Graph == old.Graph && replacement is { IsGraphOutput: false, IsGraphInput: false, Producer: not null });

    /// <summary>All readers of <paramref name="old"/> read <paramref name="replacement"/>, which holds the same content; then the producer goes if nobody needs it.</summary>
    public void Replace(Value old, Value replacement)
    {
        TouchAround(replacement);
        foreach (Use use in old.UseList) Touch(use.Node);
        JoinOrigins(old, replacement);
        replacement.Type = Types.MoreSpecific(replacement.Type, old.Type);
        Node? producer = old.Producer;
        old.Graph.ReplaceUses(old, replacement);
        Touch(replacement.Producer);
        RemoveIfUnused(producer);
    }

    /// <summary>The value becomes an initializer; its name stays.</summary>
    public void ReplaceByConstant(Value old, TensorData data)
    {
        Graph graph = old.Graph;
        Node producer = old.Producer!;
        foreach (Use use in old.UseList) Touch(use.Node);
        if (old.IsGraphOutput)
        {
            // A graph output must be computed by a node: ONNX Runtime takes an initializer there, others do not.
            Value constant = graph.AddConstant(old.Name + "_constant", data);
            constant.Origin = NamesOf(old);
            foreach (Use use in old.UseList.ToArray()) use.Node.SetInput(use.Index, constant);
            Node identity = graph.AddNode("Identity", [constant], [], before: producer);
            identity.SourceNodes = SourcesOf(producer);
            identity.Name = FreshNodeName(old.Name + "_identity");
            graph.MoveOutput(old, identity, 0);
            Touch(identity);
        }
        else
        {
            string name = old.Name;
            graph.Rename(old, graph.FreshName(name + "_folded"));
            Value constant = graph.AddConstant(name, data);
            constant.Origin = old.Origin;
            graph.ReplaceUses(old, constant);
        }
        RemoveIfUnused(producer);
    }

    public void SetInput(Node node, int index, Value? value)
    {
        Value? old = node.Input(index);
        node.SetInput(index, value);
        Touch(node);
        if (old is not null) RemoveIfUnused(old.Producer);
        if (value is not null) Touch(value.Producer);
    }

    /// <summary>Removes a node that nobody needs, and then what only fed it; the rest of what fed it is looked at again.</summary>
    public void RemoveIfUnused(Node? node)
    {
        Stack<Node?> pending = new([node]);
        while (pending.TryPop(out Node? next))
        {
            if (next is not { IsAlive: true }) continue;
            Touch(next);
            if (next.Outputs.Any(o => o is { HasUses: true })) continue;
            List<Value> read = [.. next.Inputs.OfType<Value>(), .. next.Subgraphs.SelectMany(Captures.Of)];
            next.Graph.Remove(next);
            foreach (Value value in read)
            {
                pending.Push(value.Producer);
                // A value that has but one reader left may fuse with it now.
                if (value.UseList.Count != 1) continue;
                Touch(value.UseList[0].Node);
            }
        }
    }

    public void Remove(Node node) => RemoveIfUnused(node);

    public Node AddNode(string opType, IReadOnlyList<Value?> inputs, string outputHint, Node before, IReadOnlyList<string> sources)
    {
        Graph graph = before.Graph;
        Node node = graph.AddNode(opType, inputs, [graph.FreshName(outputHint)], before: before);
        node.SourceNodes = sources;
        node.Name = FreshNodeName(outputHint);
        foreach (Value? input in inputs) Touch(input?.Producer);
        Touch(node);
        return node;
    }

    /// <summary>The other node computes <paramref name="value"/> from now on, under its own name; what computed it so far goes if unused.</summary>
    public void Reproduce(Value value, Node producer, int index = 0)
    {
        Node? old = value.Producer;
        value.Graph.MoveOutput(value, producer, index);
        TouchAround(producer);
        if (old is { IsAlive: true } && !old.Outputs.Any(o => o is { HasUses: true })) Remove(old);
    }

    public string FreshNodeName(string wanted)
    {
        _nodeNames ??= new HashSet<string>(Model.Body.NodesWithSubgraphs.Select(n => n.Name), StringComparer.Ordinal);
        string name = wanted;
        for (int i = 2; !_nodeNames.Add(name); i++) name = $"{wanted}_{i}";
        return name;
    }

    /// <summary>The file's nodes that a node stands for.</summary>
    public static IReadOnlyList<string> SourcesOf(Node node) => node.SourceNodes.Count > 0 ? node.SourceNodes : node.Name.Length > 0 ? [node.Name] : node.Output() is { } output ? [output.Name] : [];

    public static IReadOnlyList<string> SourcesOf(params ReadOnlySpan<Node> nodes)
    {
        List<string> all = [];
        foreach (Node node in nodes)
        {
            foreach (string name in SourcesOf(node))
            {
                if (!all.Contains(name)) all.Add(name);
            }
        }
        return all;
    }

    public static Origin NamesOf(Value value) => value.Origin.TensorNames.Count > 0 ? value.Origin : Origin.Of(value.Name);

    private static void JoinOrigins(Value old, Value replacement)
    {
        if (replacement.Data is not null) return;
        Origin joined = NamesOf(replacement).Join(NamesOf(old));
        replacement.Origin = joined;
        // ReplaceUses joins once more when names change hands, which adds nothing.
        old.Origin = joined;
    }
}
