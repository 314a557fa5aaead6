using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Lowering;

namespace TrtTools.Build;

/// <summary>Which operators of a graph a target runs. For a GPU it lowers the graph, so it says what a build would do.</summary>
public static class SupportCheck
{
    /// <param name="graph">The graph; it is not changed.</param>
    /// <param name="target">What the model shall run on.</param>
    /// <param name="detailed">One record for each node, instead of one for each operator, opset and reason.</param>
    public static IReadOnlyList<OperatorSupport> Check(OnnxGraph graph, SupportTarget target, bool detailed, CancellationToken stop = default)
    {
        if (target != SupportTarget.Cuda) return OperatorAudit.Check(graph, target, detailed);
        // What no kernel computes is the CPU's, inside the same engine, so the CPU's rules say what cannot run at all.
        IReadOnlyList<OperatorSupport> records = OperatorAudit.Check(graph, SupportTarget.Cuda, detailed: true);
        HashSet<string> host = OnTheHost(graph, out string? problem, stop);
        OperatorSupport[] judged = [.. records.Select(r => Judge(r, host, problem))];
        return detailed ? judged : OperatorAudit.Group(judged);
    }

    private static OperatorSupport Judge(OperatorSupport record, HashSet<string> host, string? problem)
    {
        if (problem is not null) return record.Supported ? record with { Reason = $"whether a kernel computes it was not to be found out: {problem}" } : record;
        if (!host.Contains(record.NodeName)) return record with { Supported = true, Reason = "", Suggestion = "" };
        return record.Supported ? record with { Reason = "no kernel computes it: it runs on the CPU inside the engine, and -Strict refuses it" } : record;
    }

    /// <summary>Nodes that lowering leaves to the host.</summary>
    private static HashSet<string> OnTheHost(OnnxGraph graph, out string? problem, CancellationToken stop)
    {
        problem = null;
        try
        {
            LoweredProgram program = GraphLowering.Lower(graph, new LoweringOptions(), Report.None, stop);
            return [.. program.Steps.OfType<HostGraphStep>().SelectMany(s => s.SourceNodes.Concat(s.Graph.Body.Nodes.Select(n => n.DisplayName)))];
        }
        catch (TrtToolsException e)
        {
            problem = e.Message;
            return [];
        }
    }
}
