namespace TrtTools.Lowering;

/// <summary>From one region for each operator to few that do more, and to storages.</summary>
internal static class RegionForming
{
    public static void Run(LoweringScope scope, CancellationToken stop)
    {
        OperationGraph graph = new(scope);
        ConstantMaps.Run(graph, stop);
        // What one joins, the other may join further: a layer that took its bias can take the activation that reads it twice.
        for (int before = -1; before != graph.Operations.Count;)
        {
            before = graph.Operations.Count;
            MapInlining.IntoMaps(graph);
            PartFusion.Distribute(graph);
            PartFusion.RowsIntoReductions(graph);
            PartFusion.JoinReaders(graph);
            EpilogueFusion.Run(graph);
        }
        AttentionMatcher.Run(graph);
        MapInlining.IntoReductions(graph);
        StorageAssignment.Run(scope);
    }
}
