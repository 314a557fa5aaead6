using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>QuantizeLinear of what was just dequantized with the same scale and zero point gives the numbers that were there before.</summary>
internal sealed class RemoveRequantization : NodePass
{
    public override string Name => "remove-requantization";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["QuantizeLinear"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { Producer: { } dequantize } || !dequantize.Is("DequantizeLinear") || dequantize.Input(0) is not { } quantized || node.Output() is not { } output) return false;
        if (Types.TypeOf(quantized) != Types.TypeOf(node.Input(2)) || !QuantizationSteps.IsPerTensor(dequantize, Types.TypeOf(quantized)) || !QuantizationSteps.IsPerTensor(node, Types.TypeOf(quantized))) return false;
        // With a scale at the end of the type's range, a product and a quotient need not cancel.
        float scale = PassContext.Constant(node.Input(1))!.AsSpan<float>()[0];
        if (scale is not (> 1e-30f and < 1e30f) || scale != PassContext.Constant(dequantize.Input(1))!.AsSpan<float>()[0] || ZeroOf(dequantize) != ZeroOf(node)) return false;
        if (!PassContext.CanReplace(output, quantized)) return false;
        context.Replace(output, quantized);
        return true;
    }

    private static long ZeroOf(Node node) => PassContext.Constant(node.Input(2)) is { } zero ? zero.ToInt64()[0] : 0;
}
