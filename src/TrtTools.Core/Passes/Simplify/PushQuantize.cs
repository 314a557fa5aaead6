using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>QuantizeLinear goes before what only moves elements, towards the operator that computed them.</summary>
internal sealed class PushQuantize : NodePass
{
    public override string Name => "push-quantize";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["QuantizeLinear"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { HasSingleUse: true, Producer: { } mover } || !QuantizationSteps.IsMover(mover) || mover.Graph != node.Graph || node.Output() is not { } output) return false;
        // Without a zero point the type is UInt8, unless an attribute says otherwise.
        if (node.Input(2) is null || !QuantizationSteps.IsPerTensor(node, Types.TypeOf(node.Input(2))) || mover.Input(0) is not { } source) return false;
        if (PassContext.Constant(source) is not null || Types.TypeOf(source) != DataType.Float32) return false;
        Node earlier = context.AddNode("QuantizeLinear", [source, .. node.Inputs.Skip(1)], output.Name + "_quantized", mover, PassContext.SourcesOf(node));
        foreach (Ir.Attribute attribute in node.Attributes) earlier.Attributes.Set(attribute);
        Node moved = QuantizationSteps.Move(mover, earlier.Output()!, output.Name + "_moved", context, PassContext.SourcesOf(mover));
        context.SetInput(node, 0, null);
        context.Reproduce(output, moved);
        return true;
    }
}
