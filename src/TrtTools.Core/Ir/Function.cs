namespace TrtTools.Ir;

/// <summary>An ONNX model-local function: a body with formal inputs, outputs and attributes.</summary>
internal sealed class Function(string domain, string name, string overload, Graph body)
{
    public string Domain { get; } = domain;

    public string Name { get; } = name;

    public string Overload { get; } = overload;

    public Graph Body { get; } = body;

    /// <summary>Attributes a call must give.</summary>
    public List<string> RequiredAttributes { get; } = [];

    /// <summary>Attributes with defaults.</summary>
    public List<Attribute> DefaultAttributes { get; } = [];

    public SortedDictionary<string, long> Opset { get; } = new(StringComparer.Ordinal);

    /// <summary>Doc string, metadata, unknown fields; opaque outside Onnx.</summary>
    public object? Remainder { get; set; }

    /// <summary>A deep copy that shares weights with this one.</summary>
    public Function Copy()
    {
        Function twin = new(Domain, Name, Overload, GraphCopier.Copy(Body)) { Remainder = Remainder };
        twin.RequiredAttributes.AddRange(RequiredAttributes);
        twin.DefaultAttributes.AddRange(DefaultAttributes);
        foreach ((string domain, long version) in Opset) twin.Opset[domain] = version;
        return twin;
    }

    public (string Domain, string Name, string Overload) Key => (Domain, Name, Overload);
}
