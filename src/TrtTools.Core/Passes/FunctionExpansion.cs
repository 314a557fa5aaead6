using TrtTools.Ir;

namespace TrtTools.Passes;

/// <summary>Undoes Invoke-LayerFusion.</summary>
public static class FunctionExpansion
{
    /// <summary>A copy with the fused nodes replaced by the operators they stand for; with <paramref name="all"/>, the model's own functions too.</summary>
    public static OnnxGraph Expand(OnnxGraph graph, bool all = false)
    {
        ArgumentNullException.ThrowIfNull(graph);
        OnnxGraph copy = graph.Copy();
        FunctionInliner.Inline(copy, f => all || f.Domain == OnnxGraph.FusionDomain);
        if (copy.FunctionTable.Values.All(f => f.Domain != OnnxGraph.FusionDomain)) copy.OpsetImports.Remove(OnnxGraph.FusionDomain);
        return copy;
    }
}
