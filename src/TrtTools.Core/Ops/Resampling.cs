using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Operators that interpolate.</summary>
internal static class Resampling
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Resize", "10 11 13 18 19", ComputeForm.Resample, "2 11:3-4 13:1-4", "1",
            "antialias:int=0@18- axes:ints@18- coordinate_transformation_mode:string=half_pixel@11- cubic_coeff_a:float=-0.75@11- exclude_outside:int=0@11- "
            + "extrapolation_value:float=0.0@11- keep_aspect_ratio_policy:string=stretch@18- mode:string=nearest nearest_mode:string=round_prefer_floor@11-")
            .Shape(Resize, 1, 2, 3).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("Upsample", "1 7 9", ComputeForm.Resample, "1 9:2", "1", "height_scale:float!@-6 mode:string=nearest scales:floats!@7-8 width_scale:float!@-6")
            .Shape(Resize, 1).With(OperatorTraits.ScalePreserving).Deprecated(10, "Use Resize (opset 10 and later)."),
        new OperatorDefinition("GridSample", "16 20 22", ComputeForm.Resample, "2", "1", "align_corners:int=0 mode:string=bilinear@-19 mode:string=linear@20- padding_mode:string=zeros")
            .Shape(GridSample),
        new OperatorDefinition("AffineGrid", "20", ComputeForm.Resample, "2", "1", "align_corners:int=0").Of(ElementClass.Float).Shape(AffineGrid, 1).With(OperatorTraits.HasFunctionBody),
    ];

    private static void Resize(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            OperatorView view = context.View;
            int[]? axes = view.Ints("axes") is { } given ? NormalizeAxes(context, given, shape.Rank) : [.. Enumerable.Range(0, shape.Rank)];
            if (axes is null) return;
            DimExpr?[] extents = Copy(shape);
            DimExpr?[]? sizes = view.SizesInput is { } input ? context.Content(input) : null;
            bool stretched = view.String("keep_aspect_ratio_policy", "stretch") == "stretch";
            if (sizes is not null && sizes.Length == axes.Length && stretched)
            {
                for (int i = 0; i < axes.Length; i++) extents[axes[i]] = sizes[i];
            }
            else if (view.SizesInput is null && view.ResizeScales is { } scales && scales.Length == axes.Length && view.CoordinateMode != "tf_crop_and_resize")
            {
                for (int i = 0; i < axes.Length; i++) extents[axes[i]] = Scaled(extents[axes[i]], scales[i]);
            }
            else
            {
                foreach (int axis in axes) extents[axis] = null;
            }
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
    }

    /// <summary>⌊extent · scale⌋; for a symbol only where the scale is a fraction with a small denominator.</summary>
    private static DimExpr? Scaled(DimExpr? extent, double scale)
    {
        if (extent is null || !double.IsFinite(scale) || scale <= 0) return null;
        if (extent.TryGetValue(out long value))
        {
            // ONNX Runtime multiplies in float.
            double product = Math.Floor((float)value * (float)scale);
            return product is >= 0 and < long.MaxValue ? (long)product : null;
        }
        for (long denominator = 1; denominator <= 64; denominator *= 2)
        {
            double numerator = scale * denominator;
            if (numerator == Math.Floor(numerator) && numerator < 1 << 20) return Dims.FloorDiv(Dims.Multiply(extent, (long)numerator), denominator);
        }
        return null;
    }

    private static void GridSample(InferenceContext context)
    {
        SymbolicShape? x = context.Shape(0), grid = context.Shape(1);
        SymbolicShape? result = grid is { Rank: > 2 } ? new SymbolicShape([x is { Rank: > 1 } ? x.Dimensions[0] : grid.Dimensions[0], x is { Rank: > 1 } ? x.Dimensions[1] : null, .. grid.Dimensions.Skip(1).Take(grid.Rank - 2)]) : null;
        context.Set(0, context.ElementType(0), result);
    }

    private static void AffineGrid(InferenceContext context)
    {
        SymbolicShape? result = context.Content(1) is { Length: > 2 and <= LargestRank } size ? new SymbolicShape([size[0], .. size.Skip(2), size.Length - 2]) : null;
        context.Set(0, context.ElementType(0), result);
    }
}
