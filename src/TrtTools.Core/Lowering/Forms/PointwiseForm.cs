using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operators that compute each element from the elements at its place, with broadcasting.</summary>
internal static class PointwiseForm
{
    private static readonly Dictionary<string, Func<NodeLowering, Expr[], Expr>> s_compute = new(StringComparer.Ordinal)
    {
        ["Add"] = (_, x) => Ex.Call("add", x[0], x[1]),
        ["Sub"] = (_, x) => Ex.Call("sub", x[0], x[1]),
        ["Mul"] = (_, x) => Ex.Call("mul", x[0], x[1]),
        ["Div"] = (_, x) => Ex.Call("div", x[0], x[1]),
        ["Relu"] = (_, x) => Ex.Max(x[0], Ex.Constant(0, x[0].Type)),
        ["Sigmoid"] = (_, x) => Ex.Div(Ex.Constant(1, x[0].Type), Ex.Call("add", Ex.Constant(1, x[0].Type), Ex.Call("exp", Ex.Call("neg", x[0])))),
        ["Tanh"] = (_, x) => Ex.Call("tanh", x[0]),
    };

    public static string? Lower(NodeLowering node)
    {
        if (!s_compute.TryGetValue(node.Node.OpType, out Func<NodeLowering, Expr[], Expr>? compute)) return $"no kernel computes {node.Node.OpType}";
        DimExpr[] shape = node.OutputShape();
        node.EmitMap(index => compute(node, [.. Enumerable.Range(0, node.InputCount).Where(node.Has).Select(i => NodeLowering.LoadBroadcast(node.Input(i), index, shape))]));
        return null;
    }
}
