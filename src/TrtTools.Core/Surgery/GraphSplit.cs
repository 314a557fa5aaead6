using TrtTools.Ir;

namespace TrtTools.Surgery;

/// <summary>Cuts graphs in two or more: what Split-OnnxGraph runs.</summary>
public static class GraphSplit
{
    public const string Command = "Split-OnnxGraph";

    /// <summary>Two parts: what computes the tensors, and what goes on from them.</summary>
    /// <param name="complete">Tensors that also cross the cut become inputs and outputs too, in place of an error.</param>
    public static IReadOnlyList<OnnxGraph> At(OnnxGraph graph, IReadOnlyList<string> tensors, bool complete, Report report)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(tensors);
        NameFinder names = new(graph);
        List<Value> cut = [.. tensors.Distinct(StringComparer.Ordinal).Select(names.MainTensor)];
        if (cut.FirstOrDefault(v => v.Producer is null) is { } leaf)
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{leaf.Name}'", leaf.IsGraphInput ? "it is an input of the graph" : "it is an initializer", "A cut takes a tensor that a node gives", "Choose a tensor in the middle");
        }
        HashSet<Node> front = [];
        SubgraphSelection.Collect(cut, new HashSet<Value>(), front, []);
        IReadOnlyList<OnnxGraph> parts = Cut(graph, [front], cut, complete, report);
        return Named(parts, new HistoryText().Add("Tensor", tensors).Add("Complete", complete));
    }

    /// <summary>Parts with about as many nodes each, cut where few tensors cross.</summary>
    public static IReadOnlyList<OnnxGraph> Into(OnnxGraph graph, int count, Report report)
    {
        ArgumentNullException.ThrowIfNull(graph);
        Node[] nodes = [.. graph.Body.Nodes];
        if (count < 2 || count > nodes.Length) throw new TrtToolsException(ErrorCode.OptionInvalid, "-PartCount", FormattableString.Invariant($"{count} was given"), FormattableString.Invariant($"2 to {nodes.Length}, the number of nodes"), "Give another number");
        int[] crossing = Crossing(graph.Body, nodes);
        List<HashSet<Node>> fronts = [];
        int last = 0;
        for (int part = 1; part < count; part++)
        {
            int middle = (int)((long)nodes.Length * part / count), slack = nodes.Length / (count * 4);
            int best = -1;
            for (int at = Math.Max(last + 1, middle - slack); at <= Math.Min(nodes.Length - (count - part), middle + slack); at++)
            {
                if (best < 0 || crossing[at] < crossing[best] || (crossing[at] == crossing[best] && Math.Abs(at - middle) < Math.Abs(best - middle))) best = at;
            }
            last = best < 0 ? last + 1 : best;
            fronts.Add([.. nodes.Take(last)]);
        }
        return Named(Cut(graph, fronts, [], complete: true, report), new HistoryText().Add("PartCount", count.ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    /// <summary>How many tensors cross a cut before the node at each index.</summary>
    private static int[] Crossing(Graph body, Node[] nodes)
    {
        int[] change = new int[nodes.Length + 2];
        Dictionary<Node, int> position = [];
        foreach (Node node in nodes) position.Add(node, position.Count);
        foreach (Node node in nodes)
        {
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                int end = -1;
                foreach (Node reader in Rewiring.ReadersOf(output))
                {
                    if (Passes.Captures.AncestorIn(body, reader) is { } main) end = Math.Max(end, position[main]);
                }
                if (end < 0) continue;
                change[position[node] + 1]++;
                change[end + 1]--;
            }
        }
        for (int i = 1; i < change.Length; i++) change[i] += change[i - 1];
        return change;
    }

    /// <summary>Each part computes, from the inputs and what earlier parts give, what later parts and the outputs need.</summary>
    private static List<OnnxGraph> Cut(OnnxGraph graph, IReadOnlyList<HashSet<Node>> fronts, IReadOnlyList<Value> asked, bool complete, Report report)
    {
        Dictionary<Node, int> partOf = [];
        foreach (Node node in graph.Body.Nodes)
        {
            int part = 0;
            while (part < fronts.Count && !fronts[part].Contains(node)) part++;
            partOf.Add(node, part);
        }
        // Constants are repeated where they are read; they cross nothing.
        int count = fronts.Count + 1;
        List<List<Value>> inputs = [.. Enumerable.Range(0, count).Select(_ => new List<Value>())];
        List<List<Value>> outputs = [.. Enumerable.Range(0, count).Select(_ => new List<Value>())];
        HashSet<Value> allowed = [.. asked];
        List<Value> uninvited = [];
        foreach (Node node in graph.Body.Nodes)
        {
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                int own = partOf[node];
                SortedSet<int> later = [.. Rewiring.ReadersOf(output).Select(r => Passes.Captures.AncestorIn(graph.Body, r)).OfType<Node>().Select(n => partOf[n]).Where(p => p != own)];
                if (graph.Body.Outputs.Contains(output) || later.Count > 0) outputs[own].Add(output);
                if (later.Count > 0 && !allowed.Contains(output)) uninvited.Add(output);
                foreach (int part in later) inputs[part].Add(output);
            }
        }
        if (!complete && uninvited.Count > 0)
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"{Command} of '{graph.Name}'", $"{string.Join(", ", uninvited.Take(5).Select(v => $"'{v.Name}'"))}{(uninvited.Count > 5 ? ", …" : "")} also cross{(uninvited.Count == 1 ? "es" : "")} the cut",
                "All that is behind a cut must come through it", "Add them to -Tensor, or use -Complete");
        }
        List<OnnxGraph> parts = [];
        for (int part = 0; part < count; part++)
        {
            // What the graph returns without any node stays with the last part.
            if (part == count - 1) outputs[part].AddRange(graph.Body.Outputs.Where(o => o.Producer is null));
            if (outputs[part].Count == 0) throw new TrtToolsException(ErrorCode.ChangeRefused, $"{Command} of '{graph.Name}'", "nothing would be left behind the cut", "A cut takes tensors before the end of the graph", "Choose tensors in the middle");
            HashSet<Value> leaves = [];
            SubgraphSelection.Collect(outputs[part], new HashSet<Value>(inputs[part]), [], leaves);
            List<Value> needed = [.. graph.Body.Inputs.Where(i => leaves.Contains(i) && i.Data is null), .. inputs[part]];
            OrderedOutputs(graph, outputs[part]);
            parts.Add(SubgraphSelection.Extract(graph, needed, outputs[part], new SubgraphOptions(), report));
        }
        return parts;
    }

    /// <summary>The graph's own outputs first, in their order.</summary>
    private static void OrderedOutputs(OnnxGraph graph, List<Value> outputs)
    {
        List<Value> own = [.. graph.Body.Outputs.Distinct().Where(outputs.Contains)];
        List<Value> others = [.. outputs.Where(o => !own.Contains(o)).Distinct()];
        outputs.Clear();
        outputs.AddRange(own);
        outputs.AddRange(others);
    }

    private static List<OnnxGraph> Named(IReadOnlyList<OnnxGraph> parts, HistoryText text)
    {
        List<OnnxGraph> named = [];
        for (int i = 0; i < parts.Count; i++)
        {
            parts[i].Name = FormattableString.Invariant($"{parts[i].Name}-{i + 1}");
            named.Add(parts[i].WithHistory(Command, text.ToString()));
        }
        return named;
    }
}
