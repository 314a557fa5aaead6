using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operators that compute each element from the elements at its place, with broadcasting.</summary>
internal static class PointwiseForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["Cast"] = Cast, ["CastLike"] = Cast, ["BitCast"] = BitCast, ["Dropout"] = Dropout, ["SwiGLU"] = SwiGlu, ["BitShift"] = BitShift,
        ["com.microsoft::Gelu"] = node => Unary(node, "x * 0.5 * (1 + erf(x * 0.70710678118654752))"),
        ["com.microsoft::QuickGelu"] = node => Unary(node, "x / (1 + exp(-alpha * x))", ("alpha", 1.702)),
        ["com.microsoft::FastGelu"] = node => BiasGelu(node, "0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))"),
        ["com.microsoft::BiasGelu"] = node => BiasGelu(node, "x * 0.5 * (1 + erf(x * 0.70710678118654752))"),
    };

    public static string? Lower(NodeLowering node)
    {
        OperatorDefinition definition = OperatorCatalog.Find(node.Node.Domain, node.Node.OpType, node.View.Opset)!;
        if (definition.Scalar is null) return $"no kernel computes {node.Node.OpType}";
        if (Enumerable.Range(0, node.InputCount).Any(i => node.Has(i) && !Computes(node.Input(i).Type)) || !Computes(node.OutputType())) return $"no kernel computes in {node.Input(0).Type}";
        if (Enumerable.Range(0, node.InputCount).Any(i => node.Has(i) && node.Input(i).Type == DataType.UInt64) && node.Node.OpType is not ("Add" or "Sub" or "Mul" or "Equal" or "Where" or "BitwiseAnd" or "BitwiseOr" or "BitwiseXor" or "BitwiseNot")) return "no kernel orders UInt64";
        DimExpr[] shape = node.OutputShape();
        LoweredValue target = node.Output();
        long? legacy = node.View.LegacyBroadcastAxis;
        node.EmitMap(index =>
        {
            Expr?[] inputs = [.. Enumerable.Range(0, node.InputCount).Select(i => !node.Has(i) ? null : i == 1 && legacy is { } axis ? Legacy(node.Input(1), index, axis) : NodeLowering.LoadBroadcast(node.Input(i), index, shape))];
            return Ex.Convert(ScalarText.Of(node.View, definition, inputs)!, target.Type.ScalarType());
        });
        return null;
    }

    public static bool Computes(DataType type) => type.IsFloatingPoint() || type.IsInteger() || type is DataType.Bool or DataType.Int4 or DataType.UInt4;

    // Before opset 7 B could stand at any run of A's axes.
    private static Expr Legacy(LoweredValue b, Expr[] index, long axis) =>
        NodeLowering.LoadAt(b, [.. Enumerable.Range(0, b.Rank).Select(d => b.Shape[d] is { IsConstant: true, Value: 1 } ? Ex.Zero : index[d + (int)(axis < 0 ? axis + index.Length : axis)])]);

    private static string? Cast(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        DataType to = node.OutputType();
        if (!Computes(source.Type) || !Computes(to)) return $"no kernel casts {source.Type} to {to}";
        if (source.Type == DataType.UInt64 && to.IsFloatingPoint()) return "no kernel casts UInt64 to floats";
        node.EmitMap(index => new ConvertExpr(to, NodeLowering.LoadAt(source, index)));
        return null;
    }

    private static string? BitCast(NodeLowering node) => node.Input(0).Type == node.OutputType() ? MovementForm.Move(node, index => index) : "no kernel reinterprets bits";

    private static string? Dropout(NodeLowering node)
    {
        if (!node.View.IsDropoutInactive) return "it drops at random";
        MovementForm.Move(node, index => index);
        if (node.Wants(1)) node.Emit(RegionKind.Map, NodeLowering.Map(node.Output(1), _ => node.OutputType(1) == DataType.Bool ? Ex.True : Ex.Constant(1, node.OutputType(1).ScalarType())));
        return null;
    }

    private static string? SwiGlu(NodeLowering node)
    {
        LoweredValue x = node.Input(0), gate = node.Input(1);
        Expr alpha = Ex.Number(node.View.Float("alpha", 1), x.Type.ScalarType());
        node.EmitMap(index =>
        {
            Expr value = NodeLowering.LoadAt(x, index), one = Ex.Constant(1, value.Type);
            Expr swish = Ex.Div(value, Ex.Call("add", one, Ex.Call("exp", Ex.Call("neg", Ex.Call("mul", alpha, value)))));
            return Ex.Call("mul", swish, NodeLowering.LoadAt(gate, index));
        });
        return null;
    }

    private static string? BitShift(NodeLowering node)
    {
        DimExpr[] shape = node.OutputShape();
        string function = node.View.String("direction", "LEFT") == "LEFT" ? "shl" : "shr";
        node.EmitMap(index => Ex.Call(function, NodeLowering.LoadBroadcast(node.Input(0), index, shape), NodeLowering.LoadBroadcast(node.Input(1), index, shape)));
        return null;
    }

    private static string? Unary(NodeLowering node, string text, params (string Name, double Absent)[] attributes)
    {
        LoweredValue x = node.Input(0);
        node.EmitMap(index => ScalarText.Parse(text, [NodeLowering.LoadAt(x, index)], name => (double)node.View.Float(name, (float)attributes.First(a => a.Name == name).Absent)));
        return null;
    }

    private static string? BiasGelu(NodeLowering node, string text)
    {
        LoweredValue x = node.Input(0);
        LoweredValue? bias = node.Optional(1);
        DimExpr[] shape = node.OutputShape();
        node.EmitMap(index =>
        {
            Expr value = NodeLowering.LoadAt(x, index);
            if (bias is not null) value = Ex.Call("add", value, NodeLowering.LoadBroadcast(bias, index, shape));
            return ScalarText.Parse(text, [value], _ => null);
        });
        return null;
    }
}
