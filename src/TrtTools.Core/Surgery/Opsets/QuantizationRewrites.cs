using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

internal static class QuantizationRewrites
{
    /// <summary>Scales per channel came with 13: without them it is arithmetic.</summary>
    public static void DequantizePerTensor(OpsetStep step)
    {
        if (IsPerTensor(step)) step.Node.Attributes.Remove("axis");
        else DequantizeByArithmetic(step);
    }

    public static void QuantizePerTensor(OpsetStep step)
    {
        if (!IsPerTensor(step)) throw step.Refuse("it has scales per channel", "Quantize the model again, at this opset, or keep opset 13");
        step.Node.Attributes.Remove("axis");
    }

    /// <summary>(x − zero point) · scale.</summary>
    public static void DequantizeByArithmetic(OpsetStep step)
    {
        Node node = step.Node;
        bool perTensor = IsPerTensor(step);
        int rank = perTensor ? 0 : step.Rank(0, "its scales have an axis of their own");
        long axis = node.Attributes.Int("axis", 1);
        if (axis < 0) axis += rank;
        Attribute toFloat = Attribute.Int("to", (long)DataType.Float32);
        Value x = step.Emit("Cast", "float", [node.Input(0)], toFloat);
        if (node.Input(2) is { } zero) x = step.Emit("Sub", "centred", [x, step.Emit("Cast", "zero", [Shaped(zero, "zero_shape")], toFloat)]);
        step.Become("Mul", [x, Shaped(node.Input(1)!, "scale_shape")]);

        Value Shaped(Value value, string hint)
        {
            if (perTensor) return value;
            long[] shape = [.. Enumerable.Range(0, rank).Select(i => i == axis ? -1L : 1L)];
            return step.Emit("Reshape", hint + "d", [value, step.Vector(hint, shape)]);
        }
    }

    private static bool IsPerTensor(OpsetStep step) => step.ShapeOf(1) is { } shape ? shape.Rank == 0 || shape is { Rank: 1 } && shape[0] is { IsConstant: true, Value: 1 } : throw step.Refuse("nothing is known of the shape of its scale", "Fold what computes it first: Optimize-OnnxGraph");
}
