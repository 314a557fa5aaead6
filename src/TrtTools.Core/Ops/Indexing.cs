using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Gathers and scatters.</summary>
internal static class Indexing
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Gather", "1 11 13", ComputeForm.Gather, "2", "1", "axis:int=0").Shape(Gather).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("GatherElements", "11 13", ComputeForm.Gather, "2", "1", "axis:int=0").Shape(GatherElements).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("GatherND", "11 12 13", ComputeForm.Gather, "2", "1", "batch_dims:int=0@12-").Shape(GatherNd).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("OneHot", "9 11", ComputeForm.Gather, "3", "1", "axis:int=-1").Of(ElementClass.Numeric).Shape(OneHot, 1),
        new OperatorDefinition("Compress", "9 11", ComputeForm.Gather, "2", "1", "axis:int").Shape(Compress).With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("Scatter", "9", ComputeForm.Scatter, "3", "1", "axis:int=0").Shape(Same).Deprecated(11, "Use ScatterElements (opset 11 and later)."),
        new OperatorDefinition("ScatterElements", "11 13 16 18", ComputeForm.Scatter, "3", "1", "axis:int=0 reduction:string=none@16-").Shape(Same),
        new OperatorDefinition("ScatterND", "11 13 16 18", ComputeForm.Scatter, "3", "1", "reduction:string=none@16-").Shape(Same),
        new OperatorDefinition("TensorScatter", "24", ComputeForm.Scatter, "2-3", "1", "axis:int=-2 mode:string=linear").Shape(Same),
    ];

    private static void Gather(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } data)
        {
            if (NormalizeAxis(context, context.View.Axis, data.Rank) is not { } axis) return;
            if (context.Shape(1) is { } indices)
            {
                result = new SymbolicShape([.. data.Dimensions.Take(axis), .. indices.Dimensions, .. data.Dimensions.Skip(axis + 1)]);
                context.Set(0, context.ElementType(0), result);
                if (context.Content(0) is { } content && data.ToStatic() is { } extents && context.Content(1) is { } places && places.All(p => p is { IsConstant: true }))
                {
                    long[] own = [.. places.Select(p => p!.Value < 0 ? p.Value + extents[axis] : p.Value)];
                    if (own.Any(p => p < 0 || p >= extents[axis])) context.Contradict($"an index is out of range for axis {axis} of {data}");
                    else context.SetContent(0, ContentRules.Take(content, extents, axis, own));
                }
                return;
            }
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void GatherElements(InferenceContext context) => context.Set(0, context.ElementType(0), context.Shape(1));

    private static void GatherNd(InferenceContext context)
    {
        SymbolicShape? result = null;
        long batch = context.View.Int("batch_dims", 0);
        if (context.Shape(0) is { } data && context.Shape(1) is { Rank: > 0 } indices && indices.Dimensions[^1] is { IsConstant: true, Value: >= 0 } tuple)
        {
            if (batch < 0 || batch + tuple.Value > data.Rank)
            {
                context.Contradict($"indices {indices} name {tuple} axes after {batch} batch axes of {data}");
                return;
            }
            result = new SymbolicShape([.. indices.Dimensions.Take(indices.Rank - 1), .. data.Dimensions.Skip((int)(batch + tuple.Value))]);
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void OneHot(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } indices)
        {
            if (NormalizeAxis(context, context.View.Axis, indices.Rank + 1) is not { } axis) return;
            DimExpr? depth = context.Content(1) is { Length: 1 } known ? known[0] : context.View.Number(1) is { } number ? (long)number : null;
            result = new SymbolicShape([.. indices.Dimensions.Take(axis), depth, .. indices.Dimensions.Skip(axis)]);
        }
        context.Set(0, context.ElementType(2), result);
    }

    private static void Compress(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (!context.View.HasAttribute("axis"))
        {
            result = new SymbolicShape(context.RunTimeExtent(0, 0));
        }
        else if (context.Shape(0) is { } shape)
        {
            if (NormalizeAxis(context, context.View.Axis, shape.Rank) is not { } axis) return;
            DimExpr?[] extents = Copy(shape);
            extents[axis] = context.RunTimeExtent(0, axis);
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
    }
}
