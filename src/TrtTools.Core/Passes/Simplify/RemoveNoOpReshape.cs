using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Passes.Simplify;

/// <summary>Reshape, Flatten, Squeeze and Unsqueeze that give the shape the value has already.</summary>
internal sealed class RemoveNoOpReshape : NodePass
{
    public override string Name => "remove-no-op-reshape";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Reshape", "Flatten", "Squeeze", "Unsqueeze"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output || !IsNoOp(node, context) || !PassContext.CanReplace(output, input)) return false;
        context.Replace(output, input);
        return true;
    }

    private static bool IsNoOp(Node node, PassContext context)
    {
        Value input = node.Input(0)!;
        OperatorView view = context.View(node);
        switch (node.OpType)
        {
            case "Unsqueeze":
                return view.Axes is { Length: 0 };
            case "Squeeze":
                return view.HasAxes ? view.Axes is { Length: 0 } : Types.StaticShapeOf(input) is { } extents && !extents.Contains(1L);
            case "Flatten":
                return view.Axis is 1 or -1 && Types.RankOf(input) == 2;
            default:
                // 0 copies a dimension, and one -1 is what remains.
                if (view.ReshapeTarget is { } target && Types.RankOf(input) is { } rank && target.Length == rank && !view.ZeroIsExtent && Keeps(target, Types.ShapeOf(input)!)) return true;
                return Types.SameShape(input, node.Output());
        }
    }

    private static bool Keeps(long[] target, SymbolicShape shape)
    {
        int unknown = 0;
        for (int i = 0; i < target.Length; i++)
        {
            if (target[i] == 0) continue;
            if (target[i] > 0 && shape[i] is { IsConstant: true } extent && extent.Value == target[i]) continue;
            if (target[i] != -1) return false;
            unknown++;
        }
        // With an extent of 0 elsewhere, -1 says nothing; ONNX Runtime refuses it then.
        return unknown <= 1;
    }
}
