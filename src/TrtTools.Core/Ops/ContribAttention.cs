using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>ONNX Runtime's attention operators and what stands around them in exported transformers.</summary>
internal static class ContribAttention
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        Define("Attention", "do_rotary:int=0 mask_filter_value:float=-10000.0 num_heads:int! past_present_share_buffer:int=0 qkv_hidden_sizes:ints rotary_embedding_dim:int=0 scale:float unidirectional:int=0").Shape(Attention),
        Define("MultiHeadAttention", "mask_filter_value:float=-10000.0 num_heads:int! scale:float unidirectional:int=0").Shape(MultiHeadAttention),
        Define("GroupQueryAttention", "do_rotary:int=0 k_quant_type:string=NONE kv_cache_bit_width:int=0 kv_num_heads:int! local_window_size:int=-1 num_heads:int! qk_output:int=0 rotary_interleaved:int=0 scale:float "
            + "smooth_softmax:int=0 softcap:float=0.0 v_quant_type:string=NONE").Shape(GroupQueryAttention),
        Define("EmbedLayerNormalization", "epsilon:float=1e-12 mask_index_type:int=0").Shape(EmbedLayerNormalization),
        Define("SkipLayerNormalization", "epsilon:float=1e-12").Shape(SkipNormalization),
        Define("SkipSimplifiedLayerNormalization", "epsilon:float=1e-06").Shape(SkipNormalization),
        Define("RotaryEmbedding", "interleaved:int=0 is_packed_batching:int=0 num_heads:int=0 rotary_embedding_dim:int=0 scale:float=1.0").Shape(ShapeRules.Same),
        Define("GemmaRotaryEmbedding", "").Shape(GemmaRotaryEmbedding),
        Define("MoE", "activation_alpha:float=1.0 activation_beta:float=0.0 activation_type:string=relu k:int=1 normalize_routing_weights:int=0 swiglu_fusion:int=0 swiglu_limit:float use_sparse_mixer:int=0").Shape(ShapeRules.Same),
        Define("QMoE", "activation_alpha:float=1.0 activation_beta:float=0.0 activation_type:string=relu block_size:int expert_weight_bits:int=4 k:int=1 normalize_routing_weights:int=0 swiglu_fusion:int=0 swiglu_limit:float "
            + "use_sparse_mixer:int=0").Shape(ShapeRules.Same),
        Define("MatMulNBits", "K:int! N:int! accuracy_level:int=0 bits:int=4 block_size:int! weight_prepacked:int=0").Shape(NarrowMatMul),
        Define("MatMulBnb4", "K:int! N:int! block_size:int! quant_type:int! training_mode:int=0 transB:int=1").Shape(NarrowMatMul),
    ];

    // Inputs and outputs grow with ONNX Runtime's versions, so their numbers say nothing.
    private static OperatorDefinition Define(string name, string attributes) =>
        new OperatorDefinition(name, "1", name.StartsWith("MatMul", StringComparison.Ordinal) ? ComputeForm.Contraction : ComputeForm.Composite, "1-*", "1-*", attributes, OperatorCatalog.MicrosoftDomain).Of(ElementClass.Float);

    // Input [batch, sequence, width], weights [width, queries + keys + values].
    private static void Attention(InferenceContext context)
    {
        if (context.Shape(0) is not { Rank: 3 } input) return;
        long[]? sizes = context.View.Ints("qkv_hidden_sizes");
        DimExpr? width = sizes is { Length: 3 } ? sizes[2] : context.Shape(1) is { Rank: 2 } weights ? Dims.FloorDiv(weights.Dimensions[1], 3) : null;
        context.Set(0, context.ElementType(0), input.Dimensions[0], input.Dimensions[1], width);
        DimExpr? heads = context.View.Int("num_heads", 1);
        DimExpr? past = context.Has(4) ? context.Shape(4) is { Rank: 5 } state ? state.Dimensions[3] : null : DimExpr.Zero;
        bool shares = context.View.Int("past_present_share_buffer", 0) != 0;
        context.Set(1, context.ElementType(0), 2, input.Dimensions[0], heads, shares ? past : Dims.Add(past, input.Dimensions[1]), Dims.FloorDiv(width, heads));
    }

    // Query [batch, sequence, width] or packed [batch, sequence, heads, 3, head]; keys and values the like, or [batch, heads, sequence, head].
    private static void MultiHeadAttention(InferenceContext context)
    {
        DataType type = context.ElementType(0);
        if (context.Shape(0) is not { } query) return;
        DimExpr? heads = context.View.Int("num_heads", 1);
        if (query.Rank == 5)
        {
            context.Set(0, type, query.Dimensions[0], query.Dimensions[1], Dims.Multiply(query.Dimensions[2], query.Dimensions[4]));
            return;
        }
        if (query.Rank != 3) return;
        SymbolicShape? key = context.Shape(1), value = context.Shape(2);
        DimExpr? width = value switch
        {
            { Rank: 3 } => value.Dimensions[2],
            { Rank: 4 } => Dims.Multiply(value.Dimensions[1], value.Dimensions[3]),
            // Keys and values in one: [batch, sequence, heads, 2, head].
            _ when key is { Rank: 5 } => Dims.Multiply(key.Dimensions[2], key.Dimensions[4]),
            _ => null,
        };
        context.Set(0, type, query.Dimensions[0], query.Dimensions[1], width);
        DimExpr? length = key switch { { Rank: 3 or 5 } => key.Dimensions[1], { Rank: 4 } => key.Dimensions[2], _ => null };
        if (context.Has(6)) length = Dims.Add(length, context.Shape(6) is { Rank: 4 } past ? past.Dimensions[2] : null);
        context.Set(1, type, query.Dimensions[0], heads, length, Dims.FloorDiv(query.Dimensions[2], heads));
        context.Set(2, type, query.Dimensions[0], heads, length, Dims.FloorDiv(width, heads));
    }

    private static void GroupQueryAttention(InferenceContext context)
    {
        DataType type = context.ElementType(0);
        if (context.Shape(0) is not { Rank: 3 } query) return;
        long heads = context.View.Int("num_heads", 1), shared = context.View.Int("kv_num_heads", 1);
        // Without keys, queries, keys and values come in one.
        DimExpr? head = context.Has(1) ? Dims.FloorDiv(query.Dimensions[2], heads) : Dims.FloorDiv(query.Dimensions[2], Dims.Add(heads, Dims.Multiply(2, shared)));
        context.Set(0, type, query.Dimensions[0], query.Dimensions[1], context.Has(1) ? query.Dimensions[2] : Dims.Multiply(head, heads));
        // The cache is as long as the sequence so far, or the longer buffer that it shares with the past.
        DimExpr? past = context.Has(3) ? context.Shape(3) is { Rank: 4 } state ? state.Dimensions[2] : null : DimExpr.Zero;
        DimExpr? total = context.Content(6) is [var known] ? known : null;
        DimExpr? length = past is { IsConstant: true, Value: 0 } ? query.Dimensions[1] : past is null || total is null ? null : Dims.Max(past, total);
        DataType cache = context.Has(3) ? context.ElementType(3) : type;
        context.Set(1, cache, query.Dimensions[0], shared, length, head);
        context.Set(2, cache, query.Dimensions[0], shared, length, head);
    }

    private static void EmbedLayerNormalization(InferenceContext context)
    {
        if (context.Shape(0) is not { Rank: 2 } ids) return;
        SymbolicShape result = new(ids.Dimensions[0], ids.Dimensions[1], context.Shape(2) is { Rank: 2 } words ? words.Dimensions[1] : null);
        context.Set(0, context.ElementType(2), result);
        context.Set(1, DataType.Int32, ids.Dimensions[0]);
        context.Set(2, context.ElementType(2), result);
    }

    private static void SkipNormalization(InferenceContext context)
    {
        ShapeRules.Same(context);
        // The sum before it is normalized.
        if (context.Type(0) is { } type && context.OutputCount > 3) context.Set(3, type.DataType, type.Shape);
    }

    // Angles, queries, queries turned by a quarter, keys, keys turned: queries and keys come back.
    private static void GemmaRotaryEmbedding(InferenceContext context)
    {
        context.Set(0, context.ElementType(1), context.Shape(1));
        context.Set(1, context.ElementType(3), context.Shape(3));
    }

    private static void NarrowMatMul(InferenceContext context)
    {
        if (context.Shape(0) is not { Rank: > 0 } input) return;
        context.Set(0, context.ElementType(0), new SymbolicShape([.. input.Dimensions.SkipLast(1), context.View.Int("N", 0)]));
    }
}
