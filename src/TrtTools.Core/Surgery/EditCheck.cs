using TrtTools.Audit;
using TrtTools.Ir;

namespace TrtTools.Surgery;

/// <summary>Decides whether a changed graph may leave: it must have no fault that a runtime refuses and that was not there before.</summary>
internal static class EditCheck
{
    /// <param name="other">A second graph that went into this one.</param>
    public static void Run(OnnxGraph before, OnnxGraph after, IReadOnlySet<Value> touched, string command, OnnxGraph? other = null)
    {
        HashSet<Value> changed = Downstream(touched);
        TypeKeeper types = new(after);
        foreach (Value value in changed)
        {
            // What was declared for the old graph says nothing of the new one.
            if (value is { Producer: not null }) value.Type = null;
        }
        try
        {
            if (NewFault(before, other, GraphLint.InferAndFindErrors(after)) is { } fault) throw Refusal(command, after, fault.Message, fault.Next);
            if (changed.Count > 0 && RuntimeCheck.WhyNot(after, changed) is { } reason && RuntimeCheck.Takes(before) && (other is null || RuntimeCheck.Takes(other)))
            {
                throw Refusal(command, after, $"ONNX Runtime would not take it: {reason}", "Correct the arguments");
            }
        }
        finally
        {
            types.Restore(changed);
        }
    }

    private static TrtToolsException Refusal(string command, OnnxGraph graph, string message, string next) =>
        new(ErrorCode.ChangeRefused, $"{command} of '{graph.Name}'", $"it would break the graph: {message}", "Nothing was changed", next);

    private static (string Message, string Next)? NewFault(OnnxGraph before, OnnxGraph? other, IReadOnlyList<GraphFinding> errors)
    {
        if (errors.Count == 0) return null;
        Dictionary<(string, string), int> known = [];
        foreach (GraphFinding finding in GraphLint.Check(before).Where(f => f.Severity == FindingSeverity.Error)) known[Key(finding)] = known.GetValueOrDefault(Key(finding)) + 1;
        // The other graph's nodes may have got other names.
        Dictionary<string, int> others = other is null ? [] : GraphLint.Check(other).Where(f => f.Severity == FindingSeverity.Error).GroupBy(f => f.Code, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        List<GraphFinding> news = [];
        foreach (GraphFinding finding in errors)
        {
            int left = known.GetValueOrDefault(Key(finding));
            if (left > 0) known[Key(finding)] = left - 1;
            else if (others.TryGetValue(finding.Code, out int there) && there > 0) others[finding.Code] = there - 1;
            else news.Add(finding);
        }
        if (news.Count == 0) return null;
        string more = news.Count > 1 ? FormattableString.Invariant($" (and {news.Count - 1} more)") : "";
        return (news[0].Message.TrimEnd('.') + more, news[0].Fix.StartsWith("Check the exporter", StringComparison.Ordinal) ? "Change the arguments, or what the message names first" : news[0].Fix);
    }

    private static (string, string) Key(GraphFinding finding) => (finding.Code, finding.NodeName);

    /// <summary>The values and all that is computed from them, in subgraphs too, and what those give to the nodes around them.</summary>
    private static HashSet<Value> Downstream(IReadOnlySet<Value> touched)
    {
        HashSet<Value> reached = [];
        Stack<Value> pending = new(touched);
        while (pending.TryPop(out Value? value))
        {
            if (!reached.Add(value)) continue;
            foreach (Use use in value.Uses)
            {
                for (Node? node = use.Node; node is not null; node = node.Graph.Owner)
                {
                    foreach (Value? output in node.Outputs)
                    {
                        if (output is not null && !reached.Contains(output)) pending.Push(output);
                    }
                    foreach (Graph below in node.Subgraphs)
                    {
                        // What a loop carries comes in by its inputs.
                        foreach (Value input in below.Inputs) pending.Push(input);
                    }
                }
            }
            // A body may return a value of an outer one.
            if (value.IsGraphOutput && value.Graph.Owner is { } owner)
            {
                foreach (Value? output in owner.Outputs)
                {
                    if (output is not null) pending.Push(output);
                }
            }
        }
        return reached;
    }
}
