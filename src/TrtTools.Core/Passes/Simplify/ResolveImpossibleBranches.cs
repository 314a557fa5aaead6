using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>An If of which one branch gives a rank that an operator further on, in the same body, never accepts: a run that takes it fails, so the other
/// branch is the only one. PyTorch writes such Ifs for squeeze() of an extent it does not know.</summary>
internal sealed class ResolveImpossibleBranches : GraphPass
{
    private const int MostNodes = 20_000;

    /// <summary>Each trial simplifies a copy of the model.</summary>
    private const int MostTrials = 24;

    public override string Name => "resolve-impossible-branches";

    public override int Apply(PassContext context)
    {
        HashSet<Node> exhausted = context.ExhaustedBy(Name);
        List<Node> nodes = [.. context.Model.Body.NodesWithSubgraphs];
        if (nodes.Count > MostNodes) return 0;
        int trials = 0;
        for (int i = 0; i < nodes.Count && trials < MostTrials; i++)
        {
            if (!IsCandidate(nodes[i]) || exhausted.Contains(nodes[i])) continue;
            context.Stop.ThrowIfCancellationRequested();
            trials++;
            // When both fail, the fault is elsewhere.
            bool thenFails = Fails(context, i, true);
            if (thenFails != Fails(context, i, false))
            {
                Node node = nodes[i];
                context.SetInput(node, 0, node.Graph.AddConstant(node.DisplayName + "_condition", TensorData.From<bool>([!thenFails], [])));
                // What follows may be decided by this; it is looked at again with that known.
                return 1;
            }
            exhausted.Add(nodes[i]);
        }
        return 0;
    }

    /// <summary>The condition is open and the branches give different ranks.</summary>
    private static bool IsCandidate(Node node)
    {
        if (!node.Is("If") || PassContext.Constant(node.Input(0)) is not null) return false;
        if (node.Attributes.Subgraph("then_branch") is not { } then || node.Attributes.Subgraph("else_branch") is not { } otherwise || then.Outputs.Count != otherwise.Outputs.Count) return false;
        return then.Outputs.Zip(otherwise.Outputs).Any(p => Types.RankOf(p.First) is { } a && Types.RankOf(p.Second) is { } b && a != b);
    }

    private static bool Fails(PassContext context, int index, bool condition)
    {
        OnnxGraph trial = context.Model.Copy();
        Node node = trial.Body.NodesWithSubgraphs.ElementAt(index);
        Graph graph = node.Graph;
        node.SetInput(0, graph.AddConstant(node.DisplayName + "_trial", TensorData.From<bool>([condition], [])));
        Pass[] passes = [new RemoveIdentity(), new InferShapes(), new FoldConstants(), new InlineConstantIf(), new RemoveDeadNodes()];
        GraphOptimizer.OptimizeInPlace(trial, passes, Report.None, context.Stop);
        for (Graph? body = graph; body is not null; body = body.Outer)
        {
            if (body.Nodes.Any(NeverRuns)) return true;
        }
        return false;
    }

    /// <summary>The operator refuses the rank of its input, whatever the extents.</summary>
    private static bool NeverRuns(Node node)
    {
        if (node.Domain.Length > 0 || Types.RankOf(node.Input(0)) is not { } rank) return false;
        return node.OpType switch
        {
            "LSTM" or "GRU" or "RNN" => rank != 3,
            "Conv" or "ConvTranspose" => Types.RankOf(node.Input(1)) is { } weights && weights != rank,
            "Gemm" => rank != 2,
            _ => false,
        };
    }
}
