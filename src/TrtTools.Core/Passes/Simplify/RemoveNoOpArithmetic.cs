using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>x + 0, x − 0, x · 1, x / 1, x ^ 1, x and true, x or false, where the constant's shape adds nothing to x's.
/// x + 0 turns −0 into +0; nothing but a division by it can tell, and simplifiers agree to drop it.</summary>
internal sealed class RemoveNoOpArithmetic : NodePass
{
    public override string Name => "remove-no-op-arithmetic";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Add", "Sub", "Mul", "Div", "Pow", "And", "Or"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Inputs.Count != 2 || node.Output() is not { } output) return false;
        double neutral = node.OpType is "Add" or "Sub" or "Or" ? 0 : 1;
        bool commutes = node.OpType is "Add" or "Mul" or "And" or "Or";
        return Try(node, 0, 1, neutral, output, context) || (commutes && Try(node, 1, 0, neutral, output, context));
    }

    private static bool Try(Node node, int kept, int constant, double neutral, Value output, PassContext context)
    {
        if (node.Input(kept) is not { } value || PassContext.Constant(node.Input(constant)) is not { } data) return false;
        if (data.Type == DataType.Bool ? !data.Bytes.ToArray().All(b => b == neutral) : !TensorMath.IsAll(data, neutral)) return false;
        if (!AddsNoExtent(data, value) || !PassContext.CanReplace(output, value)) return false;
        context.Replace(output, value);
        return true;
    }

    private static bool AddsNoExtent(TensorData constant, Value value)
    {
        if (constant.Rank == 0) return true;
        if (Types.ShapeOf(value) is not { } shape || constant.Rank > shape.Rank) return false;
        for (int i = 0; i < constant.Rank; i++)
        {
            long extent = constant.Shape[constant.Rank - 1 - i];
            if (extent != 1 && !(shape[shape.Rank - 1 - i] is { IsConstant: true } known && known.Value == extent)) return false;
        }
        return true;
    }
}
