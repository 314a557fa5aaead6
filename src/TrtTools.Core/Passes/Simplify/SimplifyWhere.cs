using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Where with a constant condition that takes one side everywhere, with both sides the same, or with a negated condition.</summary>
internal sealed class SimplifyWhere : NodePass
{
    public override string Name => "simplify-where";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Where"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } condition || node.Input(1) is not { } chosen || node.Input(2) is not { } other || node.Output() is not { } output) return false;
        if (condition.Producer is { } not && not.Is("Not") && not.Input(0) is { } positive)
        {
            node.SourceNodes = PassContext.SourcesOf(not, node);
            context.SetInput(node, 1, other);
            context.SetInput(node, 2, chosen);
            context.SetInput(node, 0, positive);
            return true;
        }
        Value? taken = ReferenceEquals(chosen, other) ? chosen : PassContext.Constant(condition) is { Type: DataType.Bool, ElementCount: > 0 } data
            ? !data.Bytes.Contains((byte)0) ? chosen : data.Bytes.IndexOfAnyExcept((byte)0) < 0 ? other : null : null;
        // The other side and the condition may have made the result larger than the side taken.
        if (taken is null || !Types.SameShape(taken, output) || !PassContext.CanReplace(output, taken)) return false;
        context.Replace(output, taken);
        return true;
    }
}
