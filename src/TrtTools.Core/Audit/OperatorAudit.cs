using System.Globalization;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Audit;

/// <summary>Says which operators of a graph a target runs. It looks at every node: of the main graph, of subgraphs and of functions.</summary>
public static class OperatorAudit
{
    /// <param name="graph">The graph; it is not changed.</param>
    /// <param name="target">What the model shall run on; for a GPU the rules are the CPU's, which runs what has no kernel.</param>
    /// <param name="detailed">One record for each node, instead of one for each operator, opset and reason.</param>
    public static IReadOnlyList<OperatorSupport> Check(OnnxGraph graph, SupportTarget target, bool detailed)
    {
        using OnnxGraph copy = graph.Copy();
        ShapeInference.Infer(copy);
        TargetRules rules = TargetRules.Of(target);
        List<OperatorSupport> records = [];
        foreach ((Node node, long opset) in Nodes(copy))
        {
            Verdict verdict = OperatorVerdict.Of(copy, node, opset, rules);
            records.Add(new OperatorSupport
            {
                Operator = node.OpType, Domain = node.Domain.Length == 0 ? "ai.onnx" : node.Domain, Opset = opset, Count = 1,
                Supported = verdict.Supported, Reason = verdict.Reason, Suggestion = verdict.Suggestion, NodeName = node.DisplayName,
                Target = target, Model = graph.Name, Path = graph.Path,
            });
        }
        return detailed ? records : Group(records);
    }

    /// <summary>One record for each operator, opset and reason.</summary>
    public static IReadOnlyList<OperatorSupport> Group(IEnumerable<OperatorSupport> records) =>
        [.. records.GroupBy(r => (r.Operator, r.Domain, r.Opset, r.Supported, r.Reason)).Select(g => g.First() with { Count = g.Count() })];

    // Nodes with the opset that holds for them. A call of a function is looked through: its body's nodes count, once for the function.
    private static IEnumerable<(Node Node, long Opset)> Nodes(OnnxGraph graph)
    {
        Queue<(Graph Body, IReadOnlyDictionary<string, long> Opset)> bodies = new([(graph.Body, graph.OpsetImports)]);
        HashSet<Function> seen = [];
        while (bodies.TryDequeue(out (Graph Body, IReadOnlyDictionary<string, long> Opset) next))
        {
            foreach (Node node in next.Body.NodesWithSubgraphs)
            {
                if (graph.FindFunction(node) is { } function)
                {
                    if (seen.Add(function)) bodies.Enqueue((function.Body, function.Opset));
                    continue;
                }
                yield return (node, next.Opset.GetValueOrDefault(node.Domain, node.Domain.Length == 0 ? graph.OnnxOpset : 1));
            }
        }
    }
}

/// <summary>What the audit says of one node.</summary>
internal sealed record Verdict(bool Supported, string Reason, string Suggestion)
{
    public static Verdict Yes(string limits) => new(true, limits, "");

    public static Verdict No(string reason, string suggestion) => new(false, reason, suggestion);
}

/// <summary>Judges one node by a target's rules.</summary>
internal static class OperatorVerdict
{
    public static Verdict Of(OnnxGraph graph, Node node, long opset, TargetRules rules)
    {
        if (rules.Everything is { } everything) return Verdict.No(everything, rules.EverythingSuggestion);
        OperatorDefinition? definition = OperatorCatalog.Find(node.Domain, node.OpType);
        IReadOnlyList<OperatorRule>? listed = rules.Find(node.Domain, node.OpType);
        if (definition is null && listed is null) return Unknown(graph, node);
        if (definition is not null)
        {
            if (definition.Is(OperatorTraits.Removed) && listed is null)
            {
                return Verdict.No($"{node.OpType} is an experimental operator that ONNX removed; no operator set has it", definition.Replacement);
            }
            if (definition.DeprecatedSince is { } gone && opset >= gone)
            {
                return Verdict.No($"{node.OpType} was removed in opset {gone}; the model imports {opset}", definition.Replacement);
            }
            if (!definition.Is(OperatorTraits.Removed) && opset < definition.Versions[0])
            {
                return Verdict.No($"{node.OpType} came with opset {definition.Versions[0]}; the model imports {opset}", $"Export the model with opset {definition.Versions[0]} or later.");
            }
        }
        if (node.Domain.Length == 0 && opset > rules.LastOpset)
        {
            return Verdict.No($"{rules.Name} takes ai.onnx up to opset {rules.LastOpset}; the model imports {opset}", $"Export the model with opset {rules.LastOpset} or lower.");
        }
        if (listed is null && !(rules.Unlisted && rules.Domains.Contains(node.Domain, StringComparer.Ordinal)))
        {
            return Verdict.No($"{rules.Name} has no {Display(node)}", definition is { Replacement.Length: > 0 } ? definition.Replacement : rules.UnlistedReason);
        }
        Verdict verdict = listed is null ? Verdict.Yes("") : ByRules(node, definition, opset, listed, rules);
        if (verdict.Supported && node.Domain.Length == 0 && opset < rules.FirstOpset)
        {
            return Verdict.Yes(Join(verdict.Reason, $"{rules.Name} is tested from opset {rules.FirstOpset} on; the model imports {opset}"));
        }
        return verdict;
    }

