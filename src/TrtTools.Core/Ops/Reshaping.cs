using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>The extents of a Reshape, with 0, -1 and symbols in its target.</summary>
internal static class Reshaping
{
    public static void Infer(InferenceContext context)
    {
        SymbolicShape? input = context.Shape(0);
        DimExpr?[]? target = context.Opset >= 5 ? context.Content(1) : context.View.ReshapeTarget?.Select(t => (DimExpr?)DimExpr.Constant(t)).ToArray();
        if (target is null || target.Length > ShapeRules.LargestRank)
        {
            bool rankKnown = context.Shape(1)?.ToStatic() is [>= 0 and <= ShapeRules.LargestRank];
            context.Set(0, context.ElementType(0), rankKnown ? Dims.OfRank((int)context.Shape(1)!.Dimensions[0]!.Value) : null);
            return;
        }
        DimExpr?[] result = [.. target];
        int open = -1;
        bool several = false;
        for (int i = 0; i < result.Length; i++)
        {
            if (result[i] is { IsConstant: true, Value: 0 } && !context.View.ZeroIsExtent)
            {
                if (input is not null && i >= input.Rank) context.Contradict($"target [{Text(target)}] copies axis {i}, which {input} does not have");
                result[i] = input is not null && i < input.Rank ? input.Dimensions[i] : null;
                // An extent copied from an axis of unknown extent cancels against that axis below.
                if (result[i] is not null || input is null) continue;
            }
            else if (result[i] is { IsConstant: true, Value: -1 })
            {
                if (open >= 0 && target[open] is { IsConstant: true, Value: -1 }) context.Contradict($"target [{Text(target)}] has more than one -1");
                several |= open >= 0;
                open = i;
                result[i] = null;
            }
            else if (result[i] is null)
            {
                several |= open >= 0;
                open = i;
            }
        }
        if (open >= 0 && !several && input is not null)
        {
            result[open] = Rest(input, result, target, open, context);
        }
        else if (open < 0 && input?.ToStatic() is not null && result.All(d => d is { IsConstant: true }))
        {
            DimExpr? have = Dims.Product(input.Dimensions), want = Dims.Product(result);
            if (have is not null && want is not null && !have.Equals(want)) context.Contradict($"{input} has {have} elements, the target [{Text(target)}] {want}");
        }
        context.Set(0, context.ElementType(0), new SymbolicShape(result));
        context.SetContent(0, context.Content(0));
    }

    // What is left of the input's extents after the target's known ones. Equal extents cancel first, also where neither is known:
    // an axis that the target copies by 0 stands on both sides.
    private static DimExpr? Rest(SymbolicShape input, DimExpr?[] result, DimExpr?[] target, int open, InferenceContext context)
    {
        List<DimExpr?> above = [.. input.Dimensions];
        List<DimExpr> below = [];
        List<int> copied = [];
        for (int i = 0; i < result.Length; i++)
        {
            if (i == open) continue;
            if (target[i] is { IsConstant: true, Value: 0 } && !context.View.ZeroIsExtent && i < input.Rank) copied.Add(i);
            else if (result[i] is { } extent) below.Add(extent);
            else return null;
        }
        foreach (int axis in copied.OrderDescending()) above.RemoveAt(axis);
        for (int i = below.Count - 1; i >= 0; i--)
        {
            int at = above.FindIndex(a => a is not null && a.Equals(below[i]));
            if (at < 0) continue;
            above.RemoveAt(at);
            below.RemoveAt(i);
        }
        DimExpr? dividend = Dims.Product(above), divisor = Dims.Product(below);
        DimExpr? rest = Dims.FloorDiv(dividend, divisor);
        if (dividend is { IsConstant: true } && divisor is { IsConstant: true, Value: not 0 } && dividend.Value % divisor.Value != 0)
        {
            context.Contradict($"{input} can't be divided into [{Text(target)}]");
            return null;
        }
        return rest;
    }

    private static string Text(DimExpr?[] target) => string.Join(", ", target.Select(t => t?.ToString() ?? "?"));
}
