using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>DequantizeLinear goes behind what only moves elements, towards the operator that computes with them; a quarter of the bytes are moved.</summary>
internal sealed class PushDequantize : NodePass
{
    public override string Name => "push-dequantize";

    public override IReadOnlyCollection<string> OpTypes => QuantizationSteps.Movers;

    public override bool Apply(Node node, PassContext context)
    {
        if (!QuantizationSteps.IsMover(node) || node.Input(0) is not { HasSingleUse: true, Producer: { } dequantize } || !dequantize.Is("DequantizeLinear") || dequantize.Graph != node.Graph) return false;
        // Weights are quantized as they are; moving them is the constants' business.
        if (dequantize.Input(0) is not { } quantized || PassContext.Constant(quantized) is not null || !QuantizationSteps.IsPerTensor(dequantize, Types.TypeOf(quantized))) return false;
        Value output = node.Output()!;
        Node moved = QuantizationSteps.Move(node, quantized, output.Name + "_quantized", context, PassContext.SourcesOf(node));
        Node later = context.AddNode("DequantizeLinear", [moved.Output(), .. dequantize.Inputs.Skip(1)], output.Name + "_dequantized", node, PassContext.SourcesOf(dequantize));
        context.SetInput(node, 0, null);
        context.Reproduce(output, later);
        return true;
    }
}
