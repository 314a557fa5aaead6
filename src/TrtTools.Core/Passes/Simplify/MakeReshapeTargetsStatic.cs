using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>A Reshape whose target is computed, but whose result's shape is known save for one dimension and those it copies from
/// its input, gets a constant target: the computation of the shape then falls away.</summary>
internal sealed class MakeReshapeTargetsStatic : NodePass
{
    public override string Name => "make-reshape-targets-static";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Reshape", "Expand"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Input(1) is not { } shape || node.Output() is not { } output || PassContext.Constant(shape) is not null) return false;
        if (Types.ShapeOf(output) is not { } result) return false;
        long[]? target = node.OpType == "Expand" ? result.ToStatic() : Target(context.View(node), Types.ShapeOf(input), result);
        if (target is null) return false;
        if (node.OpType == "Reshape") node.Attributes.Remove("allowzero");
        context.SetInput(node, 1, node.Graph.AddConstant(output.Name + "_target", TensorData.Vector<long>(target)));
        return true;
    }

    private static long[]? Target(OperatorView view, SymbolicShape? input, SymbolicShape result)
    {
        long[] target = new long[result.Rank];
        List<int> open = [];
        bool hasZero = false;
        for (int i = 0; i < target.Length; i++)
        {
            if (result[i] is { IsConstant: true } extent)
            {
                target[i] = extent.Value;
                hasZero |= extent.Value == 0;
            }
            else
            {
                open.Add(i);
            }
        }
        // An extent of 0 cannot be told from "copy" in a constant target that serves both.
        if (hasZero) return null;
        foreach (int i in open)
        {
            if (open.Count > 1 && input is not null && i < input.Rank && result[i] is { } symbol && symbol.Equals(input[i])) continue;
            if (target.Contains(-1)) return null;
            target[i] = -1;
        }
        return target;
    }
}
