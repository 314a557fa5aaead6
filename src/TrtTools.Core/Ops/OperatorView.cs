using System.Text;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Ops;

/// <summary>A node read so that its opset doesn't matter: what was an attribute in one version and is an input in another comes from
/// one property (see the other part of this struct, in NodeViews.cs). Constants are initializers and Constant nodes.</summary>
internal readonly partial struct OperatorView(Node node, long opset, AttributeBindings? bindings = null, Func<Value, DimExpr?[]?>? contents = null)
{
    // Larger tensors are weights, not shapes; reading them would cost time on every pass.
    internal const int LargestShapeTensor = 4096;

    public Node Node { get; } = node;

    /// <summary>The opset of the node's domain.</summary>
    public long Opset { get; } = opset;

    /// <summary>A view of a node in a model's main graph or in a subgraph of it.</summary>
    public static OperatorView Of(OnnxGraph model, Node node) => new(node, model.OpsetImports.GetValueOrDefault(node.Domain, node.Domain.Length == 0 ? model.OnnxOpset : 1));

    /// <summary>The attribute, references to a function's attributes resolved; null when absent.</summary>
    public Attribute? Attribute(string name)
    {
        Attribute? found = Node.Attributes[name];
        return found is { Reference: { } reference } ? bindings?.Resolve(reference) : found;
    }

    public bool HasAttribute(string name) => Attribute(name) is not null;

    public long Int(string name, long absent) => Attribute(name) is { Content: long value } ? value : absent;

    public float Float(string name, float absent) => Attribute(name) is { Content: float value } ? value : absent;

    public string String(string name, string absent) => Attribute(name) is { Content: byte[] bytes } ? Encoding.UTF8.GetString(bytes) : absent;

    public long[]? Ints(string name) => Attribute(name)?.Content as long[];

    public float[]? Floats(string name) => Attribute(name)?.Content as float[];

    public TensorData? Tensor(string name) => Attribute(name)?.Content as TensorData;

    public Graph? Subgraph(string name) => Attribute(name)?.Content as Graph;

    public bool Has(int input) => Node.Input(input) is not null;

    /// <summary>The constant that an input reads, if it is one.</summary>
    public TensorData? Constant(int input) => Constant(Node.Input(input), bindings);

    /// <summary>The content of an initializer (a default that a caller may override counts) or of a Constant node; null for anything else.</summary>
    public static TensorData? Constant(Value? value, AttributeBindings? bindings = null)
    {
        if (value is null) return null;
        if (value.Data is { } data) return data;
        return value.Producer is { } producer && producer.Is("Constant") ? ConstantOf(new OperatorView(producer, 13, bindings)) : null;
    }

    /// <summary>Integers of a small constant input; null when it is absent, not constant or not of integers.</summary>
    public long[]? Integers(int input)
    {
        if (Constant(input) is { } data)
        {
            return data.ElementCount <= LargestShapeTensor && (data.Type.IsInteger() || data.Type == DataType.Bool) && !IsBeyondInt64(data) ? data.ToInt64() : null;
        }
        return Node.Input(input) is { } value && contents?.Invoke(value) is { } elements && elements.All(e => e is { IsConstant: true }) ? [.. elements.Select(e => e!.Value)] : null;
    }

    /// <summary>Numbers of a small constant input; null when it is absent, not constant or not numeric.</summary>
    public double[]? Numbers(int input)
    {
        if (Constant(input) is { } data)
        {
            return data.ElementCount <= LargestShapeTensor && (data.Type.IsFloatingPoint() || data.Type.IsInteger() || data.Type == DataType.Bool) && !IsBeyondInt64(data) ? data.ToDouble() : null;
        }
        return Integers(input) is { } integers ? [.. integers.Select(i => (double)i)] : null;
    }

    private static bool IsBeyondInt64(TensorData data) => data.Type == DataType.UInt64 && data.AsSpan<ulong>().ContainsAnyInRange((ulong)long.MaxValue + 1, ulong.MaxValue);

    /// <summary>The one number of a constant scalar or one-element input.</summary>
    public double? Number(int input) => Numbers(input) is [double number] ? number : null;

    internal static TensorData? ConstantOf(OperatorView constant)
    {
        if (constant.Tensor("value") is { } tensor) return tensor;
        return constant.Node.Attributes.FirstOrDefault(a => a.Name.StartsWith("value_", StringComparison.Ordinal)) is { } named ? constant.Attribute(named.Name)?.Content switch
        {
            long number => TensorData.Scalar(number),
            float number => TensorData.Scalar(number),
            long[] numbers => TensorData.From<long>(numbers, numbers.Length),
            float[] numbers => TensorData.From<float>(numbers, numbers.Length),
            byte[] text => TensorData.FromStrings([], [Encoding.UTF8.GetString(text)]),
            byte[][] texts => TensorData.FromStrings([texts.Length], [.. texts.Select(Encoding.UTF8.GetString)]),
            _ => null,
        } : null;
    }
}

/// <summary>The attributes that a call gives to a function's body; without a call, the function's own defaults.</summary>
internal sealed class AttributeBindings(Function function, OperatorView? call = null)
{
    // The call may itself stand in a function's body, so its attributes are resolved there.
    private readonly Dictionary<string, Attribute?> _given = function.RequiredAttributes.Concat(function.DefaultAttributes.Select(a => a.Name))
        .Distinct(StringComparer.Ordinal).ToDictionary(n => n, n => call?.Attribute(n) ?? function.DefaultAttributes.FirstOrDefault(a => a.Name == n), StringComparer.Ordinal);

    /// <summary>Null when neither the call nor the function gives it: the referring attribute is absent then.</summary>
    public Attribute? Resolve(string name) => _given.GetValueOrDefault(name);

    public IEnumerable<(string Name, object? Content)> Contents => _given.Select(p => (p.Key, p.Value?.Content));
}
