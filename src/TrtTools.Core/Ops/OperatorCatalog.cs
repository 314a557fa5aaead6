using System.Collections.Frozen;

namespace TrtTools.Ops;

/// <summary>Every operator TrtTools knows. A new one is one entry in the table of its form.</summary>
internal static class OperatorCatalog
{
    /// <summary>The domain of ONNX Runtime's own operators.</summary>
    public const string MicrosoftDomain = "com.microsoft";

    /// <summary>The domain of the classical machine-learning operators.</summary>
    public const string MachineLearningDomain = "ai.onnx.ml";

    private static readonly FrozenDictionary<(string Domain, string OpType), OperatorDefinition> s_byName = BuildIndex();

    public static IEnumerable<OperatorDefinition> All => s_byName.Values.OrderBy(d => d.Domain, StringComparer.Ordinal).ThenBy(d => d.OpType, StringComparer.Ordinal);

    /// <summary>The definition, if the operator exists in that opset of the domain (removed ones count from their first version on).</summary>
    public static OperatorDefinition? Find(string domain, string opType, long opset) => Find(domain, opType) is { } found && found.Versions[0] <= opset ? found : null;

    /// <summary>The definition whatever the opset.</summary>
    public static OperatorDefinition? Find(string domain, string opType) => s_byName.GetValueOrDefault((domain == "ai.onnx" ? "" : domain, opType));

    private static FrozenDictionary<(string, string), OperatorDefinition> BuildIndex()
    {
        IEnumerable<OperatorDefinition> all =
        [
            .. Pointwise.Operators, .. Reductions.Operators, .. Contractions.Operators, .. Windows.Operators, .. Movement.Operators,
            .. Indexing.Operators, .. Resampling.Operators, .. Selections.Operators, .. Recurrent.Operators, .. Fills.Operators,
            .. Randoms.Operators, .. Spectral.Operators, .. Normalization.Operators, .. QuantizationOperators.Operators, .. AttentionOperators.Operators,
            .. ControlFlow.Operators, .. HostOnly.Operators, .. Sequences.Operators, .. ContribAttention.Operators, .. MachineLearning.Operators, .. RemovedOperators.Operators, .. Contrib.Operators,
        ];
        return all.ToFrozenDictionary(d => (d.Domain, d.OpType));
    }
}
