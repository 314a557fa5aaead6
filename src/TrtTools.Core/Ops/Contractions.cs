using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Sums of products.</summary>
internal static class Contractions
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Conv", "1 11 22", ComputeForm.Contraction, "2-3", "1", "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints")
            .Of(ElementClass.Float).Shape(Conv).Quantizes(0, 1).Costs(ConvFlops),
        new OperatorDefinition("ConvTranspose", "1 11 22", ComputeForm.Contraction, "2-3", "1",
            "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints")
            .Of(ElementClass.Float).Shape(ConvTranspose).Quantizes(0, 1).Costs(ConvTransposeFlops),
        new OperatorDefinition("Gemm", "1 6 7 9 11 13", ComputeForm.Contraction, "3 11:2-3", "1", "alpha:float=1.0 beta:float=1.0 broadcast:int=0@-6 transA:int=0 transB:int=0")
            .Of(ElementClass.Numeric).Shape(Gemm).Quantizes(0, 1).Costs(GemmFlops),
        new OperatorDefinition("MatMul", "1 9 13", ComputeForm.Contraction, "2", "1").Of(ElementClass.Numeric).Shape(MatMul).Quantizes(0, 1).Costs(MatMulFlops),
        new OperatorDefinition("MatMulInteger", "10", ComputeForm.Contraction, "2-4", "1").Of(ElementClass.Integer).Shape(MatMulInteger).Costs(MatMulFlops),
        new OperatorDefinition("ConvInteger", "10", ComputeForm.Contraction, "2-4", "1", "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints")
            .Of(ElementClass.Integer).Shape(ConvInteger).Costs(ConvFlops),
        new OperatorDefinition("QLinearConv", "10", ComputeForm.Contraction, "8-9", "1", "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints")
            .Of(ElementClass.Integer).Shape(QLinearConv).Costs(QLinearConvFlops),
        new OperatorDefinition("QLinearMatMul", "10 21", ComputeForm.Contraction, "8", "1").Of(ElementClass.Float).Shape(QLinearMatMul).Costs(QLinearMatMulFlops),
        new OperatorDefinition("Einsum", "12", ComputeForm.Contraction, "1-*", "1", "equation:string!").Of(ElementClass.Numeric).Shape(Einsum).Costs(EinsumFlops),
        new OperatorDefinition("DeformConv", "19 22", ComputeForm.Contraction, "3-5", "1", "dilations:ints group:int=1 kernel_shape:ints offset_group:int=1 pads:ints strides:ints")
            .Of(ElementClass.Float).Shape(DeformConv).Costs(ConvFlops),
    ];

    internal static void Conv(InferenceContext context) => Convolve(context, context.ElementType(0), 0, 1);

    private static void ConvInteger(InferenceContext context) => Convolve(context, DataType.Int32, 0, 1);

    private static void QLinearConv(InferenceContext context) => Convolve(context, context.ElementType(7), 0, 3);

    internal static void Convolve(InferenceContext context, DataType type, int input, int weights)
    {
        SymbolicShape? x = context.Shape(input), w = context.Shape(weights), result = null;
        int? rank = x?.Rank ?? w?.Rank;
        if (x is not null && w is not null && x.Rank != w.Rank)
        {
            context.Contradict($"the input {x} and the weights {w} differ in rank");
        }
        else if (rank > 2)
        {
            if (x is not null && w is not null && x.Dimensions[1] is { IsConstant: true } channels && w.Dimensions[1] is { IsConstant: true } perGroup
                && channels.Value != perGroup.Value * context.View.Int("group", 1))
            {
                context.Contradict($"the input has {channels} channels, the weights {w} with {context.View.Int("group", 1)} groups take {perGroup.Value * context.View.Int("group", 1)}");
            }
            DimExpr?[]? kernel = Windows.Kernel(context, w);
            DimExpr?[] extents = x is not null && kernel is not null && kernel.Length == rank - 2 ? Windows.Slide(context, x, kernel) : new DimExpr?[rank.Value - 2];
            result = new SymbolicShape([x?.Dimensions[0], w?.Dimensions[0], .. extents]);
        }
        context.Set(0, type, result);
    }

    private static void ConvTranspose(InferenceContext context)
    {
        SymbolicShape? x = context.Shape(0), w = context.Shape(1), result = null;
        if (x is { Rank: > 2 } && (w is null || w.Rank == x.Rank))
        {
            OperatorView view = context.View;
            int axes = x.Rank - 2;
            DimExpr?[] extents = new DimExpr?[axes];
            DimExpr?[]? kernel = Windows.Kernel(context, w);
            long[]? wanted = view.Ints("output_shape"), pads = view.Ints("pads"), strides = view.Ints("strides"), dilations = view.Ints("dilations"), extra = view.Ints("output_padding");
            string autoPad = view.String("auto_pad", "NOTSET");
            for (int i = 0; i < axes; i++)
            {
                long stride = Windows.At(strides, i, 1);
                if (wanted is not null) extents[i] = Windows.At(wanted, wanted.Length == x.Rank ? i + 2 : i, 0);
                else if (autoPad is "SAME_UPPER" or "SAME_LOWER") extents[i] = Dims.Multiply(x.Dimensions[i + 2], stride);
                else if (kernel is not null && i < kernel.Length)
                {
                    DimExpr? reach = Dims.Add(Dims.Multiply(Dims.Subtract(kernel[i], DimExpr.One), Windows.At(dilations, i, 1)), DimExpr.One);
                    long padding = autoPad == "VALID" ? 0 : Windows.At(pads, i, 0) + Windows.At(pads, i + axes, 0);
                    DimExpr? spread = Dims.Multiply(Dims.Subtract(x.Dimensions[i + 2], DimExpr.One), stride);
                    extents[i] = Dims.Add(Dims.Add(spread, reach), Windows.At(extra, i, 0) - padding);
                }
            }
            result = new SymbolicShape([x.Dimensions[0], Dims.Multiply(w?.Dimensions[1], view.Int("group", 1)), .. extents]);
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void DeformConv(InferenceContext context) => Conv(context);

    internal static void Gemm(InferenceContext context)
    {
        SymbolicShape? a = context.Shape(0), b = context.Shape(1);
        bool transA = context.View.Int("transA", 0) != 0, transB = context.View.Int("transB", 0) != 0;
        if (a is { Rank: not 2 } || b is { Rank: not 2 })
        {
            context.Contradict($"Gemm takes matrices, not {a?.ToString() ?? "?"} and {b?.ToString() ?? "?"}");
            context.Set(0, context.ElementType(0), Dims.OfRank(2));
            return;
        }
        DimExpr? inner = a?.Dimensions[transA ? 0 : 1], other = b?.Dimensions[transB ? 1 : 0];
        CheckInner(context, inner, other, a, b);
        context.Set(0, context.ElementType(0), a?.Dimensions[transA ? 1 : 0], b?.Dimensions[transB ? 0 : 1]);
    }

    private static void MatMul(InferenceContext context) => context.Set(0, context.ElementType(0), Product(context, context.Shape(0), context.Shape(1)));

    private static void MatMulInteger(InferenceContext context) => context.Set(0, DataType.Int32, Product(context, context.Shape(0), context.Shape(1)));

    private static void QLinearMatMul(InferenceContext context) => context.Set(0, context.ElementType(7), Product(context, context.Shape(0), context.Shape(3)));

    /// <summary>The shape of a batched matrix product.</summary>
    public static SymbolicShape? Product(InferenceContext context, SymbolicShape? a, SymbolicShape? b)
    {
        if (a is null || b is null) return null;
        if (a.Rank == 0 || b.Rank == 0)
        {
            context.Contradict($"a matrix product takes no scalars, but got {a} and {b}");
            return null;
        }
        CheckInner(context, a.Dimensions[^1], b.Dimensions[b.Rank == 1 ? 0 : b.Rank - 2], a, b);
        SymbolicShape? batch = Dims.Broadcast([Head(a), Head(b)], context.Contradict);
        if (batch is null) return null;
        List<DimExpr?> result = [.. batch.Dimensions];
        if (a.Rank > 1) result.Add(a.Dimensions[^2]);
        if (b.Rank > 1) result.Add(b.Dimensions[^1]);
        return new SymbolicShape(result);
    }

    private static SymbolicShape Head(SymbolicShape shape) => new([.. shape.Dimensions.Take(Math.Max(0, shape.Rank - 2))]);

    private static void CheckInner(InferenceContext context, DimExpr? a, DimExpr? b, SymbolicShape? left, SymbolicShape? right)
    {
        if (a is { IsConstant: true } && b is { IsConstant: true } && a.Value != b.Value)
        {
            context.Contradict($"A is {left}, B is {right}: the inner dimensions must match");
        }
    }

    private static void Einsum(InferenceContext context)
    {
        context.Set(0, context.ElementType(0), EinsumEquation.Parse(context.View.String("equation", ""))?.Infer(context));
    }

    private static double ConvFlops(FlopsContext context) => Multiplications(context, 1);

    private static double QLinearConvFlops(FlopsContext context) => Multiplications(context, 3);

    // Each output element sums over one group's input channels and the kernel: the weights' elements without the output channels.
    private static double Multiplications(FlopsContext context, int weights)
    {
        if (context.Input(weights) is not { Length: > 2 } w || w[0] <= 0) return 0;
        return (2 * context.OutputCount() * FlopsContext.Count(w) / w[0]) + (context.Input(2) is not null && weights == 1 ? context.OutputCount() : 0);
    }

    // Each input element is multiplied with one group's output channels and the kernel.
    private static double ConvTransposeFlops(FlopsContext context)
    {
        if (context.Input(1) is not { Length: > 2 } w || w[0] <= 0) return 0;
        return (2 * context.InputCount(0) * FlopsContext.Count(w) / w[0]) + (context.Input(2) is not null ? context.OutputCount() : 0);
    }

    private static double GemmFlops(FlopsContext context)
    {
        if (context.Input(0) is not { Length: 2 } a) return 0;
        double inner = a[context.View.Int("transA", 0) != 0 ? 0 : 1];
        return (2 * context.OutputCount() * inner) + (context.Input(2) is not null ? context.OutputCount() : 0);
    }

    private static double MatMulFlops(FlopsContext context) => context.Input(0) is { Length: > 0 } a ? 2 * context.OutputCount() * a[^1] : 0;

    private static double QLinearMatMulFlops(FlopsContext context) => MatMulFlops(context);

    private static double EinsumFlops(FlopsContext context) => EinsumEquation.Parse(context.View.String("equation", ""))?.Flops(context) ?? 0;
}
