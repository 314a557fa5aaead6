using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Passes.Simplify;

/// <summary>Resize and Upsample to the size the value has already.</summary>
internal sealed class RemoveNoOpResize : NodePass
{
    public override string Name => "remove-no-op-resize";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Resize", "Upsample"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output || !PassContext.CanReplace(output, input)) return false;
        OperatorView view = context.View(node);
        // A crop resizes a part of the input even where the sizes agree.
        if (view.Opset >= 11 && view.CoordinateMode == "tf_crop_and_resize") return false;
        bool keepsSize = view.ResizeScales is { } scales ? scales.All(s => s == 1) : view.SizesInput is not null && view.CoordinateMode != "align_corners" && Types.SameShape(input, output) && Types.StaticShapeOf(input) is not null;
        if (!keepsSize) return false;
        context.Replace(output, input);
        return true;
    }
}
