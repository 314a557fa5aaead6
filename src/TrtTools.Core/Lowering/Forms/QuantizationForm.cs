using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Between floats and the integers that stand for them.</summary>
internal static class QuantizationForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["QuantizeLinear"] = Quantize, ["DequantizeLinear"] = Dequantize, ["com.microsoft::QuantizeLinear"] = Quantize, ["com.microsoft::DequantizeLinear"] = Dequantize,
        ["DynamicQuantizeLinear"] = DynamicQuantize,
    };

    /// <summary>A scale or zero point: one for all, one for each place along the axis, or one for a block of places.</summary>
    private static Expr Parameter(NodeLowering node, LoweredValue parameter, Expr[] index)
    {
        int axis = (int)(node.View.Axis < 0 ? node.View.Axis + index.Length : node.View.Axis);
        if (parameter.Rank == 0) return NodeLowering.LoadAt(parameter);
        if (parameter.Rank == 1) return NodeLowering.LoadAt(parameter, parameter.Shape[0] is { IsConstant: true, Value: 1 } ? Ex.Zero : index[axis]);
        long block = Math.Max(1, node.View.Int("block_size", 1));
        return NodeLowering.LoadAt(parameter, [.. index.Select((i, d) => d == axis ? Ex.FloorDiv(i, block) : i)]);
    }

    private static string? Quantize(NodeLowering node)
    {
        LoweredValue x = node.Input(0), scale = node.Input(1);
        LoweredValue? zero = node.Optional(2);
        DataType type = node.OutputType();
        if (!type.IsInteger() && type is not (DataType.Int4 or DataType.UInt4)) return $"no kernel quantizes to {type}";
        node.EmitMap(index =>
        {
            Expr value = Ex.ToFloat(NodeLowering.LoadAt(x, index));
            Expr steps = Ex.Call("round", Ex.Div(value, Ex.Convert(Parameter(node, scale, index), value.Type)));
            if (zero is not null && Parameter(node, zero, index) is var offset && offset is not ConstantExpr { Integer: 0 }) steps = Ex.Call("add", steps, Ex.Convert(offset, steps.Type));
            return new ConvertExpr(type, steps, saturates: true);
        });
        return null;
    }

    private static string? Dequantize(NodeLowering node)
    {
        LoweredValue x = node.Input(0), scale = node.Input(1);
        LoweredValue? zero = node.Optional(2);
        if (!x.Type.IsInteger() && x.Type is not (DataType.Int4 or DataType.UInt4)) return $"no kernel dequantizes {x.Type}";
        node.EmitMap(index =>
        {
            Expr value = NodeLowering.LoadAt(x, index);
            if (zero is not null && Parameter(node, zero, index) is var offset && offset is not ConstantExpr { Integer: 0 }) value = Ex.Sub(value, offset);
            return Ex.Call("mul", Ex.Convert(value, ScalarType.Float32), Ex.Convert(Parameter(node, scale, index), ScalarType.Float32));
        });
        return null;
    }

    /// <summary>The range of the whole tensor, widened to hold 0, spread over 0 to 255.</summary>
    private static string? DynamicQuantize(NodeLowering node)
    {
        LoweredValue x = node.Input(0), y = node.Output(0), scale = node.Output(1), zero = node.Output(2);
        scale.KeepsType = true;
        LoweredValue low = node.Scratch("minimum", DataType.Float32, []), high = node.Scratch("maximum", DataType.Float32, []);
        Axis[] first = NodeLowering.Space(x.Shape, "r"), second = NodeLowering.Space(x.Shape, "r");
        Expr none = Ex.Number(0);
        Expr Rounded(Expr value) => Ex.Call("round", value);
        node.Emit(RegionKind.Nests,
            NodeLowering.Reduce(low, first, Combiner.Minimum, _ => NodeLowering.LoadAt(x, Ex.Of(first)), (total, _) => Ex.Min(total, none)),
            NodeLowering.Reduce(high, second, Combiner.Maximum, _ => NodeLowering.LoadAt(x, Ex.Of(second)), (total, _) => Ex.Max(total, none)),
            NodeLowering.Map(scale, _ =>
            {
                Expr spread = Ex.Call("sub", Ex.Load(high), Ex.Load(low));
                return Ex.Select(Ex.Equal(spread, none), Ex.Number(1), Ex.Div(spread, Ex.Number(255)));
            }),
            NodeLowering.Map(zero, _ => new ConvertExpr(DataType.UInt8, Rounded(Ex.Div(Ex.Call("neg", Ex.Load(low)), Ex.Load(scale))), saturates: true)),
            NodeLowering.Map(y, index => new ConvertExpr(DataType.UInt8, Ex.Call("add", Rounded(Ex.Div(NodeLowering.LoadAt(x, index), Ex.Load(scale))), Ex.Convert(Ex.Load(zero), ScalarType.Float32)), saturates: true)));
        return null;
    }
}
