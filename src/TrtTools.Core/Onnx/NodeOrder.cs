using TrtTools.Onnx.Proto;

namespace TrtTools.Onnx;

/// <summary>Topological order of a body's nodes, as near to the file's order as there is one.</summary>
internal static class NodeOrder
{
    public static IReadOnlyList<NodeProto> Sort(IReadOnlyList<NodeProto> nodes, string where)
    {
        Dictionary<string, int> producer = new(StringComparer.Ordinal);
        for (int i = 0; i < nodes.Count; i++)
        {
            foreach (string output in nodes[i].Output)
            {
                if (output.Length > 0) producer[output] = i;
            }
        }
        int[][] needs = new int[nodes.Count][];
        bool sorted = true;
        for (int i = 0; i < nodes.Count; i++)
        {
            SortedSet<int> needed = [];
            foreach (string name in Reads(nodes[i]))
            {
                if (producer.TryGetValue(name, out int at)) needed.Add(at);
            }
            needs[i] = [.. needed];
            sorted &= needed.Count == 0 || needed.Max < i;
        }
        if (sorted) return nodes;

        int[] missing = new int[nodes.Count];
        List<int>[] readers = new List<int>[nodes.Count];
        for (int i = 0; i < nodes.Count; i++) readers[i] = [];
        PriorityQueue<int, int> ready = new();
        for (int i = 0; i < nodes.Count; i++)
        {
            missing[i] = needs[i].Length;
            if (missing[i] == 0) ready.Enqueue(i, i);
            foreach (int need in needs[i]) readers[need].Add(i);
        }
        List<NodeProto> order = new(nodes.Count);
        while (ready.TryDequeue(out int next, out _))
        {
            order.Add(nodes[next]);
            foreach (int reader in readers[next])
            {
                if (--missing[reader] == 0) ready.Enqueue(reader, reader);
            }
        }
        if (order.Count < nodes.Count) throw Cycle(nodes, needs, missing, where);
        return order;
    }

    /// <summary>Names a node reads: its inputs, and what its subgraphs take from outside.</summary>
    private static IEnumerable<string> Reads(NodeProto node)
    {
        foreach (string input in node.Input)
        {
            if (input.Length > 0) yield return input;
        }
        foreach (AttributeProto attribute in node.Attribute)
        {
            if (attribute.G is null && attribute.Graphs.Count == 0) continue;
            foreach (GraphProto graph in attribute.G is { } g ? attribute.Graphs.Append(g) : attribute.Graphs)
            {
                HashSet<string> own = new(StringComparer.Ordinal);
                foreach (ValueInfoProto input in graph.Input) own.Add(input.Name);
                foreach (TensorProto initializer in graph.Initializer) own.Add(initializer.Name);
                foreach (SparseTensorProto sparse in graph.SparseInitializer) own.Add(sparse.Values?.Name ?? "");
                foreach (NodeProto inner in graph.Node) own.UnionWith(inner.Output);
                foreach (string name in graph.Node.SelectMany(Reads).Concat(graph.Output.Select(o => o.Name)))
                {
                    if (!own.Contains(name)) yield return name;
                }
            }
        }
    }

    private static TrtToolsException Cycle(IReadOnlyList<NodeProto> nodes, int[][] needs, int[] missing, string where)
    {
        // Every node left waits for another that is left, so walking back must come round.
        List<int> path = [];
        HashSet<int> visited = [];
        int at = Array.FindIndex(missing, m => m > 0);
        while (visited.Add(at))
        {
            path.Add(at);
            at = Array.Find(needs[at], n => missing[n] > 0);
        }
        List<string> names = [.. path.Skip(path.IndexOf(at)).Select(i => StructureCheck.Describe(nodes[i])).Reverse()];
        string shown = names.Count <= 12 ? string.Join(" → ", names) : string.Join(" → ", names.Take(6)) + $" → … {names.Count - 7} more … → {names[^1]}";
        return Malformed.Model(where, $"its nodes form a cycle: {shown}", "A node reads only what earlier nodes make");
    }
}
