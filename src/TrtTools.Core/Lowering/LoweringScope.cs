using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>One graph while it is lowered: what its values became, and the operations so far.</summary>
internal sealed class LoweringScope(OnnxGraph graph, ShapeResult shapes, LoweringOptions options)
{
    private readonly Dictionary<Value, LoweredValue> _values = [];
    private readonly Dictionary<string, int> _names = new(StringComparer.Ordinal);

    public OnnxGraph Graph { get; } = graph;

    public LoweringOptions Options { get; } = options;

    public List<Operation> Operations { get; } = [];

    public List<LoweredValue> Inputs { get; } = [];

    public List<LoweredValue> Outputs { get; } = [];

    /// <summary>Every value made, by its storage.</summary>
    public Dictionary<Storage, LoweredValue> ByStorage { get; } = [];

    public OperatorView ViewOf(Node node) => new(node, Graph.OpsetImports.GetValueOrDefault(node.Domain, node.Domain.Length == 0 ? Graph.OnnxOpset : 1), null, shapes.ContentOf);

    public DimExpr?[]? ContentOf(Value value) => shapes.ContentOf(value);

    /// <summary>What a value of the graph became. Constants are made when first asked for.</summary>
    public LoweredValue ValueOf(Value value)
    {
        if (_values.TryGetValue(value, out LoweredValue? known)) return known;
        if (OperatorView.Constant(value) is not { } data) throw new InvalidOperationException($"'{value.Name}' is read before it is lowered.");
        return _values[value] = Constant(value.Name, data, [value.Name]);
    }

    public bool IsLowered(Value value) => _values.ContainsKey(value) || OperatorView.Constant(value) is not null;

    public void Define(Value value, LoweredValue lowered) => _values[value] = lowered;

    public LoweredValue Constant(string name, TensorData data, IReadOnlyList<string>? tensors = null) =>
        Register(new LoweredValue(Fresh(name), StorageKind.Weight, data.Type, [.. data.Shape.ToArray().Select(DimExpr.Constant)], data, -1, tensors));

    public LoweredValue Scratch(string name, DataType type, IReadOnlyList<DimExpr> shape, IReadOnlyList<string>? tensors = null) =>
        Register(new LoweredValue(Fresh(name), StorageKind.Scratch, type, shape, tensors: tensors));

    public LoweredValue Binding(Value value, StorageKind kind, int number)
    {
        LoweredValue made = Register(new LoweredValue(value.Name, kind, value.Type!.DataType, ShapeOf(value), binding: number, tensors: [value.Name]));
        (kind == StorageKind.Input ? Inputs : Outputs).Add(made);
        return made;
    }

    public static DimExpr[] ShapeOf(Value value) => [.. value.Type!.Shape!.Dimensions.Select(d => d!)];

    /// <summary>True when type and every extent are known.</summary>
    public static bool IsKnown(Value value) => value.Type is { Shape: { } shape, DataType: not DataType.Undefined } && shape.Dimensions.All(d => d is not null);

    private LoweredValue Register(LoweredValue value)
    {
        ByStorage.Add(value.Storage, value);
        return value;
    }

    private string Fresh(string name)
    {
        int count = _names.GetValueOrDefault(name);
        _names[name] = count + 1;
        return count == 0 ? name : $"{name}.{count}";
    }
}
