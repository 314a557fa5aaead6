using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Content that follows from attributes and shapes alone.</summary>
internal static class Fills
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Constant", "1 9 11 12 13 19 21 23 24 25", ComputeForm.Fill, "0", "1",
            "sparse_value:sparse@11- value:tensor!@-10 value:tensor@11- value_float:float@12- value_floats:floats@12- value_int:int@12- value_ints:ints@12- "
            + "value_string:string@12- value_strings:strings@12-")
            .Shape(Constant),
        new OperatorDefinition("ConstantOfShape", "9 20 21 23 24 25", ComputeForm.Fill, "1", "1", "value:tensor").Of(ElementClass.Integer).Shape(ConstantOfShape, 0),
        new OperatorDefinition("Shape", "1 13 15 19 21 23 24 25", ComputeForm.Fill, "1", "1", "end:int@15- start:int=0@15-").Shape(ShapeOf),
        new OperatorDefinition("Size", "1 13 19 21 23 24 25", ComputeForm.Fill, "1", "1").Shape(SizeOf),
        new OperatorDefinition("Range", "11 27", ComputeForm.Fill, "3", "1", "stash_type:int=1@27-").Of(ElementClass.Numeric).Shape(Range, 0, 1, 2).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("EyeLike", "9 22", ComputeForm.Fill, "1", "1", "dtype:int k:int=0").Shape(EyeLike),
        new OperatorDefinition("BlackmanWindow", "17", ComputeForm.Fill, "1", "1", "output_datatype:int=1 periodic:int=1")
            .Of(ElementClass.Integer).Shape(Window, 0).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("HammingWindow", "17", ComputeForm.Fill, "1", "1", "output_datatype:int=1 periodic:int=1")
            .Of(ElementClass.Integer).Shape(Window, 0).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("HannWindow", "17", ComputeForm.Fill, "1", "1", "output_datatype:int=1 periodic:int=1")
            .Of(ElementClass.Integer).Shape(Window, 0).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("MelWeightMatrix", "17", ComputeForm.Fill, "5", "1", "output_datatype:int=1").Of(ElementClass.Integer).Shape(MelWeightMatrix, 0, 1),
    ];

    // The context reads a constant's elements itself, as it does an initializer's.
    private static void Constant(InferenceContext context)
    {
        if (OperatorView.ConstantOf(context.View) is { } data) context.SetType(0, TensorType.Of(data));
    }

    private static void ConstantOfShape(InferenceContext context)
    {
        TensorData? value = context.View.Tensor("value");
        SymbolicShape? shape = context.Content(0) is { Length: <= LargestRank } extents ? new SymbolicShape(extents)
            : context.Shape(0)?.ToStatic() is [>= 0 and <= LargestRank and long rank] ? Dims.OfRank((int)rank) : null;
        context.Set(0, value?.Type ?? DataType.Float32, shape);
        if (shape?.ToStatic() is not { } known || !ContentRules.TryCount(known, out int count)) return;
        DimExpr? element = value is null ? DimExpr.Zero : value.ElementCount == 1 && (value.Type.IsInteger() || value.Type == DataType.Bool) ? value.ToInt64()[0] : null;
        if (element is not null) context.SetContent(0, [.. Enumerable.Repeat(element, count)]);
    }

    private static void ShapeOf(InferenceContext context)
    {
        if (context.Shape(0) is not { } shape)
        {
            context.Set(0, DataType.Int64, (DimExpr?)null);
            return;
        }
        int start = (int)Bound(context.View.Int("start", 0), shape.Rank), end = (int)Bound(context.View.Int("end", shape.Rank), shape.Rank);
        DimExpr?[] extents = [.. shape.Dimensions.Skip(start).Take(Math.Max(0, end - start))];
        context.Set(0, DataType.Int64, extents.Length);
        context.SetContent(0, extents);
    }

    private static long Bound(long bound, int rank) => Math.Clamp(bound < 0 ? bound + rank : bound, 0, rank);

    private static void SizeOf(InferenceContext context)
    {
        ScalarInt(context);
        if (context.Shape(0) is { } shape) context.SetContent(0, [Dims.Product(shape.Dimensions)]);
    }

    private static void Range(InferenceContext context)
    {
        DataType type = context.ElementType(0);
        DimExpr? count = null, first = Single(context, 0), limit = Single(context, 1), step = Single(context, 2);
        if (step is { IsConstant: true, Value: var by and not 0 })
        {
            DimExpr? span = by > 0 ? Dims.Subtract(limit, first) : Dims.Subtract(first, limit);
            DimExpr? steps = by == long.MinValue ? null : Dims.CeilDiv(span, Math.Abs(by));
            // An extent is never negative; Range from 0 to an extent needs no maximum to say so.
            count = ContentRules.IsNonNegative(span) ? steps : Dims.Max(steps, DimExpr.Zero);
        }
        else if (context.View.Number(0) is { } start && context.View.Number(1) is { } end && context.View.Number(2) is { } delta && delta != 0)
        {
            double number = Math.Max(0, Math.Ceiling((end - start) / delta));
            count = number < long.MaxValue ? (long)number : null;
        }
        context.Set(0, type, count);
        if (!type.IsInteger() || count is not { IsConstant: true, Value: <= OperatorView.LargestShapeTensor } || first is null) return;
        context.SetContent(0, [.. Enumerable.Range(0, (int)count.Value).Select(i => Dims.Add(first, Dims.Multiply(step, i)))]);
    }

    private static DimExpr? Single(InferenceContext context, int input) => context.Content(input) is { Length: 1 } content ? content[0] : null;

    private static void EyeLike(InferenceContext context) =>
        context.Set(0, (DataType)context.View.Int("dtype", (long)context.ElementType(0)), context.Shape(0));

    private static void Window(InferenceContext context) => context.Set(0, (DataType)context.View.Int("output_datatype", 1), Single(context, 0));

    private static void MelWeightMatrix(InferenceContext context) =>
        context.Set(0, (DataType)context.View.Int("output_datatype", 1), Dims.Add(Dims.FloorDiv(Single(context, 1), 2), DimExpr.One), Single(context, 0));
}
