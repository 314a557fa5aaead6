using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Lowering;

/// <summary>Lowers one node. Returns null when it did, and otherwise why it can't; then it must not have made anything.</summary>
internal delegate string? LoweringRule(NodeLowering node);

/// <summary>Which rule lowers an operator: its own, or its compute form's.</summary>
internal static class OperatorLowerings
{
    private static readonly Dictionary<string, LoweringRule> s_byOperator = Collect(
        PointwiseForm.Rules, MovementForm.Rules, ContractionForm.Rules, IntegerContractions.Rules, ReductionForm.Rules, WindowForm.Rules, GatherForm.Rules, NormalizationForm.Rules, FillForm.Rules, ResampleForm.Rules,
        QuantizationForm.Rules, SortForm.Rules, RecurrenceForm.Rules);

    public static string? Lower(NodeLowering node)
    {
        if (s_byOperator.TryGetValue(Key(node.Node), out LoweringRule? own)) return own(node);
        OperatorDefinition? definition = OperatorCatalog.Find(node.Node.Domain, node.Node.OpType, node.View.Opset);
        return definition?.Form switch
        {
            ComputeForm.Pointwise => PointwiseForm.Lower(node),
            _ => $"no kernel computes {Key(node.Node)}",
        };
    }

    private static string Key(Node node) => node.Domain.Length == 0 ? node.OpType : $"{node.Domain}::{node.OpType}";

    private static Dictionary<string, LoweringRule> Collect(params IReadOnlyDictionary<string, LoweringRule>[] tables)
    {
        Dictionary<string, LoweringRule> all = new(StringComparer.Ordinal);
        foreach (IReadOnlyDictionary<string, LoweringRule> table in tables)
        {
            foreach ((string name, LoweringRule rule) in table) all.Add(name, rule);
        }
        return all;
    }
}
