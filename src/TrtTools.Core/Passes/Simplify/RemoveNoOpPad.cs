using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

internal sealed class RemoveNoOpPad : NodePass
{
    public override string Name => "remove-no-op-pad";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Pad"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output) return false;
        if (context.View(node).PadAmounts is not { } amounts || amounts.Any(a => a != 0) || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }
}
