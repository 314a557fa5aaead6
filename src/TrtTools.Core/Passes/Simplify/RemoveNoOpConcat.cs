using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Concat, Sum, Max, Min and Mean of one value.</summary>
internal sealed class RemoveNoOpConcat : NodePass
{
    public override string Name => "remove-no-op-concat";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Concat", "Sum", "Max", "Min", "Mean"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Inputs.Count != 1 || node.Input(0) is not { } input || node.Output() is not { } output || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }
}
