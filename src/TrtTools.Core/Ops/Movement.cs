using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Operators whose elements change place, not value.</summary>
internal static class Movement
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Identity", "1 13 14 16 19 21 23 24 25", ComputeForm.Movement, "1", "1").Shape(Identity).With(OperatorTraits.View | OperatorTraits.ScalePreserving),
        new OperatorDefinition("Reshape", "1 5 13 14 19 21 23 24 25", ComputeForm.Movement, "1 5:2", "1", "allowzero:int=0@14- consumed_inputs:ints@-4 shape:ints@-4")
            .Shape(Reshape, 1).With(OperatorTraits.View | OperatorTraits.ScalePreserving),
        new OperatorDefinition("Flatten", "1 9 11 13 21 23 24 25", ComputeForm.Movement, "1", "1", "axis:int=1").Shape(Flatten).With(OperatorTraits.View | OperatorTraits.ScalePreserving),
        new OperatorDefinition("Squeeze", "1 11 13 21 23 24 25", ComputeForm.Movement, "1 13:1-2", "1", "axes:ints@-12")
            .Shape(Squeeze, 1).With(OperatorTraits.View | OperatorTraits.ScalePreserving),
        new OperatorDefinition("Unsqueeze", "1 11 13 21 23 24 25", ComputeForm.Movement, "1 13:2", "1", "axes:ints!@-12")
            .Shape(Unsqueeze, 1).With(OperatorTraits.View | OperatorTraits.ScalePreserving),
        new OperatorDefinition("Transpose", "1 13 21 23 24 25", ComputeForm.Movement, "1", "1", "perm:ints").Shape(Transpose).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("Concat", "1 4 11 13", ComputeForm.Movement, "1-*", "1", "axis:int@-3 axis:int!@4-").Shape(Concat).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("Split", "1 2 11 13 18", ComputeForm.Movement, "1-2 2:1 13:1-2", "1-*", "axis:int@-1 axis:int=0@2- num_outputs:int@18- split:ints@-12")
            .Shape(Split, 1).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("Slice", "1 10 11 13", ComputeForm.Movement, "1 10:3-5", "1", "axes:ints@-9 ends:ints!@-9 starts:ints!@-9")
            .Shape(Slice, 1, 2, 3, 4).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("Pad", "1 2 11 13 18 19 21 23 24 25", ComputeForm.Movement, "1 11:2-3 18:2-4", "1",
            "mode:string=constant paddings:ints!@-1 pads:ints!@2-10 value:float=0.0@-10")
            .Shape(Pad, 1, 3).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("Expand", "8 13", ComputeForm.Movement, "2", "1").Shape(Expand, 1).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("Tile", "1 6 13", ComputeForm.Movement, "3 6:2", "1").Shape(Tile, 1).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("DepthToSpace", "1 11 13", ComputeForm.Movement, "1", "1", "blocksize:int! mode:string=DCR@11-").Shape(DepthToSpace).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("SpaceToDepth", "1 13", ComputeForm.Movement, "1", "1", "blocksize:int!").Shape(SpaceToDepth).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("ReverseSequence", "10", ComputeForm.Movement, "2", "1", "batch_axis:int=1 time_axis:int=0").Shape(Same).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("CenterCropPad", "18", ComputeForm.Movement, "2", "1", "axes:ints").Shape(CenterCropPad, 1).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Trilu", "14", ComputeForm.Movement, "1-2", "1", "upper:int=1").Shape(Same),
    ];

    private static void Identity(InferenceContext context)
    {
        Same(context);
        context.SetContent(0, context.Content(0));
    }

    private static void Flatten(InferenceContext context)
    {
        DimExpr?[] result = new DimExpr?[2];
        if (context.Shape(0) is { } shape)
        {
            long axis = context.View.Axis;
            long own = axis < 0 ? axis + shape.Rank : axis;
            if (own < 0 || own > shape.Rank)
            {
                context.Contradict($"axis {axis} is out of range for rank {shape.Rank}");
                return;
            }
            result = [Dims.Product(shape.Dimensions.Take((int)own)), Dims.Product(shape.Dimensions.Skip((int)own))];
        }
        context.Set(0, context.ElementType(0), result);
        context.SetContent(0, context.Content(0));
    }

    private static void Squeeze(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            if (context.View.Axes is { } axes)
            {
                if (NormalizeAxes(context, axes, shape.Rank) is not { } squeezed) return;
                foreach (int axis in squeezed)
                {
                    if (shape.Dimensions[axis] is { IsConstant: true, Value: not 1 } extent) context.Contradict($"axis {axis} of {shape} has extent {extent}, not 1");
                }
                result = new SymbolicShape([.. shape.Dimensions.Where((_, axis) => !squeezed.Contains(axis))]);
            }
            else if (context.View.HasAxes)
            {
                result = context.Shape(1)?.ToStatic() is [long count] && count >= 0 && count <= shape.Rank ? Dims.OfRank(shape.Rank - (int)count) : null;
            }
            else if (shape.IsStatic)
            {
                result = new SymbolicShape([.. shape.Dimensions.Where(d => d!.Value != 1)]);
            }
        }
        context.Set(0, context.ElementType(0), result);
        context.SetContent(0, context.Content(0));
    }

    private static void Unsqueeze(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            if (context.View.Axes is { } axes && shape.Rank + axes.Length <= LargestRank)
            {
                int rank = shape.Rank + axes.Length;
                if (NormalizeAxes(context, axes, rank) is not { } added) return;
                if (added.Distinct().Count() != added.Length)
                {
                    context.Contradict($"axes [{string.Join(", ", axes)}] name one axis twice");
                    return;
                }
                using IEnumerator<DimExpr?> rest = shape.Dimensions.GetEnumerator();
                DimExpr?[] extents = new DimExpr?[rank];
                for (int axis = 0; axis < rank; axis++)
                {
                    if (added.Contains(axis)) extents[axis] = DimExpr.One;
                    else if (rest.MoveNext()) extents[axis] = rest.Current;
                }
                result = new SymbolicShape(extents);
            }
            else if (context.Shape(1)?.ToStatic() is [long count] && count >= 0 && shape.Rank + count <= LargestRank)
            {
                result = Dims.OfRank(shape.Rank + (int)count);
            }
        }
        context.Set(0, context.ElementType(0), result);
        context.SetContent(0, context.Content(0));
    }

    private static void Transpose(InferenceContext context)
    {
        int[]? permutation = null;
        if (context.Shape(0) is { } shape)
        {
            permutation = context.View.Permutation(shape.Rank);
            if (permutation.Length != shape.Rank || !permutation.Order().SequenceEqual(Enumerable.Range(0, shape.Rank)))
            {
                context.Contradict($"perm [{string.Join(", ", permutation)}] is no permutation of the axes of {shape}");
                return;
            }
            context.Set(0, context.ElementType(0), new SymbolicShape([.. permutation.Select(p => shape.Dimensions[p])]));
            if (context.Content(0) is { } content && shape.ToStatic() is { } extents) context.SetContent(0, ContentRules.Transpose(content, extents, permutation));
            return;
        }
        context.Set(0, context.ElementType(0), context.View.Ints("perm") is { Length: <= LargestRank } perm ? Dims.OfRank(perm.Length) : null);
    }

    private static void Concat(InferenceContext context)
    {
        SymbolicShape?[] shapes = [.. Enumerable.Range(0, context.InputCount).Select(context.Shape)];
        SymbolicShape? known = shapes.FirstOrDefault(s => s is not null);
        if (known is null)
        {
            context.Set(0, context.ElementType(0), (SymbolicShape?)null);
            return;
        }
        if (NormalizeAxis(context, context.View.Axis, known.Rank) is not { } axis) return;
        DimExpr?[] result = new DimExpr?[known.Rank];
        for (int d = 0; d < known.Rank; d++)
        {
            if (d == axis)
            {
                result[d] = shapes.Any(s => s is null || s.Rank != known.Rank) ? null : Dims.Sum(shapes.Select(s => s!.Dimensions[axis]));
                continue;
            }
            foreach (SymbolicShape? shape in shapes)
            {
                if (shape is null) continue;
                if (shape.Rank != known.Rank)
                {
                    context.Contradict($"inputs {known} and {shape} differ in rank");
                    return;
                }
                DimExpr? extent = shape.Dimensions[d];
                if (result[d] is { IsConstant: true } first && extent is { IsConstant: true } && first.Value != extent.Value)
                {
                    context.Contradict($"inputs {known} and {shape} differ on axis {d}, which is not the concatenated one ({axis})");
                }
                // All inputs agree here, so the most definite description holds for all.
                if (result[d] is null || (extent is { IsConstant: true } && result[d] is { IsConstant: false })) result[d] = extent;
            }
        }
        context.Set(0, context.ElementType(0), new SymbolicShape(result));
        if (known.Rank == 1 && Enumerable.Range(0, context.InputCount).All(i => context.Content(i) is not null))
        {
            context.SetContent(0, [.. Enumerable.Range(0, context.InputCount).SelectMany(i => context.Content(i)!)]);
        }
    }

    private static void Split(InferenceContext context)
    {
        int count = context.OutputCount;
        SymbolicShape? shape = context.Shape(0);
        int axis = 0;
        if (shape is not null)
        {
            if (NormalizeAxis(context, context.View.Axis, shape.Rank) is not { } own) return;
            axis = own;
        }
        long[]? sizes = context.View.SplitSizes;
        DimExpr? total = shape?.Dimensions[axis];
        // ONNX Runtime takes the attribute's word for it and ends the process where there are more outputs.
        if (context.View.Opset >= 18 && context.View.HasAttribute("num_outputs") && context.View.SplitCount != count) context.Contradict($"{count} outputs, but num_outputs is {context.View.SplitCount}");
        if (sizes is not null && sizes.Length < count) context.Contradict($"{count} outputs, but sizes for {sizes.Length}");
        if (sizes is not null && total is { IsConstant: true } && sizes.Length == count && sizes.Sum() != total.Value)
        {
            context.Contradict($"the parts [{string.Join(", ", sizes)}] don't add up to the extent {total} of axis {axis}");
        }
        DimExpr?[]? content = context.Content(0);
        long start = 0;
        for (int i = 0; i < count; i++)
        {
            DimExpr? extent = sizes is not null ? i < sizes.Length ? sizes[i] : null : context.View.HasSplitSizes ? null : EvenPart(context, total, i);
            SymbolicShape? part = null;
            if (shape is not null)
            {
                DimExpr?[] extents = Copy(shape);
                extents[axis] = extent;
                part = new SymbolicShape(extents);
            }
            context.Set(i, context.ElementType(0), part);
            if (content is null || extent is not { IsConstant: true } || shape?.ToStatic() is not { } whole) continue;
            long length = extent.Value;
            if (length < 0 || start + length > whole[axis]) continue;
            long first = start;
            context.SetContent(i, ContentRules.Take(content, whole, axis, [.. Enumerable.Range(0, (int)length).Select(p => p + first)]));
            start += length;
        }
    }

    // Without sizes the parts are equal; with num_outputs (opset 18) the last may be smaller.
    private static DimExpr? EvenPart(InferenceContext context, DimExpr? total, int index)
    {
        int count = context.View.SplitCount;
        if (context.View.Opset < 18 || !context.View.HasAttribute("num_outputs")) return Dims.FloorDiv(total, count);
        DimExpr? part = Dims.CeilDiv(total, count);
        return index < count - 1 ? part : Dims.Subtract(total, Dims.Multiply(part, count - 1));
    }

    private static void Pad(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            DimExpr?[]? amounts = context.Opset >= 11 ? context.Content(1) : context.View.PadAmounts?.Select(p => (DimExpr?)DimExpr.Constant(p)).ToArray();
            int[]? axes = context.View.HasAxes && context.Opset >= 18 ? context.View.Axes is { } given ? NormalizeAxes(context, given, shape.Rank) : null : [.. Enumerable.Range(0, shape.Rank)];
            DimExpr?[] extents = new DimExpr?[shape.Rank];
            if (amounts is not null && axes is not null)
            {
                extents = Copy(shape);
                if (amounts.Length != 2 * axes.Length) context.Contradict($"{amounts.Length} pads for {axes.Length} axes");
                for (int i = 0; i < axes.Length && i + axes.Length < amounts.Length; i++)
                {
                    extents[axes[i]] = Dims.Add(extents[axes[i]], Dims.Add(amounts[i], amounts[i + axes.Length]));
                }
            }
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void Expand(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            if (context.Content(1) is { Length: <= LargestRank } target) result = Dims.Broadcast([shape, new SymbolicShape(target)], context.Contradict);
            else if (context.Shape(1)?.ToStatic() is [>= 0 and <= LargestRank and long rank]) result = Dims.OfRank(Math.Max((int)rank, shape.Rank));
        }
        context.Set(0, context.ElementType(0), result);
        if (context.Content(0) is { Length: 1 } single && result?.ToStatic() is { } extents && ContentRules.TryCount(extents, out int count))
        {
            context.SetContent(0, [.. Enumerable.Repeat(single[0], count)]);
        }
    }

    private static void Tile(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            DimExpr?[] extents = new DimExpr?[shape.Rank];
            if (context.Opset >= 6 && context.Content(1) is { } repeats)
            {
                if (repeats.Length != shape.Rank) context.Contradict($"{repeats.Length} repeats for the {shape.Rank} axes of {shape}");
                else extents = [.. shape.Dimensions.Zip(repeats, Dims.Multiply)];
            }
            else if (context.Opset < 6 && context.View.Number(1) is { } times && context.View.Number(2) is { } along && along >= 0 && along < shape.Rank)
            {
                extents = Copy(shape);
                extents[(int)along] = Dims.Multiply(extents[(int)along], (long)times);
            }
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void DepthToSpace(InferenceContext context) => MoveBlocks(context, toSpace: true);

    private static void SpaceToDepth(InferenceContext context) => MoveBlocks(context, toSpace: false);

    private static void MoveBlocks(InferenceContext context, bool toSpace)
    {
        long block = context.View.Int("blocksize", 1);
        DimExpr?[] result = new DimExpr?[4];
        if (context.Shape(0) is { Rank: 4 } shape)
        {
            DimExpr? area = Dims.Multiply(block, block);
            result = toSpace
                ? [shape[0], Dims.FloorDiv(shape[1], area), Dims.Multiply(shape[2], block), Dims.Multiply(shape[3], block)]
                : [shape[0], Dims.Multiply(shape[1], area), Dims.FloorDiv(shape[2], block), Dims.FloorDiv(shape[3], block)];
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void CenterCropPad(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            DimExpr?[] extents = Copy(shape);
            int[]? axes = context.View.Ints("axes") is { } given ? NormalizeAxes(context, given, shape.Rank) : [.. Enumerable.Range(0, shape.Rank)];
            if (axes is null) return;
            DimExpr?[]? target = context.Content(1);
            for (int i = 0; i < axes.Length; i++) extents[axes[i]] = target is not null && i < target.Length ? target[i] : null;
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void Reshape(InferenceContext context) => Reshaping.Infer(context);

    private static void Slice(InferenceContext context) => Slicing.Infer(context);
}
