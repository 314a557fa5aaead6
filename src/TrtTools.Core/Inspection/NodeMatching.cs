using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Tensors;
using System.Text;

namespace TrtTools.Inspection;

/// <summary>Finds which node of one body is which of another, whatever their order and names. Time grows with the number of nodes, not with its square.</summary>
internal sealed class NodeMatching
{
    /// <summary>A value that more nodes read tells nothing of which of them is meant.</summary>
    private const int MostReaders = 64;

    private readonly Dictionary<Node, Node> _toNew = [];
    private readonly HashSet<Node> _taken = [];
    private readonly Dictionary<Value, Value> _values = [];
    private readonly List<Node> _old, _new;
    private readonly Dictionary<Value, ulong> _hashes = [];
    private readonly Dictionary<Node, ulong> _nodeHashes = [];

    /// <param name="outer">Pairs of values around the bodies.</param>
    public NodeMatching(Graph reference, Graph graph, IReadOnlyDictionary<Value, Value> outer)
    {
        foreach ((Value a, Value b) in outer) _values[a] = b;
        PairInputs(reference, graph);
        _old = [.. reference.Nodes.Where(n => !IsConstant(n))];
        _new = [.. graph.Nodes.Where(n => !IsConstant(n))];
        // An outer value is the same for both when it is paired: it gets one hash.
        foreach ((Value a, Value b) in _values) _hashes[a] = _hashes[b] = Mix(Of(b.Name), 17);
        foreach (Node node in _old.Concat(_new)) Hash(node);
        Match((node, hash) => (node.Outputs.FirstOrDefault(o => o is not null)?.Name ?? "", hash), static _ => true);
        Match((_, hash) => ("", hash), static _ => true);
        Match((node, _) => (node.Outputs.FirstOrDefault(o => o is not null)?.Name ?? "", Of(node.OpType)), static key => key.Item1.Length > 0);
        Match((node, _) => (node.Name, Of(node.OpType)), static key => key.Item1.Length > 0);
        foreach (Node node in _old) ByPlace(node);
        Match((node, _) => (node.Outputs.FirstOrDefault(o => o is not null)?.Name ?? "", 0), static key => key.Item1.Length > 0);
    }

    public IReadOnlyList<Node> Old => _old;

    public IEnumerable<Node> Added => _new.Where(n => !_taken.Contains(n));

    /// <summary>Values of the reference and what they are in the new graph; constants are not among them.</summary>
    public IReadOnlyDictionary<Value, Value> Values => _values;

    public Node? Find(Node old) => _toNew.GetValueOrDefault(old);

    public static bool IsConstant(Node node) => node.Is("Constant") && ConstantReader.ReadNode(node) is not null;

    private void PairInputs(Graph reference, Graph graph)
    {
        List<Value> left = [];
        foreach (Value input in reference.Inputs.Where(i => i.Data is null))
        {
            if (graph.Find(input.Name) is { IsGraphInput: true, Data: null } same) _values[input] = same;
            else left.Add(input);
        }
        // What is left goes by its place.
        List<Value> free = [.. graph.Inputs.Where(i => i.Data is null && reference.Find(i.Name) is not { IsGraphInput: true, Data: null })];
        for (int i = 0; i < Math.Min(left.Count, free.Count); i++) _values[left[i]] = free[i];
    }

    private void Match(Func<Node, ulong, (string, ulong)> keyOf, Func<(string, ulong), bool> use)
    {
        Dictionary<(string, ulong), Queue<Node>> free = [];
        foreach (Node node in _new)
        {
            if (_taken.Contains(node)) continue;
            (string, ulong) key = keyOf(node, _nodeHashes[node]);
            if (!use(key)) continue;
            if (!free.TryGetValue(key, out Queue<Node>? queue)) free.Add(key, queue = new Queue<Node>());
            queue.Enqueue(node);
        }
        if (free.Count == 0) return;
        foreach (Node node in _old)
        {
            if (_toNew.ContainsKey(node)) continue;
            if (free.TryGetValue(keyOf(node, _nodeHashes[node]), out Queue<Node>? queue) && queue.TryDequeue(out Node? found)) Pair(node, found);
        }
    }

    /// <summary>A node whose input is paired is the reader of that pair's other half, if its operator is the same and it reads it at the same place.</summary>
    private void ByPlace(Node old)
    {
        if (_toNew.ContainsKey(old)) return;
        for (int i = 0; i < old.Inputs.Count; i++)
        {
            if (old.Inputs[i] is not { } input || !_values.TryGetValue(input, out Value? other) || other.Uses.Count > MostReaders) continue;
            foreach (Use use in other.Uses)
            {
                if (use.Index != i || use.Node.OpType != old.OpType || use.Node.Domain != old.Domain || _taken.Contains(use.Node) || !_nodeHashes.ContainsKey(use.Node)) continue;
                Pair(old, use.Node);
                return;
            }
        }
    }

    private void Pair(Node old, Node found)
    {
        _toNew.Add(old, found);
        _taken.Add(found);
        for (int i = 0; i < Math.Min(old.Outputs.Count, found.Outputs.Count); i++)
        {
            if (old.Outputs[i] is { } a && found.Outputs[i] is { } b) _values[a] = b;
        }
    }

    private void Hash(Node node)
    {
        ulong hash = Mix(Of(node.OpType), Of(node.Domain));
        ulong attributes = 0;
        StringBuilder text = new();
        foreach (Ir.Attribute attribute in node.Attributes)
        {
            text.Clear();
            AttributeText.Append(text, attribute);
            // A sum: the order of attributes does not matter.
            attributes += Mix(Of(text.ToString()), 3);
        }
        hash = Mix(hash, attributes);
        bool commutes = OperatorCatalog.Find(node.Domain, node.OpType)?.Is(OperatorTraits.Commutative) == true && node.Inputs.Count == 2;
        if (commutes) hash = Mix(hash, HashOf(node.Inputs[0]) + HashOf(node.Inputs[1]));
        else foreach (Value? input in node.Inputs) hash = Mix(hash, HashOf(input));
        _nodeHashes[node] = hash;
        for (int i = 0; i < node.Outputs.Count; i++)
        {
            if (node.Outputs[i] is { } output) _hashes[output] = Mix(hash, (ulong)i + 101);
        }
    }

    private ulong HashOf(Value? value)
    {
        if (value is null) return 7;
        if (_hashes.TryGetValue(value, out ulong known)) return known;
        return _hashes[value] = (value.Data ?? ConstantReader.Read(value)) is { } data ? Of(data) : Mix(Of(value.Name), 29);
    }

    /// <summary>Type, shape and some of the bytes: enough to tell siblings apart.</summary>
    private static ulong Of(TensorData data)
    {
        ulong hash = Mix((ulong)data.Type, 11);
        foreach (long extent in data.Shape) hash = Mix(hash, (ulong)extent);
        if (data.Type == DataType.String)
        {
            foreach (string text in data.Strings) hash = Mix(hash, Of(text));
            return hash;
        }
        long step = Math.Max(8, data.ByteCount / 32 / 8 * 8);
        for (long at = 0; at < data.ByteCount; at += step)
        {
            ulong word = 0;
            foreach (byte b in data.Slice(at, (int)Math.Min(8, data.ByteCount - at))) word = word << 8 | b;
            hash = Mix(hash, word);
        }
        return hash;
    }

    private static ulong Of(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in text) hash = (hash ^ c) * 1099511628211;
        return hash;
    }

    private static ulong Mix(ulong a, ulong b)
    {
        ulong z = a * 0x9E3779B97F4A7C15 + b + 0x632BE59BD9B4E019;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
