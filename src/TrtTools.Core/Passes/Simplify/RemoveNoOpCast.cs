using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Cast to the type that the value has already.</summary>
internal sealed class RemoveNoOpCast : NodePass
{
    public override string Name => "remove-no-op-cast";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Cast", "CastLike"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output) return false;
        DataType target = node.OpType == "Cast" ? context.View(node).CastTarget : Types.TypeOf(node.Input(1));
        if (target == DataType.Undefined || Types.TypeOf(input) != target || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }
}
