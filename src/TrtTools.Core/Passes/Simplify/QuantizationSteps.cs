using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>What the passes over QuantizeLinear and DequantizeLinear have in common.</summary>
internal static class QuantizationSteps
{
    /// <summary>Operators that move elements and leave them as they are, from input 0 to output 0.</summary>
    public static IReadOnlyCollection<string> Movers { get; } = ["Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice"];

    /// <summary>One constant scale for all elements, of Int8 or UInt8: then it does not matter whether they are moved before or after.</summary>
    public static bool IsPerTensor(Node node, DataType quantized) =>
        quantized is DataType.Int8 or DataType.UInt8 && PassContext.Constant(node.Input(1)) is { ElementCount: 1, Type: DataType.Float32 } && (node.Input(2) is null || PassContext.Constant(node.Input(2)) is { ElementCount: 1 });

    public static bool IsMover(Node node) => node.Domain.Length == 0 && Movers.Contains(node.OpType) && node.Outputs.Count == 1 && node.Output() is not null;

    /// <summary>The mover again, of another value.</summary>
    public static Node Move(Node mover, Value source, string hint, PassContext context, IReadOnlyList<string> sources)
    {
        Node moved = context.AddNode(mover.OpType, [source, .. mover.Inputs.Skip(1)], hint, mover, sources);
        foreach (Ir.Attribute attribute in mover.Attributes) moved.Attributes.Set(attribute);
        return moved;
    }
}
