using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Operators whose second application changes nothing: Relu of Relu, Floor of Floor, …</summary>
internal sealed class RemoveRepeatedOperation : NodePass
{
    public override string Name => "remove-repeated-operation";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Relu", "Abs", "Ceil", "Floor", "Round", "Sign"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { Producer: { } inner } input || node.Output() is not { } output || !inner.Is(node.OpType) || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }
}
