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
                bool first = !output.IsGraphOutput;
                foreach (Use use in output.UseList.ToArray())
                {
                    if (first || use.Node.Graph != graph || !(use.Node.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul" || QuantizedStepMatcher.Operators.Contains(use.Node.OpType)))
                    {
                        first = false;
                        continue;
                    }
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
}
