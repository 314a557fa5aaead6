using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>A DequantizeLinear with several readers is copied, one for each, so that each reader's group can hold its own.</summary>
internal static class DequantizePerReader
{
    public static void Run(OnnxGraph model)
    {
        HashSet<string> names = new(model.Body.NodesWithSubgraphs.Select(n => n.Name), StringComparer.Ordinal);
        foreach (Graph graph in model.Body.WithSubgraphs.ToList())
        {
            foreach (Node node in graph.Nodes)
            {
                if (!node.Is("DequantizeLinear") || node.Output() is not { UseList.Count: > 1 } output) continue;
                Use[] takers = [.. output.UseList.Where(u => u.Node.Graph == graph && Takes(u.Node))];
                if (takers.Length == 0) continue;
                // One of them can have the node itself, if nobody else needs it. Which one must not hang on the order in which they came to read it.
                Node? keeper = takers.Length == output.UseList.Count && !output.IsGraphOutput ? FirstOf(takers, node) : null;
                foreach (Use use in takers)
                {
                    if (ReferenceEquals(use.Node, keeper)) continue;
                    Node copy = GraphCopier.CopyNode(node, graph, [], node.Next, graph.FreshName);
                    copy.SourceNodes = PassContext.SourcesOf(node);
                    copy.Name = "";
                    string name = node.DisplayName;
                    for (int i = 2; copy.Name.Length == 0; i++)
                    {
                        if (names.Add($"{name}_{i}")) copy.Name = $"{name}_{i}";
                    }
                    copy.Output()!.Origin = PassContext.NamesOf(output);
                    use.Node.SetInput(use.Index, copy.Output());
                }
            }
        }
    }

    /// <summary>The reader would make a group of it: a product of two dequantized operands, or a step between dequantized and quantized numbers.</summary>
    private static bool Takes(Node reader) => reader.Domain.Length == 0 && (reader.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul"
        ? reader.Input(0)?.Producer?.Is("DequantizeLinear") == true && reader.Input(1)?.Producer?.Is("DequantizeLinear") == true : QuantizedStepMatcher.WhyNoStep(reader) is null);

    private static Node FirstOf(Use[] takers, Node after)
    {
        HashSet<Node> nodes = [.. takers.Select(t => t.Node)];
        for (Node? at = after.Next; at is not null; at = at.Next)
        {
            if (nodes.Contains(at)) return at;
        }
        return takers[0].Node;
    }
}