    private static Verdict ByRules(Node node, OperatorDefinition? definition, long opset, IReadOnlyList<OperatorRule> listed, TargetRules rules)
    {
        // A rule is about the operator's version, which may be older than the opset.
        long version = definition?.VersionAt(opset) ?? opset;
        if (listed.FirstOrDefault(r => version >= r.First && version <= r.Last) is not { } rule) return Verdict.Yes("");
        if (!rule.Supported)
        {
            string reason = rule.Reason.Length > 0 ? rule.Reason : listed.Count > 1 || rule.First > 1 || rule.Last < int.MaxValue
                ? $"{rules.Name} has no {Display(node)} in its version of opset {version}" : $"{rules.Name} has no {Display(node)}";
            return Verdict.No(reason, rule.Suggestion.Length > 0 ? rule.Suggestion : OtherOpset(node, rule, listed, definition) ?? rules.UnlistedReason);
        }
        OperatorView view = new(node, opset);
        if (rule.Types is { } types && ElementType(node) is { } type && type != DataType.Undefined && !types.Contains(type))
        {
            return Verdict.No($"{rules.Name} has {Display(node)} for {string.Join(", ", types.Order())}, not for {type}",
                rule.Suggestion.Length > 0 ? rule.Suggestion : $"Cast its input to {(types.Contains(DataType.Float32) ? DataType.Float32 : types.Order().First())} and the result back.");
        }
        foreach (int input in rule.ConstantInputs)
        {
            if (view.Has(input) && view.Constant(input) is null && node.Input(input)!.Type is not null)
            {
                return Verdict.No($"{rules.Name} takes input {input} of {Display(node)} as a constant only", Pick(rule, "Run Optimize-OnnxGraph first; it turns what can be computed into constants."));
            }
        }
        foreach (int output in rule.UnusedOutputs)
        {
            if (node.Output(output) is { HasUses: true }) return Verdict.No($"{rules.Name} gives no output {output} of {Display(node)}", Pick(rule, "Compute it by other operators."));
        }
        if (rule.Ranks.Count > 0 && node.Input(0)?.Type?.Shape is { } shape && !rule.Ranks.Contains(shape.Rank))
        {
            return Verdict.No($"{rules.Name} has {Display(node)} for inputs of rank {string.Join(", ", rule.Ranks)}, not {shape.Rank}", Pick(rule, "Reshape around it."));
        }
        foreach ((string name, IReadOnlyList<string> allowed) in rule.Attributes)
        {
            string content = view.Attribute(name)?.Content switch
            {
                null => definition?.Attributes.FirstOrDefault(a => a.Name == name && a.AppliesTo(opset))?.Default ?? "default",
                long number => number.ToString(CultureInfo.InvariantCulture),
                long[] numbers => numbers.All(n => n == numbers[0]) && numbers.Length > 0 ? numbers[0].ToString(CultureInfo.InvariantCulture) : string.Join(',', numbers),
                byte[] => view.String(name, ""),
                _ => "default",
            };
            if (content != "default" && !allowed.Contains(content, StringComparer.Ordinal))
            {
                return Verdict.No($"{rules.Name} takes {Display(node)} with {name} = {string.Join(" or ", allowed)}, not {content}", Pick(rule, "Export the model with another setting."));
            }
        }
        return Verdict.Yes(rule.Limits);
    }

    private static string Pick(OperatorRule rule, string general) => rule.Suggestion.Length > 0 ? rule.Suggestion : general;

    private static string? OtherOpset(Node node, OperatorRule rule, IReadOnlyList<OperatorRule> listed, OperatorDefinition? definition)
    {
        int? later = definition?.Versions.Cast<int?>().FirstOrDefault(v => v > rule.Last && !listed.Any(r => !r.Supported && v >= r.First && v <= r.Last));
        if (later is { } next) return $"Export the model with opset {next} or later.";
        return rule.First > (definition?.Versions[0] ?? 1) ? $"Export the model with opset {rule.First - 1} or lower, whose {node.OpType} it has." : null;
    }

    private static Verdict Unknown(OnnxGraph graph, Node node)
    {
        if (node.Domain.Length > 0 && !OperatorCatalog.All.Any(d => d.Domain == node.Domain))
        {
            return Verdict.No($"{Display(node)} is a custom operator: the file has no function of that name", "Export the model without it, or with its body as a model-local function.");
        }
        string? nearest = Nearest(node);
        return Verdict.No($"{(node.Domain.Length == 0 ? "ONNX" : node.Domain)} has no operator {node.OpType}",
            nearest is null ? "Check the exporter: the name may be a custom operator's without its domain." : $"Did you mean {nearest}?");
    }

    private static string? Nearest(Node node)
    {
        (string name, int distance) = OperatorCatalog.All.Where(d => d.Domain == node.Domain).Select(d => (d.OpType, EditDistance.Of(d.OpType, node.OpType)))
            .OrderBy(p => p.Item2).ThenBy(p => p.OpType, StringComparer.Ordinal).First();
        return distance <= Math.Max(1, node.OpType.Length / 4) ? name : null;
    }

    private static DataType? ElementType(Node node) => (node.Input(0) ?? node.Output())?.Type?.DataType;

    private static string Display(Node node) => node.Domain.Length == 0 ? node.OpType : $"{node.Domain}::{node.OpType}";

    private static string Join(string a, string b) => a.Length == 0 ? b : $"{a}; {b}";
}
