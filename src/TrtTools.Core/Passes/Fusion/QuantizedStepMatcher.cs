using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>Operators that can work on quantized numbers without being products: all they read is dequantized for them, and what they give is quantized.</summary>
internal static class QuantizedStepMatcher
{
    /// <summary>How many inputs must be dequantized; the rest are parameters.</summary>
    private static readonly Dictionary<string, int> s_operators = new(StringComparer.Ordinal)
    {
        ["Add"] = 2, ["Mul"] = 2, ["Sub"] = 2, ["Concat"] = int.MaxValue, ["MaxPool"] = 1, ["AveragePool"] = 1, ["GlobalAveragePool"] = 1, ["Resize"] = 1, ["Relu"] = 1, ["Clip"] = 1,
        ["Sigmoid"] = 1, ["HardSigmoid"] = 1, ["HardSwish"] = 1, ["LeakyRelu"] = 1, ["Tanh"] = 1, ["Softmax"] = 1, ["ReduceMean"] = 1, ["Pad"] = 1, ["Gelu"] = 1,
    };

    /// <summary>Why the node is no step of quantized numbers; "" where it is not even near to one, null when it is one.</summary>
    public static string? WhyNoStep(Node node)
    {
        if (!s_operators.TryGetValue(node.OpType, out int wanted) || node.Output() is not { } output) return "";
        if (!node.Inputs.Take(wanted).Any(i => i?.Producer is { } p && p.Is("DequantizeLinear") && p.Graph == node.Graph)) return "";
        if (node.Inputs.Take(Math.Min(wanted, node.Inputs.Count)).Any(i => i?.Producer is not { } p || !p.Is("DequantizeLinear"))) return "not all that it reads is dequantized";
        return output.UseList.Count == 0 || output.UseList[0].Node is not { } quantize || !quantize.Is("QuantizeLinear") || quantize.Graph != node.Graph || quantize.Input(0) != output ? "what it gives is not quantized" : null;
    }

    public static void Find(string pattern, FusionScope scope)
    {
        foreach (Node node in scope.LastOf(s_operators.Keys))
        {
            if (!scope.IsFree(node)) continue;
            if (WhyNoStep(node) is { } fault)
            {
                if (fault.Length > 0) scope.Miss(pattern, node, fault);
                continue;
            }
            Node quantize = node.Output()!.UseList[0].Node;
            List<Node> group = [.. node.Inputs.Take(s_operators[node.OpType]).Select(i => i!.Producer!).Where(p => p.Graph == node.Graph).Distinct()];
            group.Add(node);
            group.Add(quantize);
            if (!group.All(scope.IsFree)) continue;
            if (scope.WhyNot(group, quantize) is { } reason) scope.Miss(pattern, node, reason);
            else scope.Take(pattern, $"Quantized{node.OpType}", group);
        }
    }
}
