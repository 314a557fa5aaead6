using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>Two groups with several results each can need one another, though each alone could be formed.</summary>
internal static class GroupOrder
{
    /// <summary>The groups, less those that stand on a cycle once every group is one node.</summary>
    public static IReadOnlyList<FusionGroup> WithoutCycles(FusionScope scope)
    {
        List<FusionGroup> groups = [.. scope.Groups];
        while (FindOnCycle(groups, scope) is { } culprit)
        {
            groups.Remove(culprit);
            scope.Miss(culprit.Pattern, culprit.Nodes[0], "the group and another would need each other's results");
        }
        return groups;
    }

    private static FusionGroup? FindOnCycle(List<FusionGroup> groups, FusionScope scope)
    {
        Dictionary<Node, FusionGroup> groupOf = [];
        foreach (FusionGroup group in groups)
        {
            foreach (Node node in group.Nodes) groupOf.Add(node, group);
        }
        object UnitOf(Node node) => groupOf.TryGetValue(node, out FusionGroup? group) ? group : node;
        Dictionary<object, int> open = new(ReferenceEqualityComparer.Instance);
        Dictionary<object, List<object>> readers = new(ReferenceEqualityComparer.Instance);
        foreach (Node node in scope.Nodes)
        {
            object unit = UnitOf(node);
            open.TryAdd(unit, 0);
            foreach (Value value in node.Inputs.OfType<Value>().Concat(node.Subgraphs.SelectMany(Captures.Of)))
            {
                if (value.Producer is not { } producer || producer.Graph != node.Graph) continue;
                object source = UnitOf(producer);
                if (ReferenceEquals(source, unit)) continue;
                open[unit]++;
                if (!readers.TryGetValue(source, out List<object>? list)) readers.Add(source, list = []);
                list.Add(unit);
            }
        }
        Stack<object> ready = new(open.Where(p => p.Value == 0).Select(p => p.Key));
        int done = 0;
        while (ready.TryPop(out object? unit))
        {
            done++;
            if (!readers.TryGetValue(unit, out List<object>? list)) continue;
            foreach (object reader in list)
            {
                if (--open[reader] == 0) ready.Push(reader);
            }
        }
        if (done == open.Count) return null;
        // The later group of those left gives way; which one is a matter of taste, but always the same.
        return groups.Where(g => open[g] > 0 && g.Pattern == "PointwiseChain").OrderByDescending(g => scope.PositionOf(g.Nodes[0])).FirstOrDefault()
            ?? groups.Where(g => open[g] > 0).OrderByDescending(g => scope.PositionOf(g.Nodes[0])).First();
    }
}
