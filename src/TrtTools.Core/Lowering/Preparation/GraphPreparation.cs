using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Lowering;

/// <summary>Brings the raw, the optimized and the fused graph of a model to one form.</summary>
internal static class GraphPreparation
{
    public static OnnxGraph Run(OnnxGraph graph, Report report, CancellationToken stop)
    {
        OnnxGraph copy = FunctionExpansion.Expand(graph, all: true);
        OverridableInputs.Drop(copy, report);
        GraphOptimizer.OptimizeInPlace(copy, PassList.All(), report, stop);
        CanonicalOrder.Run(copy);
        PatchProducts.Run(copy);
        UnflattenProducts.Run(copy);
        JoinedSplits.Run(copy);
        IntegerPools.Run(copy);
        CompositeRecognition.Run(copy);
        SinkScales.Run(copy);
        SiblingProducts.Run(copy);
        CanonicalOrder.Run(copy);
        return copy;
    }
}
