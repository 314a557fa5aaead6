using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Surgery;

/// <summary>Puts a body's nodes into topological order, as near to the present one as there is.</summary>
internal static class NodeSorter
{
    public static void Sort(Graph body, string command)
    {
        Dictionary<Node, int> position = new(body.NodeCount);
        foreach (Node node in body.Nodes) position.Add(node, position.Count);
        bool sorted = true;
        foreach (Node node in body.Nodes)
        {
            int own = position[node];
            foreach (Node need in Needs(node, body))
            {
                if (position[need] < own) continue;
                sorted = false;
                break;
            }
            if (!sorted) break;
        }
        if (sorted) return;

        Node[] nodes = [.. body.Nodes];
        int[] missing = new int[nodes.Length];
        List<int>[] readers = new List<int>[nodes.Length];
        for (int i = 0; i < nodes.Length; i++) readers[i] = [];
        PriorityQueue<int, int> ready = new();
        for (int i = 0; i < nodes.Length; i++)
        {
            foreach (Node need in Needs(nodes[i], body).Distinct())
            {
                readers[position[need]].Add(i);
                missing[i]++;
            }
            if (missing[i] == 0) ready.Enqueue(i, i);
        }
        List<Node> order = new(nodes.Length);
        while (ready.TryDequeue(out int next, out _))
        {
            order.Add(nodes[next]);
            foreach (int reader in readers[next])
            {
                if (--missing[reader] == 0) ready.Enqueue(reader, reader);
            }
        }
        if (order.Count < nodes.Length) throw Cycle(nodes, missing, position, body, command);
        foreach (Node node in order) body.Move(node, null);
    }

    /// <summary>The nodes of <paramref name="body"/> that a node and its subgraphs read from.</summary>
    private static IEnumerable<Node> Needs(Node node, Graph body)
    {
        foreach (Value? input in node.Inputs)
        {
            if (input is { Producer: { } producer } && input.Graph == body) yield return producer;
        }
        foreach (Graph below in node.Subgraphs)
        {
            foreach (Value captured in Captures.Of(below))
            {
                if (captured is { Producer: { } producer } && captured.Graph == body) yield return producer;
            }
        }
    }

    private static TrtToolsException Cycle(Node[] nodes, int[] missing, Dictionary<Node, int> position, Graph body, string command)
    {
        // Every node left waits for another that is left, so walking back must come round.
        List<int> path = [];
        HashSet<int> visited = [];
        int at = Array.FindIndex(missing, m => m > 0);
        while (visited.Add(at))
        {
            path.Add(at);
            at = position[Needs(nodes[at], body).First(n => missing[position[n]] > 0)];
        }
        List<string> names = [.. path.Skip(path.IndexOf(at)).Select(i => $"'{nodes[i].DisplayName}'").Reverse()];
        string shown = names.Count <= 8 ? string.Join(" → ", names) : string.Join(" → ", names.Take(4)) + $" → … {names.Count - 5} more … → {names[^1]}";
        return new TrtToolsException(ErrorCode.ChangeRefused, command, $"the nodes {shown} would wait for each other", "A node reads only what does not depend on it", "Read a tensor from before the change, or write to a new one");
    }
}
