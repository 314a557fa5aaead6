using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>What became of the BatchNormalizations.</summary>
internal static class BatchNormReport
{
    public static IEnumerable<FusionRecord> Of(OnnxGraph before, OnnxGraph after)
    {
        Dictionary<string, Node> holders = new(StringComparer.Ordinal);
        foreach (Node node in after.Body.NodesWithSubgraphs)
        {
            foreach (string source in node.SourceNodes) holders.TryAdd(source, node);
        }
        foreach (Node node in before.Body.NodesWithSubgraphs)
        {
            if (!node.Is("BatchNormalization")) continue;
            string name = PassContext.SourcesOf(node)[0];
            if (!holders.TryGetValue(name, out Node? holder) || holder.Is("BatchNormalization")) continue;
            yield return Record(after, holder.DisplayName, true, $"folded into the weights of {holder.OpType} '{holder.DisplayName}'", holder);
        }
        foreach (Node node in after.Body.NodesWithSubgraphs)
        {
            if (node.Is("BatchNormalization")) yield return Record(after, node.DisplayName, false, WhyNot(node), node);
        }
    }

    private static FusionRecord Record(OnnxGraph model, string name, bool fused, string reason, Node node) =>
        new(FusionPatterns.ConvBatchNorm, name, fused, reason) { SourceNode = [.. PassContext.SourcesOf(node)], Model = model.Name, Path = model.Path };

    private static string WhyNot(Node node)
    {
        if (node.Outputs.Skip(1).Any(o => o is { HasUses: true }) || node.Attributes.Int("training_mode", 0) != 0) return "it computes statistics of the batch";
        if (node.Input(0) is not { Producer: { } producer } input) return "it reads a graph input";
        if (producer.Domain.Length > 0 || producer.OpType is not ("Conv" or "ConvTranspose" or "Gemm")) return $"it follows {producer.OpType} '{producer.DisplayName}', which has no weights to fold into";
        if (FusionScope.WhyVisible(input, new HashSet<Node> { node }) is { } reason) return reason;
        if (PassContext.Constant(producer.Input(1)) is null || (producer.Input(2) is { } bias && PassContext.Constant(bias) is null)) return $"the weights of '{producer.DisplayName}' are not constant";
        return node.Inputs.Skip(1).All(i => PassContext.Constant(i) is not null) ? "the folded weights would leave the range of their type" : "its parameters are not constant";
    }
}
