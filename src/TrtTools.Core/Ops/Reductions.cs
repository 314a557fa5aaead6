using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Operators that fold axes into one value.</summary>
internal static class Reductions
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("ReduceSum", "1 11 13", ComputeForm.Reduction, "1 13:1-2", "1", "axes:ints@-12 keepdims:int=1 noop_with_empty_axes:int=0@13-")
            .Of(ElementClass.Numeric).Shape(Reduce),
        new OperatorDefinition("ReduceMean", "1 11 13 18", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Of(ElementClass.Numeric).Shape(Reduce),
        new OperatorDefinition("ReduceL1", "1 11 13 18", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Of(ElementClass.Numeric).Shape(Reduce).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("ReduceL2", "1 11 13 18", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Of(ElementClass.Numeric).Shape(Reduce).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("ReduceProd", "1 11 13 18", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Of(ElementClass.Numeric).Shape(Reduce),
        new OperatorDefinition("ReduceLogSum", "1 11 13 18", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Of(ElementClass.Numeric).Shape(Reduce).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("ReduceLogSumExp", "1 11 13 18", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Of(ElementClass.Numeric).Shape(Reduce).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("ReduceSumSquare", "1 11 13 18", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Of(ElementClass.Numeric).Shape(Reduce).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("ReduceMax", "1 11 12 13 18 20", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Shape(Reduce).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("ReduceMin", "1 11 12 13 18 20", ComputeForm.Reduction, "1 18:1-2", "1", "axes:ints@-17 keepdims:int=1 noop_with_empty_axes:int=0@18-")
            .Shape(Reduce).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("ArgMax", "1 11 12 13", ComputeForm.Reduction, "1", "1", "axis:int=0 keepdims:int=1 select_last_index:int=0@12-").Of(ElementClass.Numeric).Shape(ArgReduce),
        new OperatorDefinition("ArgMin", "1 11 12 13", ComputeForm.Reduction, "1", "1", "axis:int=0 keepdims:int=1 select_last_index:int=0@12-").Of(ElementClass.Numeric).Shape(ArgReduce),
    ];

    private static void Reduce(InferenceContext context)
    {
        SymbolicShape? shape = context.Shape(0);
        OperatorView view = context.View;
        long[]? axes = view.Axes;
        if (shape is null)
        {
            bool reducesAll = !view.HasAxes && !view.IsNoOpWithoutAxes && !view.KeepsDimensions;
            context.Set(0, context.ElementType(0), reducesAll ? SymbolicShape.Scalar : null);
            return;
        }
        if (view.HasAxes && axes is null)
        {
            context.Set(0, context.ElementType(0), UnknownAxes(context, shape));
            return;
        }
        if (axes is null || axes.Length == 0)
        {
            if (view.IsNoOpWithoutAxes)
            {
                Same(context);
                return;
            }
            axes = [.. Enumerable.Range(0, shape.Rank).Select(a => (long)a)];
        }
        if (NormalizeAxes(context, axes, shape.Rank) is not { } reduced) return;
        context.Set(0, context.ElementType(0), Without(shape, reduced, view.KeepsDimensions));
        if (reduced.Distinct().Count() == shape.Rank && context.Content(0) is { Length: > 0 } content && Operation(context.Node.OpType) is { } operation)
        {
            context.SetContent(0, [content.Aggregate(operation)]);
        }
    }

    private static Func<DimExpr?, DimExpr?, DimExpr?>? Operation(string opType) => opType switch
    {
        "ReduceProd" => Dims.Multiply,
        "ReduceSum" => Dims.Add,
        "ReduceMax" => Dims.Max,
        "ReduceMin" => Dims.Min,
        _ => null,
    };

    // Which axes are reduced is not known, but how many may be.
    private static SymbolicShape? UnknownAxes(InferenceContext context, SymbolicShape shape)
    {
        if (context.View.KeepsDimensions) return Dims.OfRank(shape.Rank);
        return context.Shape(1)?.ToStatic() is [long count] && count > 0 && count <= shape.Rank ? Dims.OfRank(shape.Rank - (int)count) : null;
    }

    private static SymbolicShape Without(SymbolicShape shape, int[] axes, bool keep)
    {
        List<DimExpr?> result = [];
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            if (!axes.Contains(axis)) result.Add(shape.Dimensions[axis]);
            else if (keep) result.Add(DimExpr.One);
        }
        return new SymbolicShape(result);
    }

    private static void ArgReduce(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            if (NormalizeAxis(context, context.View.Axis, shape.Rank) is not { } axis) return;
            result = Without(shape, [axis], context.View.KeepsDimensions);
        }
        context.Set(0, DataType.Int64, result);
    }
}
