using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Dropout passes its input through in inference. Its mask, if wanted, keeps the node.</summary>
internal sealed class RemoveNoOpDropout : NodePass
{
    public override string Name => "remove-no-op-dropout";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Dropout"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output || !context.View(node).IsDropoutInactive || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }
}
