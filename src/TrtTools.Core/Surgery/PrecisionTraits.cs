using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>What the operators' definitions say of half precision: which nodes may take it, and which of their inputs stay as they are.</summary>
internal static class PrecisionTraits
{
    // Their type lists hold no 16-bit floats, or they give a number that a 16-bit float spoils.
    private static readonly HashSet<string> FloatOnly = new(StringComparer.Ordinal)
    {
        "NonMaxSuppression", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MelWeightMatrix", "HannWindow", "HammingWindow", "BlackmanWindow", "STFT", "DFT", "TfIdfVectorizer",
        "ImageDecoder", "Upsample", "Range", "CumSum", "Multinomial", "Bernoulli", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "StringNormalizer", "Optional", "OptionalGetElement",
        "SequenceConstruct", "SequenceInsert", "SequenceAt", "SplitToSequence", "ConcatFromSequence", "Scan", "Loop", "If", "SequenceMap",
    };

    private static readonly HashSet<string> ContribHalf = new(StringComparer.Ordinal)
    {
        "Attention", "MultiHeadAttention", "GroupQueryAttention", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "SimplifiedLayerNormalization", "EmbedLayerNormalization", "FusedMatMul", "BiasGelu",
        "FastGelu", "Gelu", "QuickGelu", "RotaryEmbedding", "BiasSplitGelu", "GroupNorm", "SkipGroupNorm", "BiasAdd", "FusedConv",
    };

    /// <summary>True when the node computes in whatever float type its inputs have.</summary>
    public static bool TakesHalf(Node node, long opset) => node.Domain.Length == 0
        ? !FloatOnly.Contains(node.OpType) && (node.OpType is not ("QuantizeLinear" or "DequantizeLinear") || opset >= 19)
        : node.Domain == OperatorCatalog.MicrosoftDomain && ContribHalf.Contains(node.OpType);

    /// <summary>Inputs that are Float32 whatever the node computes in.</summary>
    public static bool StaysFloat(Node node, int input) => (node.OpType, input) switch
    {
        ("Resize", 1 or 2) => true,
        _ => false,
    };

    /// <summary>The attribute that names the result's type, where the operator has one.</summary>
    public static string? TypeAttribute(Node node) => node.OpType switch { "Cast" => "to", "EyeLike" => "dtype", _ => null };

    /// <summary>Greatest finite value.</summary>
    public static double Greatest(DataType type) => type switch { DataType.Float16 => 65504, DataType.BFloat16 => 3.3895313892515355e38, _ => float.MaxValue };
}
