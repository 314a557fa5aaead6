using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

internal sealed class RemoveIdentity : NodePass
{
    public override string Name => "remove-identity";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Identity"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }
}
