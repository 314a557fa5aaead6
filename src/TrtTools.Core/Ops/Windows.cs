using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Sliding windows without products, and the arithmetic of windows that Conv shares.</summary>
internal static class Windows
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("MaxPool", "1 8 10 11 12 22", ComputeForm.Window, "1", "1 8:1-2",
            "auto_pad:string=NOTSET ceil_mode:int=0@10- dilations:ints@10- kernel_shape:ints! pads:ints storage_order:int=0@8- strides:ints")
            .Of(ElementClass.Numeric).Shape(Pool).Quantizes(0).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("AveragePool", "1 7 10 11 19 22", ComputeForm.Window, "1", "1",
            "auto_pad:string=NOTSET ceil_mode:int=0@10- count_include_pad:int=0@7- dilations:ints@19- kernel_shape:ints! pads:ints strides:ints")
            .Of(ElementClass.Float).Shape(Pool).Quantizes(0).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("LpPool", "1 2 11 18 22", ComputeForm.Window, "1", "1",
            "auto_pad:string=NOTSET ceil_mode:int=0@18- dilations:ints@18- kernel_shape:ints@-1 kernel_shape:ints!@2- p:float=2.0@-1 p:int=2@2- pads:ints "
            + "strides:ints")
            .Of(ElementClass.Float).Shape(Pool),
        new OperatorDefinition("GlobalAveragePool", "1 22", ComputeForm.Window, "1", "1")
            .Of(ElementClass.Float).Shape(GlobalPool).Quantizes(0).Costs(InputFlops).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("GlobalMaxPool", "1 22", ComputeForm.Window, "1", "1")
            .Of(ElementClass.Float).Shape(GlobalPool).Quantizes(0).Costs(InputFlops).With(OperatorTraits.ScalePreserving),
        new OperatorDefinition("GlobalLpPool", "1 2 22", ComputeForm.Window, "1", "1", "p:float=2.0@-1 p:int=2@2-").Of(ElementClass.Float).Shape(GlobalPool).Costs(InputFlops),
        new OperatorDefinition("LRN", "1 13", ComputeForm.Window, "1", "1", "alpha:float=0.0001 beta:float=0.75 bias:float=1.0 size:int!").Of(ElementClass.Float).Shape(Same).Costs(LrnFlops),
        new OperatorDefinition("MaxUnpool", "9 11 22", ComputeForm.Window, "2-3", "1", "kernel_shape:ints! pads:ints strides:ints").Of(ElementClass.Float).Shape(MaxUnpool),
        new OperatorDefinition("MaxRoiPool", "1 22", ComputeForm.Window, "2", "1", "pooled_shape:ints! spatial_scale:float=1.0").Of(ElementClass.Float).Shape(MaxRoiPool),
        new OperatorDefinition("RoiAlign", "10 16 22", ComputeForm.Window, "3", "1",
            "coordinate_transformation_mode:string=half_pixel@16- mode:string=avg output_height:int=1 output_width:int=1 sampling_ratio:int=0 "
            + "spatial_scale:float=1.0")
            .Of(ElementClass.Float).Shape(RoiAlign),
        new OperatorDefinition("Col2Im", "18", ComputeForm.Window, "3", "1", "dilations:ints pads:ints strides:ints").Shape(Col2Im),
    ];

    /// <summary>Extents that a window slides to: one for each spatial axis of <paramref name="input"/> (from axis 2 on).</summary>
    public static DimExpr?[] Slide(InferenceContext context, SymbolicShape input, DimExpr?[] kernel)
    {
        OperatorView view = context.View;
        int axes = input.Rank - 2;
        DimExpr?[] result = new DimExpr?[Math.Max(0, axes)];
        string autoPad = view.String("auto_pad", "NOTSET");
        bool ceil = view.Int("ceil_mode", 0) != 0;
        long[]? pads = view.Ints("pads"), strides = view.Ints("strides"), dilations = view.Ints("dilations");
        for (int i = 0; i < axes && i < kernel.Length; i++)
        {
            DimExpr? extent = input.Dimensions[i + 2];
            DimExpr stride = At(strides, i, 1);
            if (autoPad is "SAME_UPPER" or "SAME_LOWER")
            {
                result[i] = Dims.CeilDiv(extent, stride);
                continue;
            }
            bool padded = autoPad != "VALID";
            long before = padded ? At(pads, i, 0) : 0, after = padded ? At(pads, i + axes, 0) : 0;
            DimExpr? reach = Dims.Add(Dims.Multiply(At(dilations, i, 1), Dims.Subtract(kernel[i], DimExpr.One)), DimExpr.One);
            DimExpr? room = Dims.Subtract(Dims.Add(extent, Dims.Add(before, after)), reach);
            result[i] = Dims.Add(ceil ? Dims.CeilDiv(room, stride) : Dims.FloorDiv(room, stride), DimExpr.One);
            if (ceil)
            {
                // The last window must start inside the input or the padding before it.
                result[i] = Dims.Min(result[i], Dims.Add(Dims.FloorDiv(Dims.Add(extent, before - 1), stride), DimExpr.One));
            }
            if (result[i] is { IsConstant: true, Value: <= 0 } empty && extent is { IsConstant: true, Value: > 0 })
            {
                context.Contradict($"the window ({kernel[i]}) is larger than the padded input ({extent} + {before} + {after})");
                result[i] = empty.Value < 0 ? null : empty;
            }
        }
        return result;
    }

    public static long At(long[]? values, int index, long absent) => values is not null && index < values.Length ? values[index] : absent;

    public static DimExpr?[]? Kernel(InferenceContext context, SymbolicShape? weights) =>
        context.View.Ints("kernel_shape") is { } kernel ? [.. kernel.Select(k => DimExpr.Constant(k))]
        : weights is { Rank: > 2 } ? [.. weights.Dimensions.Skip(2)] : null;

    internal static void Pool(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { Rank: > 2 } input && Kernel(context, null) is { } kernel)
        {
            if (kernel.Length != input.Rank - 2) context.Contradict($"kernel_shape has {kernel.Length} axes, the input {input.Rank - 2} spatial ones");
            else result = new SymbolicShape([input.Dimensions[0], input.Dimensions[1], .. Slide(context, input, kernel)]);
        }
        context.Set(0, context.ElementType(0), result);
        context.Set(1, DataType.Int64, result);
    }

    internal static void GlobalPool(InferenceContext context) => context.Set(0, context.ElementType(0), context.Shape(0) is { Rank: > 2 } input
        ? new SymbolicShape([input.Dimensions[0], input.Dimensions[1], .. Enumerable.Repeat(DimExpr.One, input.Rank - 2)]) : null);

    private static void MaxUnpool(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { Rank: > 2 } input)
        {
            if (context.Has(2))
            {
                result = context.Content(2) is { } sizes ? new SymbolicShape(sizes) : Dims.OfRank(input.Rank);
            }
            else if (context.View.Ints("kernel_shape") is { } kernel)
            {
                long[]? strides = context.View.Ints("strides"), pads = context.View.Ints("pads");
                int axes = input.Rank - 2;
                DimExpr?[] extents = Copy(input);
                for (int i = 0; i < axes && i < kernel.Length; i++)
                {
                    DimExpr? reach = Dims.Multiply(Dims.Subtract(extents[i + 2], DimExpr.One), At(strides, i, 1));
                    extents[i + 2] = Dims.Add(reach, kernel[i] - At(pads, i, 0) - At(pads, i + axes, 0));
                }
                result = new SymbolicShape(extents);
            }
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void MaxRoiPool(InferenceContext context) => context.Set(0, context.ElementType(0),
        [context.Shape(1) is { Rank: > 0 } rois ? rois.Dimensions[0] : null, context.Shape(0) is { Rank: > 1 } input ? input.Dimensions[1] : null,
            .. (context.View.Ints("pooled_shape") ?? []).Select(DimExpr.Constant)]);

    private static void RoiAlign(InferenceContext context) => context.Set(0, context.ElementType(0),
        context.Shape(1) is { Rank: > 0 } rois ? rois.Dimensions[0] : null, context.Shape(0) is { Rank: > 1 } input ? input.Dimensions[1] : null,
        context.View.Int("output_height", 1), context.View.Int("output_width", 1));

    private static void Col2Im(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Content(1) is { } image && context.Shape(0) is { Rank: 3 } input)
        {
            DimExpr? channels = Dims.FloorDiv(input.Dimensions[1], context.Content(2) is { } block ? Dims.Product(block) : null);
            result = new SymbolicShape([input.Dimensions[0], channels, .. image]);
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static double InputFlops(FlopsContext context) => context.InputCount(0);

    private static double LrnFlops(FlopsContext context) => context.OutputCount() * ((2 * context.View.Int("size", 1)) + 3);
}
