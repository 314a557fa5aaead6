using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Lowering;

/// <summary>Puts nodes into the order in which the outputs come to need them, so that the order of the file, which fusion changes, does not matter.</summary>
internal static class CanonicalOrder
{
    public static void Run(OnnxGraph graph)
    {
        Graph body = graph.Body;
        List<Node> order = new(body.NodeCount);
        HashSet<Node> seen = [];
        foreach (Value output in body.Outputs) Visit(output.Producer);
        foreach (Node node in body.Nodes) Visit(node);
        foreach (Node node in order) body.Move(node, null);

        void Visit(Node? root)
        {
            if (root is null || root.Graph != body || !seen.Add(root)) return;
            // Graphs are deep: no recursion.
            Stack<(Node Node, IEnumerator<Node> Needs)> path = [];
            path.Push((root, Needs(root, body).GetEnumerator()));
            while (path.TryPeek(out (Node Node, IEnumerator<Node> Needs) top))
            {
                if (!top.Needs.MoveNext())
                {
                    order.Add(path.Pop().Node);
                }
                else if (seen.Add(top.Needs.Current))
                {
                    path.Push((top.Needs.Current, Needs(top.Needs.Current, body).GetEnumerator()));
                }
            }
        }
    }

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
}
