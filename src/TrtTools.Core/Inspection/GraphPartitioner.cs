using System.Globalization;
using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Inspection;

/// <summary>Cuts a graph into the largest parts that a target runs and those that it does not, so that every part can run in one piece.</summary>
public static class GraphPartitioner
{
    /// <summary>The parts with their graphs, in an order in which they can run.</summary>
    public static IReadOnlyList<(GraphPartition Part, OnnxGraph Graph)> Split(OnnxGraph graph, SupportTarget target, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        Dictionary<string, string> reasons = new(StringComparer.Ordinal);
        foreach (OperatorSupport record in OperatorAudit.Check(graph, target, detailed: true))
        {
            if (!record.Supported) reasons.TryAdd(record.NodeName, record.Reason);
        }
        Dictionary<string, DataType> guessed = Guess(graph);
        List<(bool Supported, List<Node> Nodes)> parts = Cut(graph, node => Why(graph, node, reasons) is null);
        List<(GraphPartition, OnnxGraph)> result = [];
        int yes = 0, no = 0;
        foreach ((bool supported, List<Node> nodes) in parts)
        {
            stop.ThrowIfCancellationRequested();
            HashSet<Node> inside = [.. nodes];
            List<Value> inputs = [.. nodes.SelectMany(Rewiring.ReadBy).Where(v => v.Producer is { } p ? !inside.Contains(p) && !NodeMatching.IsConstant(p) : v is { IsGraphInput: true, Data: null }).Distinct()];
            List<Value> outputs = [.. nodes.SelectMany(n => n.Outputs).OfType<Value>().Where(v => v.IsGraphOutput || Rewiring.ReadersOf(v).Any(r => !inside.Contains(Passes.Captures.AncestorIn(graph.Body, r)!)))];
            // Nobody reads what it computes: there is nothing to take out.
            if (outputs.Count == 0) continue;
            OnnxGraph piece = SubgraphSelection.Select(graph, new SubgraphOptions { Inputs = [.. inputs.Select(i => i.Name)], Outputs = [.. outputs.Select(o => o.Name)], Types = inputs.Where(i => guessed.ContainsKey(i.Name)).ToDictionary(i => i.Name, i => guessed[i.Name], StringComparer.Ordinal) }, report);
            result.Add((new GraphPartition
            {
                Index = supported ? yes++ : no++, Supported = supported, NodeCount = nodes.Count, Inputs = [.. inputs.Select(i => i.Name)], Outputs = [.. outputs.Select(o => o.Name)], NodeNames = [.. nodes.Select(n => n.DisplayName)],
                Operators = [.. nodes.GroupBy(n => n.OpType, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key}: {g.Count()}"))],
                Reasons = [.. nodes.Select(n => Why(graph, n, reasons)).OfType<string>().Distinct(StringComparer.Ordinal)], Target = target, Model = graph.Name,
            }, piece));
        }
        return result;
    }

    /// <summary>Nobody knows what an unknown operator gives: the type of its first input is taken, which most operators keep.</summary>
    private static Dictionary<string, DataType> Guess(OnnxGraph graph)
    {
        using OnnxGraph copy = graph.Copy();
        ShapeInference.Infer(copy);
        Dictionary<string, DataType> guessed = new(StringComparer.Ordinal);
        DataType TypeOf(Value? value) => value is null ? DataType.Undefined : value.Type is { DataType: not DataType.Undefined } type ? type.DataType : guessed.GetValueOrDefault(value.Name);
        foreach (Value output in copy.Body.Nodes.SelectMany(n => n.Outputs).OfType<Value>().Where(o => o.Type is null or { DataType: DataType.Undefined }))
        {
            DataType first = output.Producer!.Inputs.Select(TypeOf).FirstOrDefault(t => t != DataType.Undefined);
            guessed[output.Name] = first == DataType.Undefined ? DataType.Float32 : first;
        }
        return guessed;
    }

    /// <summary>A node with a subgraph, or that calls a function, is supported when everything inside is.</summary>
    private static string? Why(OnnxGraph graph, Node node, Dictionary<string, string> reasons)
    {
        if (reasons.Count == 0) return null;
        Stack<Node> pending = new([node]);
        HashSet<Function> seen = [];
        while (pending.TryPop(out Node? next))
        {
            if (reasons.TryGetValue(next.DisplayName, out string? reason)) return reason;
            foreach (Node below in next.Subgraphs.SelectMany(g => g.Nodes)) pending.Push(below);
            if (graph.FindFunction(next) is { } function && seen.Add(function)) foreach (Node below in function.Body.Nodes) pending.Push(below);
        }
        return null;
    }

    /// <summary>Nodes get a level that rises where support changes on a way to them; nodes of one level and kind that touch are one part. Levels never fall
    /// along a way, so no part reads what another computes from its own results.</summary>
    private static List<(bool Supported, List<Node> Nodes)> Cut(OnnxGraph graph, Func<Node, bool> supports)
    {
        List<Node> nodes = [.. graph.Body.Nodes.Where(n => !NodeMatching.IsConstant(n))];
        Dictionary<Node, (int Level, int Number)> levels = [];
        Dictionary<int, int> parents = [];
        foreach (Node node in nodes)
        {
            bool supported = supports(node);
            int level = supported ? 0 : 1;
            List<Node> before = [.. Rewiring.ReadBy(node).Select(v => v.Producer).OfType<Node>().Where(levels.ContainsKey).Distinct()];
            // Even levels are supported, odd ones are not.
            foreach (Node producer in before) level = Math.Max(level, levels[producer].Level % 2 == level % 2 ? levels[producer].Level : levels[producer].Level + 1);
            int number = parents.Count;
            parents[number] = number;
            levels[node] = (level, number);
            foreach (Node producer in before)
            {
                if (levels[producer].Level == level) parents[Root(number)] = Root(levels[producer].Number);
            }
        }
        return [.. nodes.GroupBy(n => (levels[n].Level, Root: Root(levels[n].Number))).OrderBy(g => g.Key.Level).Select(g => (g.Key.Level % 2 == 0, g.ToList()))];

        int Root(int number)
        {
            while (parents[number] != number) number = parents[number] = parents[parents[number]];
            return number;
        }
    }
}
