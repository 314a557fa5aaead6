using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Mul or Div by a constant per channel after Conv, ConvTranspose or Gemm becomes part of the weights.</summary>
internal sealed class FoldScaleIntoConv : NodePass
{
    public override string Name => "fold-scale-into-conv";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Mul", "Div"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Inputs.Count != 2 || context.Opset < 7) return false;
        return Try(node, 0, context) || (node.OpType == "Mul" && Try(node, 1, context));
    }

    private static bool Try(Node node, int side, PassContext context)
    {
        if (PassContext.Constant(node.Input(1 - side)) is not { } operand || ChannelFold.Of(node.Input(side), context) is not { } target) return false;
        if (target.PerChannel(operand) is not { } scale) return false;
        if (node.OpType == "Div")
        {
            if (scale.Any(s => s == 0)) return false;
            scale = [.. scale.Select(s => 1 / s)];
        }
        return target.Apply(scale, null, node, context);
    }
}
