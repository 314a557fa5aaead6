using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Passes.Simplify;

/// <summary>A reduction over axes of extent 1 that keeps them.</summary>
internal sealed class RemoveNoOpReduction : NodePass
{
    public override string Name => "remove-no-op-reduction";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output || Types.ShapeOf(input) is not { } shape) return false;
        OperatorView view = context.View(node);
        if (!view.HasAxes)
        {
            if (!view.IsNoOpWithoutAxes) return false;
        }
        else
        {
            if (view.Axes is not { Length: > 0 } axes || !view.KeepsDimensions) return false;
            if (!axes.All(a => a >= -shape.Rank && a < shape.Rank && shape[(int)a] is { IsConstant: true } extent && extent.Value == 1)) return false;
        }
        if (!PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }
}
