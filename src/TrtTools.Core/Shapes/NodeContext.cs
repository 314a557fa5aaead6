using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Shapes;

/// <summary>One node as its shape rule sees it.</summary>
internal sealed class NodeContext : InferenceContext
{
    private readonly ShapeWalk _walk;
    private readonly ShapeWalk.Frame _frame;

    public NodeContext(ShapeWalk walk, Node node, ShapeWalk.Frame frame)
    {
        _walk = walk;
        _frame = frame;
        Node = node;
        View = new OperatorView(node, frame.Opset.GetValueOrDefault(node.Domain, 1), frame.Bindings, walk.ContentOf);
    }

    public override Node Node { get; }

    public override OperatorView View { get; }

    public override TensorType? Type(int input) => Node.Input(input) is { } value ? _walk.TypeOf(value) : null;

    public override DimExpr?[]? Content(int input) => Node.Input(input) is { } value ? _walk.ContentOf(value) : null;

    public override void SetType(int output, TensorType type)
    {
        if (Node.Output(output) is not { } value) return;
        _walk.SetType(Node, value, type);
        if (Node.Is("Constant") && OperatorView.ConstantOf(View) is { } data && ShapeWalk.ReadContent(data) is { } content) _walk.SetContent(value, content);
    }

    public override void SetContent(int output, DimExpr?[]? elements)
    {
        if (elements is not null && Node.Output(output) is { } value) _walk.SetContent(value, elements);
    }

    public override TensorType? Held(int input) => Node.Input(input) is { } value ? _walk.HeldBy(value) : null;

    public override void SetHeld(int output, TensorType? type)
    {
        if (type is not null && Node.Output(output) is { } value) _walk.SetHeld(value, type);
    }

    public override void Contradict(string message) => _walk.Say($"Node '{Node.DisplayName}' ({Node.OpType}): {message}");

    public override DimExpr RunTimeExtent(int output, int axis) => DimExpr.GeneratedSymbol($"{Node.Output(output)?.Name ?? Node.DisplayName}.{axis}");

    public override IReadOnlyList<KnownValue> InferBody(Graph body, IReadOnlyList<KnownValue> inputs) => _walk.InferBody(body, inputs, _frame);
}
