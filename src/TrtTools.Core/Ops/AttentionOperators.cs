using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Attention and what belongs to it, in the standard domain.</summary>
internal static class AttentionOperators
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Attention", "23 24 25", ComputeForm.Composite, "3-6 24:3-7", "1-4",
            "is_causal:int=0 kv_num_heads:int left_window_size:int=-1@25- q_num_heads:int qk_matmul_output_mode:int=0 right_window_size:int=-1@25- scale:float "
            + "softcap:float=0.0 softmax_precision:int")
            .Of(ElementClass.Float).Shape(Attention).Costs(AttentionFlops).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("RotaryEmbedding", "23", ComputeForm.Composite, "3-4", "1", "interleaved:int=0 num_heads:int rotary_embedding_dim:int=0")
            .Of(ElementClass.Float).Shape(Same).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("LinearAttention", "27", ComputeForm.Composite, "3-6", "2",
            "chunk_size:int=64 kv_num_heads:int! q_num_heads:int! scale:float=0.0 update_rule:string=gated_delta")
            .Of(ElementClass.Float).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("CausalConvWithState", "27", ComputeForm.Composite, "2-4", "2", "activation:string=none").Of(ElementClass.Float).With(OperatorTraits.HasFunctionBody),
    ];

    private static void Attention(InferenceContext context)
    {
        DataType type = context.ElementType(0);
        if (context.Shape(0) is not { Rank: 3 or 4 } q || context.Shape(1) is not { } k || context.Shape(2) is not { } v || k.Rank != q.Rank || v.Rank != q.Rank) return;
        bool packed = q.Rank == 3;
        DimExpr? batch = q.Dimensions[0];
        DimExpr? queryHeads = packed ? context.View.Int("q_num_heads", 1) : q.Dimensions[1], heads = packed ? context.View.Int("kv_num_heads", 1) : k.Dimensions[1];
        DimExpr? queries = q.Dimensions[packed ? 1 : 2], keys = k.Dimensions[packed ? 1 : 2];
        DimExpr? keyWidth = packed ? Dims.FloorDiv(k.Dimensions[2], heads) : k.Dimensions[3], valueWidth = packed ? Dims.FloorDiv(v.Dimensions[2], heads) : v.Dimensions[3];
        if (context.Has(4)) keys = Dims.Add(keys, context.Shape(4) is { Rank: 4 } past ? past.Dimensions[2] : null);
        context.Set(0, type, packed ? new SymbolicShape(batch, queries, Dims.Multiply(queryHeads, valueWidth)) : new SymbolicShape(batch, queryHeads, queries, valueWidth));
        context.Set(1, context.ElementType(1), batch, heads, keys, keyWidth);
        context.Set(2, context.ElementType(2), batch, heads, keys, valueWidth);
        context.Set(3, type, batch, queryHeads, queries, keys);
    }

    // Two products of queries and keys over the width, and a softmax between.
    private static double AttentionFlops(FlopsContext context)
    {
        if (context.Input(0) is not { Length: 3 or 4 } q || context.Input(1) is not { Length: 3 or 4 } k) return 0;
        double keys = k[k.Length - 2], scores = FlopsContext.Count(q) * keys;
        return 4 * scores;
    }
}
