using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Which rank-4 values stand channels last: those that convolutions read and write, and what is computed with them place by place.</summary>
internal static class LayoutChoice
{
    public static HashSet<Storage> ChannelsLast(OperationGraph graph)
    {
        HashSet<Storage> chosen = [];
        foreach (Operation operation in graph.Operations)
        {
            if (operation.Facts is not ConvolutionFacts { Input.Rank: 4 } facts) continue;
            chosen.Add(facts.Input.Storage);
            // What reads the result at once may have given it another rank.
            if (operation.Nests[facts.Nest].Target is { Rank: 4 } target) chosen.Add(target.Storage);
        }
        for (bool changes = chosen.Count > 0; changes;)
        {
            changes = false;
            foreach (Operation operation in graph.Operations)
            {
                if (operation.IsHost || operation.Kind == RegionKind.MatMul) continue;
                foreach (LoopNest nest in operation.Nests)
                {
                    if (nest.Target.Rank != 4) continue;
                    List<Storage> four = [.. Ex.Loads(nest.Body).Concat(Ex.Loads(nest.Result)).Where(l => l.Source.Rank == 4 && l.Source.Storage.Kind != StorageKind.Weight).Select(l => l.Source.Storage).Append(nest.Target.Storage).Distinct()];
                    if (four.Any(chosen.Contains)) changes |= four.Count(chosen.Add) > 0;
                }
            }
        }
        return chosen;
    }
}
