using TrtTools.Ir;

namespace TrtTools.Passes;

/// <summary>What passes must know of operators beyond their arithmetic.</summary>
internal static class Traits
{
    /// <summary>Gives other results every time, or stands for quantization that must stay where it is.</summary>
    public static bool IsNeverFolded(Node node) => IsRandom(node) || IsQuantization(node);

    public static bool IsQuantization(Node node) => node.OpType is "QuantizeLinear" or "DequantizeLinear" or "DynamicQuantizeLinear";

    public static bool IsRandom(Node node) => node.Domain.Length == 0
        ? node.OpType is "RandomNormal" or "RandomNormalLike" or "RandomUniform" or "RandomUniformLike" or "Multinomial" or "Bernoulli"
            || (node.OpType == "Dropout" && node.Input(2) is not null)
        : !IsKnownDomain(node.Domain);

    /// <summary>Operators of other domains may do anything; those of ONNX Runtime's own domains that are random are few.</summary>
    private static bool IsKnownDomain(string domain) => domain is "ai.onnx" or "ai.onnx.ml" or "com.microsoft" or OnnxGraph.FusionDomain;

    /// <summary>Gives sequences, optionals or maps, which no initializer holds.</summary>
    public static bool GivesNoTensor(Node node) => node.OpType is "SequenceConstruct" or "SequenceEmpty" or "SequenceInsert" or "SequenceErase" or "SplitToSequence"
        or "SequenceMap" or "Optional" or "OptionalGetElement" or "ZipMap" or "DictVectorizer" or "CastMap";
}
