using System.Text;
using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Kinds of attribute, with ONNX's numbers (AttributeProto.AttributeType).</summary>
public enum AttributeKind
{
    Undefined = 0, Float = 1, Int = 2, String = 3, Tensor = 4, Graph = 5, Floats = 6, Ints = 7, Strings = 8, Tensors = 9, Graphs = 10,
    SparseTensor = 11, SparseTensors = 12, Type = 13, Types = 14,
}

/// <summary>A named, immutable attribute. <see cref="Content"/> is float, long, byte[] (UTF-8), TensorData, Graph, float[], long[], byte[][],
/// TensorData[], Graph[], or for the kinds from SparseTensor on an opaque object that belongs to Onnx.</summary>
internal sealed record Attribute(string Name, AttributeKind Kind, object? Content)
{
    /// <summary>In a function body: the function's attribute whose content this one takes.</summary>
    public string? Reference { get; init; }

    /// <summary>What the file said beyond name, kind and content; opaque outside Onnx.</summary>
    public object? Remainder { get; init; }

    public static Attribute Float(string name, float value) => new(name, AttributeKind.Float, value);

    public static Attribute Int(string name, long value) => new(name, AttributeKind.Int, value);

    public static Attribute String(string name, string value) => new(name, AttributeKind.String, Encoding.UTF8.GetBytes(value));

    public static Attribute Tensor(string name, TensorData value) => new(name, AttributeKind.Tensor, value);

    public static Attribute Subgraph(string name, Graph value) => new(name, AttributeKind.Graph, value);

    public static Attribute Floats(string name, params float[] values) => new(name, AttributeKind.Floats, values);

    public static Attribute Ints(string name, params long[] values) => new(name, AttributeKind.Ints, values);

    public static Attribute Strings(string name, params string[] values) => new(name, AttributeKind.Strings, values.Select(Encoding.UTF8.GetBytes).ToArray());

    public static Attribute ReferenceTo(string name, AttributeKind kind, string functionAttribute) => new(name, kind, null) { Reference = functionAttribute };

    public string Text => Encoding.UTF8.GetString((byte[])Content!);

    public IEnumerable<Graph> Graphs => Content switch { Graph g => [g], Graph[] many => many, _ => [] };
}

/// <summary>A node's attributes in file order, by name.</summary>
internal sealed class AttributeMap : IEnumerable<Attribute>
{
    // Most nodes have few attributes or none, so this is a list that is searched.
    private Attribute[] _items = [];
    private readonly Node _node;

    internal AttributeMap(Node node) => _node = node;

    public int Count => _items.Length;

    /// <summary>Whether any attribute holds a graph.</summary>
    public bool HasGraphs { get; private set; }

    public Attribute? this[string name] => IndexOf(name) is >= 0 and var at ? _items[at] : null;

    public bool Contains(string name) => IndexOf(name) >= 0;

    public void Set(Attribute attribute)
    {
        int at = IndexOf(attribute.Name);
        if (at >= 0)
        {
            foreach (Graph old in _items[at].Graphs) old.Detach();
        }
        // A new array each time: whoever enumerates goes on with the old one.
        Attribute[] items = [.. _items, .. at < 0 ? [attribute] : Array.Empty<Attribute>()];
        if (at >= 0) items[at] = attribute;
        Put(items);
        foreach (Graph graph in attribute.Graphs) graph.Attach(_node);
    }

    /// <summary>Takes over all attributes of another node, none of which holds a graph; a later change of either leaves the other as it is.</summary>
    internal void Share(AttributeMap other)
    {
        _items = other._items;
        HasGraphs = false;
    }

    public bool Remove(string name)
    {
        int at = IndexOf(name);
        if (at < 0) return false;
        foreach (Graph old in _items[at].Graphs) old.Detach();
        Put([.. _items[..at], .. _items[(at + 1)..]]);
        return true;
    }

    public long Int(string name, long absent) => this[name] is { Content: long value } ? value : absent;

    public float Float(string name, float absent) => this[name] is { Content: float value } ? value : absent;

    public string String(string name, string absent) => this[name] is { Content: byte[] } a ? a.Text : absent;

    public long[]? Ints(string name) => this[name]?.Content as long[];

    public float[]? Floats(string name) => this[name]?.Content as float[];

    public TensorData? Tensor(string name) => this[name]?.Content as TensorData;

    public Graph? Subgraph(string name) => this[name]?.Content as Graph;

    public IEnumerator<Attribute> GetEnumerator() => ((IEnumerable<Attribute>)_items).GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    private void Put(Attribute[] items)
    {
        _items = items;
        HasGraphs = Array.Exists(items, a => a.Content is Graph or Graph[]);
    }

    private int IndexOf(string name)
    {
        for (int i = 0; i < _items.Length; i++)
        {
            if (string.Equals(_items[i].Name, name, StringComparison.Ordinal)) return i;
        }
        return -1;
    }
}
