using System.Collections.Specialized;
using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Debugging;

/// <summary>Cuts sets of nodes out of a model. What they read from the rest becomes inputs, except for what is no input in truth: what depends on no input of the
/// model, and small integer tensors such as the shape that a Reshape reads, become constants with the content that they have in the model.</summary>
internal sealed class CandidateMaker
{
    /// <summary>Integer tensors of more elements than this are data.</summary>
    private const int MostShapeElements = 64;

    private readonly OnnxGraph _graph;
    private readonly ValueCapture? _capture;
    private readonly Dictionary<Node, int> _index = [];

    /// <summary>Values that depend on an input of the model.</summary>
    private readonly HashSet<Value> _variable = [];

    /// <param name="graph">Its types are completed in place.</param>
    public CandidateMaker(OnnxGraph graph, ValueCapture? capture)
    {
        _graph = graph;
        _capture = capture;
        ShapeInference.Infer(graph);
        HashSet<Node> needed = [];
        SubgraphSelection.Collect(graph.Body.Outputs, new HashSet<Value>(), needed, []);
        foreach (Value input in graph.Body.Inputs) _variable.Add(input);
        List<Node> nodes = [];
        foreach (Node node in graph.Body.Nodes)
        {
            if (!needed.Contains(node)) continue;
            bool varies = Rewiring.ReadBy(node).Any(_variable.Contains) || (node.Inputs.Count == 0 && !node.Is("Constant"));
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                if (varies) _variable.Add(output);
                if (output.Type is not { DataType: not DataType.Undefined }) output.Type = capture?.TypeOf(output) ?? output.Type;
            }
            if (node.Is("Constant")) continue;
            _index.Add(node, nodes.Count);
            nodes.Add(node);
        }
        Nodes = nodes;
    }

    /// <summary>The nodes that the model's outputs need, in the order they run, without those that only hold a constant.</summary>
    public IReadOnlyList<Node> Nodes { get; }

    public int IndexOf(Node node) => _index[node];

    /// <summary>Places 0 … n between nodes at which nothing but tensors passes from before to after.</summary>
    public IReadOnlyList<int> Cuts()
    {
        int[] crossing = new int[Nodes.Count + 1];
        foreach ((Node node, int index) in _index)
        {
            foreach (Value output in node.Outputs.OfType<Value>().Where(o => !IsTensor(o)))
            {
                int last = ReadersOf(output).Select(r => _index[r]).DefaultIfEmpty(index).Max();
                for (int cut = index + 1; cut <= last; cut++) crossing[cut]++;
            }
        }
        return [.. Enumerable.Range(0, Nodes.Count + 1).Where(c => crossing[c] == 0)];
    }

    /// <summary>Null where the nodes cannot be had alone, as something that is no tensor passes to or from them.</summary>
    /// <param name="lastOnly">Only what none of the nodes reads is given out; else all that the model reads elsewhere.</param>
    public ModelCandidate? Make(IReadOnlySet<Node> nodes, bool lastOnly, CancellationToken stop)
    {
        if (nodes.Count == 0) return null;
        (List<Value> cut, HashSet<Node> all) = Close(nodes);
        List<Value> outputs = Outputs(all, lastOnly);
        // An output of the model may be of any type; it stays what it is.
        if (outputs.Count == 0 || cut.Exists(v => !IsTensor(v) && !v.IsGraphInput) || outputs.Exists(v => !IsTensor(v) && !v.IsGraphOutput)) return null;
        IReadOnlyDictionary<string, TensorData>? known = _capture?.Get(cut.Concat(outputs), stop);
        // What the part reads must be there, all of it or nothing.
        if (known is not null && cut.Exists(v => !known.ContainsKey(v.Name))) known = null;
        OnnxGraph part = SubgraphSelection.Extract(_graph, cut, outputs, new SubgraphOptions(), Report.None);
        foreach (Value value in cut)
        {
            Value twin = part.Body.Find(value.Name)!;
            if (known is not null && IsConstantInTruth(value, known[value.Name]) && !twin.IsGraphOutput) part.Body.MakeConstant(twin, known[value.Name]);
            else if (twin.Type is { Shape: null } && known is not null) twin.Type = TensorType.Of(known[value.Name]);
        }
        part.Name = $"{_graph.Name}-part";
        // It is no longer what the file holds.
        part.Path = null;
        part = part.WithHistory(ModelReducer.Command, $"{all.Count} of {Nodes.Count} nodes");
        return new ModelCandidate(part, known is null ? null : Tensors(part.Body.Inputs.Where(i => i.Data is null), known), known is null ? null : Tensors(part.Body.Outputs.Where(o => known.ContainsKey(o.Name)), known));
    }

    /// <summary>What the set reads from outside, after nodes that only compute with constants were taken in where their content is not known.</summary>
    private (List<Value> Cut, HashSet<Node> All) Close(IReadOnlySet<Node> nodes)
    {
        HashSet<Node> all = [.. nodes];
        HashSet<Value> seen = [];
        List<Value> cut = [];
        Queue<Node> pending = new(Nodes.Where(nodes.Contains));
        while (pending.TryDequeue(out Node? node))
        {
            foreach (Value read in Rewiring.ReadBy(node))
            {
                if (!seen.Add(read) || read is { Producer: null, IsGraphInput: false } || (read.Producer is { } producer && (all.Contains(producer) || producer.Is("Constant")))) continue;
                if (read is { Producer: null, Data: not null }) continue;
                if (_capture is null && !_variable.Contains(read) && read.Producer is { } constant)
                {
                    all.Add(constant);
                    pending.Enqueue(constant);
                    continue;
                }
                cut.Add(read);
            }
        }
        // A node may have been taken in after one of its outputs was found outside.
        cut.RemoveAll(v => v.Producer is { } p && all.Contains(p));
        return (cut, all);
    }

    private List<Value> Outputs(HashSet<Node> nodes, bool lastOnly)
    {
        List<Value> outputs = [];
        foreach (Node node in Nodes.Where(nodes.Contains))
        {
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                List<Node> readers = ReadersOf(output);
                bool readInside = readers.Exists(nodes.Contains), readOutside = readers.Exists(r => !nodes.Contains(r)) || output.IsGraphOutput;
                if (readOutside && !(lastOnly && readInside)) outputs.Add(output);
            }
        }
        return outputs;
    }

    /// <summary>True where a part gives out something that it also reads.</summary>
    public bool HasInnerOutputs(IReadOnlySet<Node> nodes) => Outputs([.. nodes], lastOnly: false).Count > Outputs([.. nodes], lastOnly: true).Count;

    /// <summary>Of some nodes those that lead to one of them, or that it leads to; with it.</summary>
    public HashSet<Node> Reach(IReadOnlySet<Node> nodes, Node from, bool up)
    {
        HashSet<Node> reached = [from];
        Stack<Node> pending = new([from]);
        while (pending.TryPop(out Node? node))
        {
            IEnumerable<Node> next = up ? Rewiring.ReadBy(node).Select(v => v.Producer).OfType<Node>() : node.Outputs.OfType<Value>().SelectMany(ReadersOf);
            foreach (Node other in next.Where(nodes.Contains))
            {
                if (reached.Add(other)) pending.Push(other);
            }
        }
        return reached;
    }

    /// <summary>The nodes of the main graph that read a value themselves or in their subgraphs.</summary>
    private List<Node> ReadersOf(Value value) => [.. Rewiring.ReadersOf(value).Select(r => Passes.Captures.AncestorIn(_graph.Body, r)).OfType<Node>().Where(_index.ContainsKey).Distinct()];

    private bool IsConstantInTruth(Value value, TensorData data) => !value.IsGraphInput && (!_variable.Contains(value) || (!data.Type.IsFloatingPoint() && data.Type != DataType.String && data.ElementCount <= MostShapeElements));

    private static bool IsTensor(Value value) => value.Type is { DataType: not DataType.Undefined };

    public static OrderedDictionary Tensors(IEnumerable<Value> values, IReadOnlyDictionary<string, TensorData> known)
    {
        OrderedDictionary tensors = new(StringComparer.Ordinal);
        foreach (Value value in values) tensors[value.Name] = new Tensor(value.Name, known[value.Name]);
        return tensors;
    }
}
