using TrtTools.Ir;

namespace TrtTools.Surgery;

/// <summary>Replaces calls of functions by their bodies: what Expand-OnnxFunction runs.</summary>
public static class FunctionInlining
{
    public const string Command = "Expand-OnnxFunction";

    /// <param name="names">Functions as "domain::name", or patterns; all when empty.</param>
    public static OnnxGraph Expand(OnnxGraph graph, IReadOnlyList<string> names, Report report)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(report);
        foreach (string name in names)
        {
            if (graph.FunctionTable.Values.Any(f => Is(f, name)) || (NameFinder.IsPattern(name) && names.Count > 1)) continue;
            throw new TrtToolsException(ErrorCode.FunctionNotFound, $"Function '{name}'", $"'{graph.Name}' has no function of this name", "", NameFinder.Nearest(name, graph.Functions, "It has no functions"));
        }
        GraphEdit edit = new(graph);
        int count = FunctionInliner.Inline(edit.Model, f => names.Count == 0 || names.Any(n => Is(f, n)));
        foreach (Function left in edit.Model.FunctionTable.Values.Where(f => names.Count == 0 || names.Any(n => Is(f, n))))
        {
            report.Warning($"{graph.Name}: '{left.Domain}::{left.Name}' is written for other opsets than the model, so its calls stay");
        }
        foreach (string domain in edit.Model.OpsetImports.Keys.Where(d => d == OnnxGraph.FusionDomain || graph.FunctionTable.Keys.Any(k => k.Domain == d)).ToList())
        {
            if (!edit.Body.NodesWithSubgraphs.Concat(edit.Model.FunctionTable.Values.SelectMany(f => f.Body.NodesWithSubgraphs)).Any(n => n.Domain == domain) && edit.Model.FunctionTable.Keys.All(k => k.Domain != domain)) edit.Model.OpsetImports.Remove(domain);
        }
        report.Verbose(FormattableString.Invariant($"{graph.Name}: {count} calls expanded"));
        return edit.FinishUnchecked(Command, new HistoryText().Add("Name", names).ToString());
    }

    private static bool Is(Function function, string name) => NameFinder.Matches(name, $"{function.Domain}::{function.Name}") || NameFinder.Matches(name, function.Name);
}
