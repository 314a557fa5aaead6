using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Add or Sub of a constant per channel after Conv, ConvTranspose or Gemm becomes its bias.</summary>
internal sealed class FoldBiasIntoConv : NodePass
{
    public override string Name => "fold-bias-into-conv";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Add", "Sub"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Inputs.Count != 2 || context.Opset < 7) return false;
        return Try(node, 0, context) || (node.OpType == "Add" && Try(node, 1, context));
    }

    private static bool Try(Node node, int side, PassContext context)
    {
        if (PassContext.Constant(node.Input(1 - side)) is not { } operand || ChannelFold.Of(node.Input(side), context) is not { } target) return false;
        if (target.PerChannel(operand) is not { } shift) return false;
        if (node.OpType == "Sub") shift = [.. shift.Select(s => -s)];
        return target.Apply(null, shift, node, context);
    }
}
