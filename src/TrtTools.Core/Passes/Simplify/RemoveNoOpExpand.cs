using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Expand to a shape that adds nothing, Tile by ones, and Expand before an operator that broadcasts anyway.</summary>
internal sealed class RemoveNoOpExpand : NodePass
{
    public override string Name => "remove-no-op-expand";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Expand", "Tile"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output || !IsNoOp(node, context) || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }

    private static bool IsNoOp(Node node, PassContext context)
    {
        Value input = node.Input(0)!;
        if (context.View(node).Integers(1) is { } target)
        {
            bool ones = target.All(t => t == 1);
            if (node.OpType == "Tile" ? ones && context.Opset >= 6 : ones && Types.RankOf(input) is { } rank && target.Length <= rank) return true;
        }
        return Types.SameShape(input, node.Output()) && Types.TypeOf(input) != DataType.Undefined;
    }
}
