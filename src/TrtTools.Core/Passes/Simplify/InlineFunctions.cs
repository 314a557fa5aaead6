using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Opens the model's own functions, so that the other passes see what they do. What Invoke-LayerFusion made stays closed.</summary>
internal sealed class InlineFunctions : GraphPass
{
    public override string Name => "inline-functions";

    public override int Apply(PassContext context)
    {
        if (context.Model.FunctionTable.Count == 0) return 0;
        HashSet<Node> before = [.. context.Model.Body.NodesWithSubgraphs];
        int count = FunctionInliner.Inline(context.Model, f => f.Domain != OnnxGraph.FusionDomain);
        if (count == 0) return 0;
        foreach (Node node in context.Model.Body.NodesWithSubgraphs)
        {
            if (!before.Contains(node)) context.TouchAround(node);
        }
        return count;
    }
}
