using TrtTools.Ir;

namespace TrtTools.Audit;

/// <summary>The most memory that activations take at one time: a walk over the nodes in order, each tensor living from its producer to its last reader.</summary>
internal static class MemoryPeak
{
    public static long Of(Graph body, ExtentReader extents)
    {
        double peak = Walk(body, extents);
        return peak >= long.MaxValue ? long.MaxValue : (long)Math.Ceiling(peak);
    }

    private static double Walk(Graph body, ExtentReader extents)
    {
        Dictionary<Node, int> order = [];
        foreach (Node node in body.Nodes) order.Add(node, order.Count);
        // Values that die after each node.
        List<Value>[] dying = new List<Value>[order.Count];
        double live = 0;
        void Add(Value value, int born)
        {
            live += extents.Bytes(value);
            if (value.IsGraphOutput || order.Count == 0) return;
            int last = born;
            foreach (Use use in value.Uses)
            {
                if (Within(use.Node, body) is { } reader && order.TryGetValue(reader, out int at)) last = Math.Max(last, at);
            }
            (dying[Math.Max(0, last)] ??= []).Add(value);
        }
        foreach (Value input in body.Inputs)
        {
            if (input.Data is null) Add(input, 0);
        }
        double peak = live;
        foreach ((Node node, int at) in order)
        {
            double inner = 0;
            foreach (Graph subgraph in node.Subgraphs) inner = Math.Max(inner, Walk(subgraph, extents));
            foreach (Value? output in node.Outputs)
            {
                if (output is not null && !node.Is("Constant")) Add(output, at);
            }
            peak = Math.Max(peak, live + inner);
            foreach (Value dead in dying[at] ?? []) live -= extents.Bytes(dead);
        }
        return peak;
    }

    // The node of this body in whose subgraphs a reader stands, or the reader itself.
    private static Node? Within(Node reader, Graph body)
    {
        for (Node? node = reader; node is not null; node = node.Graph.Owner)
        {
            if (node.Graph == body) return node;
        }
        return null;
    }
}
