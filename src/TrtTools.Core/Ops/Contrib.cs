using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>ONNX Runtime's own operators (com.microsoft), which its optimizer and exporters leave in files. Shape rules for those that
/// keep a shape or multiply matrices; the rest by name and form.</summary>
internal static class Contrib
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        .. Named(ComputeForm.Pointwise, Same, "QLinearSigmoid", "QLinearLeakyRelu"),
        Scalar("Gelu", "0.5 * x * (1 + erf(x * 0.7071067811865476))"),
        Scalar("BiasGelu", "0.5 * (x + y) * (1 + erf((x + y) * 0.7071067811865476))"),
        Scalar("FastGelu", "0.5 * (x + (y ?? -0)) * (1 + tanh(0.7978845608028654 * (x + (y ?? -0)) + 0.035677408136300125 * (x + (y ?? -0)) * (x + (y ?? -0)) * (x + (y ?? -0))))"),
        Scalar("QuickGelu", "x / (1 + exp(-alpha * x))", "alpha:float=1.702"),
        .. Named(ComputeForm.Pointwise, Broadcast, "QLinearAdd", "QLinearMul"),
        new OperatorDefinition("QuantizeLinear", "1", ComputeForm.Pointwise, "0-*", "1-*", domain: OperatorCatalog.MicrosoftDomain).Computes("round(x / y) + float(z ?? 0)").Shape(QuantizeLinear),
        new OperatorDefinition("DequantizeLinear", "1", ComputeForm.Pointwise, "0-*", "1-*", domain: OperatorCatalog.MicrosoftDomain).Computes("float(x - (z ?? 0)) * y").Shape(DequantizeLinear),
        .. Named(ComputeForm.Pointwise, Same, "BiasAdd", "BiasDropout"),
        .. Named(ComputeForm.Pointwise, BiasSplitGelu, "BiasSplitGelu"),
        .. Named(ComputeForm.Pointwise, null, "ComplexMul", "ComplexMulConj", "IsAllFinite", "MulInteger", "QLinearWhere", "QuantizeBFP", "DequantizeBFP"),
        .. Named(ComputeForm.Composite, Same, "GroupNorm", "SkipGroupNorm", "BiasSoftmax", "QLinearSoftmax"),
        // ONNX Runtime keeps this one in the standard domain, where the standard knows it as RMSNormalization.
        new OperatorDefinition("SimplifiedLayerNormalization", "1", ComputeForm.Composite, "2", "1-2", "axis:int=-1 epsilon:float=1e-05 stash_type:int=1").Shape(Same),
        .. Named(ComputeForm.Composite, null, "PackedAttention", "PackedMultiHeadAttention", "PagedAttention", "SparseAttention",
            "DecoderAttention", "DecoderMaskedMultiHeadAttention", "DecoderMaskedSelfAttention", "LongformerAttention", "QAttention", "QOrderedAttention", "QOrderedLongformerAttention",
            "QEmbedLayerNormalization", "GatedRelativePositionBias", "RelativePositionBias", "RemovePadding", "RestorePadding", "QOrderedLayerNormalization", "QOrderedGelu"),
        .. Named(ComputeForm.Contraction, MatMul, "FusedMatMul", "TransposeMatMul", "MatMulInteger16", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
        .. Named(ComputeForm.Contraction, Contractions.Conv, "FusedConv"),
        .. Named(ComputeForm.Contraction, Contractions.Gemm, "FusedGemm"),
        .. Named(ComputeForm.Contraction, QLinearConv, "QLinearConv"),
        .. Named(ComputeForm.Contraction, QGemm, "QGemm"),
        .. Named(ComputeForm.Contraction, null, "GemmFastGelu", "GemmFloat8", "FusedMatMulActivation", "MatMulFpQ4", "NhwcConv", "NhwcFusedConv",
            "ConvTransposeWithDynamicPads", "QOrderedMatMul", "SparseToDenseMatMul"),
        .. Named(ComputeForm.Window, QLinearAveragePool, "QLinearAveragePool", "QLinearGlobalAveragePool"),
        .. Named(ComputeForm.Window, null, "NhwcMaxPool", "MaxpoolWithMask"),
        .. Named(ComputeForm.Reduction, null, "QLinearReduceMean", "ReduceSumInteger"),
        .. Named(ComputeForm.Movement, Same, "Trilu"),
        .. Named(ComputeForm.Movement, QLinearConcat, "QLinearConcat"),
        .. Named(ComputeForm.Movement, null, "ExpandDims", "Pad", "DynamicTimeWarping", "UnfoldTensor"),
        .. Named(ComputeForm.Gather, null, "GatherND", "GatherBlockQuantized", "TorchEmbedding", "WordConvEmbedding", "NGramRepeatBlock"),
        .. Named(ComputeForm.Resample, null, "GridSample", "CropAndResize"),
        .. Named(ComputeForm.Recurrence, null, "AttnLSTM", "DynamicQuantizeLSTM"),
        .. Named(ComputeForm.Spectral, null, "Rfft", "Irfft", "Inverse", "CDist"),
        .. Named(ComputeForm.Fill, null, "Range"),
        .. Named(ComputeForm.SortSelect, null, "Unique", "BifurcationDetector"),
        .. Named(ComputeForm.Control, null, "BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"),
        .. Named(ComputeForm.HostOnly, null, "Tokenizer", "MurmurHash3", "SampleOp", "Snpe", "EPContext"),
    ];

    private static IEnumerable<OperatorDefinition> Named(ComputeForm form, ShapeRule? rule, params string[] names)
    {
        foreach (string name in names)
        {
            OperatorDefinition definition = new(name, "1", form, "0-*", "1-*", domain: OperatorCatalog.MicrosoftDomain);
            yield return rule is null ? definition : definition.Shape(rule);
        }
    }

    private static OperatorDefinition Scalar(string name, string text, string attributes = "") =>
        new OperatorDefinition(name, "1", ComputeForm.Pointwise, "0-*", "1-*", attributes, OperatorCatalog.MicrosoftDomain).Computes(text).Shape(Same);

    private static void Broadcast(InferenceContext context) => context.Set(0, context.ElementType(0), Dims.Broadcast([context.Shape(0), context.Shape(3)], context.Contradict));

    private static void QuantizeLinear(InferenceContext context) => context.Set(0, context.Has(2) ? context.ElementType(2) : DataType.UInt8, context.Shape(0));

    private static void DequantizeLinear(InferenceContext context) => context.Set(0, context.ElementType(1), context.Shape(0));

    private static void MatMul(InferenceContext context)
    {
        if (context.View.Int("transBatchA", 0) != 0 || context.View.Int("transBatchB", 0) != 0) return;
        SymbolicShape? a = Transposed(context.Shape(0), context.View.Int("transA", 0)), b = Transposed(context.Shape(1), context.View.Int("transB", 0));
        DataType type = context.Node.OpType switch { "MatMulInteger16" => DataType.Int32, "MatMulIntegerToFloat" => context.ElementType(2), _ => context.ElementType(0) };
        context.Set(0, type, Contractions.Product(context, a, b));
    }

    private static void BiasSplitGelu(InferenceContext context)
    {
        if (context.Shape(0) is { Rank: > 0 } shape) context.Set(0, context.ElementType(0), new SymbolicShape([.. shape.Dimensions.SkipLast(1), Dims.FloorDiv(shape.Dimensions[^1], 2)]));
    }

    private static void QLinearConv(InferenceContext context)
    {
        if (context.View.Int("channels_last", 0) == 0) Contractions.Convolve(context, context.ElementType(7), 0, 3);
    }

    private static void QLinearAveragePool(InferenceContext context)
    {
        if (context.View.Int("channels_last", 0) != 0) return;
        if (context.Node.OpType == "QLinearAveragePool") Windows.Pool(context);
        else Windows.GlobalPool(context);
    }

    // A, its scale and zero point, B, its scale and zero point, C, Y's scale and zero point.
    private static void QGemm(InferenceContext context)
    {
        SymbolicShape? a = Transposed(context.Shape(0), context.View.Int("transA", 0)), b = Transposed(context.Shape(3), context.View.Int("transB", 0));
        context.Set(0, context.Has(8) ? context.ElementType(8) : DataType.Float32, a is { Rank: 2 } ? a.Dimensions[0] : null, b is { Rank: 2 } ? b.Dimensions[1] : null);
    }

    // Y's scale and zero point, then each input with its own.
    private static void QLinearConcat(InferenceContext context)
    {
        if (context.Shape(2) is not { Rank: > 0 } first || ShapeRules.NormalizeAxis(context, context.View.Int("axis", 1), first.Rank) is not { } axis) return;
        DimExpr?[] extents = ShapeRules.Copy(first);
        for (int i = 5; i < context.InputCount; i += 3) extents[axis] = Dims.Add(extents[axis], context.Shape(i) is { } shape && shape.Rank == first.Rank ? shape.Dimensions[axis] : null);
        context.Set(0, context.ElementType(1), new SymbolicShape(extents));
    }

    private static SymbolicShape? Transposed(SymbolicShape? shape, long transposed) =>
        transposed == 0 || shape is not { Rank: >= 2 } ? shape : new SymbolicShape([.. shape.Dimensions.Take(shape.Rank - 2), shape.Dimensions[^1], shape.Dimensions[^2]]);
}
