using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Operators that sort or select.</summary>
internal static class Selections
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("TopK", "1 10 11 24", ComputeForm.SortSelect, "1 10:2", "2", "axis:int=-1 k:int!@-9 largest:int=1@11- sorted:int=1@11-")
            .Of(ElementClass.Numeric).Shape(TopK, 1),
        new OperatorDefinition("NonMaxSuppression", "10 11", ComputeForm.SortSelect, "2-5", "1", "center_point_box:int=0")
            .Shape(NonMaxSuppression, 2).With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("NonZero", "9 13", ComputeForm.SortSelect, "1", "1").Shape(NonZero).With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("Unique", "11", ComputeForm.SortSelect, "1", "1-4", "axis:int sorted:int=1").Shape(Unique).With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("Hardmax", "1 11 13", ComputeForm.SortSelect, "1", "1", "axis:int=1@-12 axis:int=-1@13-").Of(ElementClass.Float).Shape(Same),
    ];

    private static void TopK(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            if (NormalizeAxis(context, context.View.Axis, shape.Rank) is not { } axis) return;
            DimExpr?[] extents = Copy(shape);
            extents[axis] = context.Opset >= 10 ? context.Content(1) is { Length: 1 } k ? k[0] : null : context.View.TopKCount;
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
        context.Set(1, DataType.Int64, result);
    }

    private static void NonMaxSuppression(InferenceContext context) => context.Set(0, DataType.Int64, context.RunTimeExtent(0, 0), 3);

    private static void NonZero(InferenceContext context) => context.Set(0, DataType.Int64, context.Shape(0) is { } shape ? shape.Rank : null, context.RunTimeExtent(0, 1));

    private static void Unique(InferenceContext context)
    {
        SymbolicShape? unique = null;
        DimExpr count = context.RunTimeExtent(0, 0);
        SymbolicShape? shape = context.Shape(0);
        DimExpr? total = shape is null ? null : Dims.Product(shape.Dimensions);
        if (!context.View.HasAttribute("axis"))
        {
            unique = new SymbolicShape(count);
        }
        else if (shape is not null)
        {
            if (NormalizeAxis(context, context.View.Axis, shape.Rank) is not { } axis) return;
            DimExpr?[] extents = Copy(shape);
            total = extents[axis];
            extents[axis] = count;
            unique = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), unique);
        context.Set(1, DataType.Int64, count);
        context.Set(2, DataType.Int64, total);
        context.Set(3, DataType.Int64, count);
    }
}
