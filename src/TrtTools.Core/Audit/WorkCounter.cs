using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Audit;

/// <summary>Adds up the operations of one run, through subgraphs and function calls.</summary>
internal sealed class WorkCounter(OnnxGraph graph, ExtentReader extents)
{
    private readonly CallInference _inference = new(graph);
    private readonly Dictionary<string, double> _calls = new(StringComparer.Ordinal);
    private int _depth;

    public double Count() => Count(graph.Body, graph.OpsetImports, null, null);

    /// <summary>Operations of one node.</summary>
    public double Count(Node node) => Count(node, graph.OpsetImports, null, null);

    private double Count(Graph body, IReadOnlyDictionary<string, long> opset, AttributeBindings? bindings, IReadOnlyDictionary<Value, TensorType>? types)
    {
        double sum = 0;
        foreach (Node node in body.Nodes) sum += Count(node, opset, bindings, types);
        return sum;
    }

    private double Count(Node node, IReadOnlyDictionary<string, long> opset, AttributeBindings? bindings, IReadOnlyDictionary<Value, TensorType>? types)
    {
        OperatorView view = new(node, opset.GetValueOrDefault(node.Domain, 1), bindings);
        if (graph.FindFunction(node) is { } function) return OfCall(function, view, types);
        double inner = 0;
        foreach (Graph subgraph in node.Subgraphs)
        {
            double once = Count(subgraph, opset, bindings, types);
            inner = node.Is("If") ? Math.Max(inner, once) : inner + (once * Rounds(view, types));
        }
        if (OperatorCatalog.Find(node.Domain, node.OpType, view.Opset) is not { } definition) return inner;
        long[]? Shape(Value? value) => value is null ? null : types is not null && types.TryGetValue(value, out TensorType? type) ? extents.Read(value, type) : extents.Read(value);
        return inner + definition.Flops(new FlopsContext(view, [.. node.Inputs.Select(Shape)], [.. node.Outputs.Select(Shape)]));
    }

    private double OfCall(Function function, OperatorView call, IReadOnlyDictionary<Value, TensorType>? types)
    {
        if (_depth > 50) return 0;
        CalledBody body = _inference.Infer(function, call, types);
        if (_calls.TryGetValue(body.Key, out double known)) return known;
        _depth++;
        double sum = Count(function.Body, function.Opset, body.Bindings, body.Types);
        _depth--;
        return _calls[body.Key] = sum;
    }

    private double Rounds(OperatorView view, IReadOnlyDictionary<Value, TensorType>? types)
    {
        if (view.Node.Is("Loop")) return view.Integers(0) is [> 0 and long trips] ? trips : 1;
        if (!view.Node.Is("Scan")) return 1;
        int scanned = (int)Math.Clamp(view.Int("num_scan_inputs", 0), 0, view.Node.Inputs.Count);
        Value? first = scanned > 0 ? view.Node.Input(view.Node.Inputs.Count - scanned) : null;
        long axis = view.Ints("scan_input_axes") is [long given, ..] ? given : view.Opset < 9 ? 1 : 0;
        long[]? shape = first is null ? null : types is not null && types.TryGetValue(first, out TensorType? type) ? extents.Read(first, type) : extents.Read(first);
        return shape is not null && axis >= 0 && axis < shape.Length ? shape[axis] : 1;
    }
}
