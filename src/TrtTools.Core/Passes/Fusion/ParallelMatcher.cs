using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>Matrix products of one value with weights of their own, such as those of queries, keys and values: one layer with several results.</summary>
internal static class ParallelMatcher
{
    private const int MostMembers = 8;

    public static void Find(string pattern, FusionScope scope)
    {
        // A product alone is a group of one here.
        // A body's products and those of a body in it are not side by side.
        foreach (IGrouping<(Value, Graph), FusionGroup> siblings in Candidates(scope).GroupBy(c => (c.Input, c.Group.Nodes[0].Graph), c => c.Group).Where(g => g.Skip(1).Any()).ToList())
        {
            foreach (IGrouping<string, FusionGroup> alike in siblings.GroupBy(g => g.FunctionName, StringComparer.Ordinal).ToList())
            {
                List<FusionGroup> members = [.. alike.OrderBy(g => scope.PositionOf(g.Nodes[0]))];
                if (members.Count < 2) continue;
                if (members.Count > MostMembers)
                {
                    scope.Miss(pattern, members[0].Nodes[0], $"{members.Count} products of one value are more than {MostMembers}");
                    continue;
                }
                if (Leads(members, scope))
                {
                    scope.Miss(pattern, members[0].Nodes[0], "one of the products of this value feeds another");
                    continue;
                }
                scope.Join(members, pattern, FormattableString.Invariant($"{members[0].FunctionName}_x{members.Count}"));
            }
        }
    }

    /// <summary>Groups that read one value beside constants, by it.</summary>
    private static IEnumerable<(Value Input, FusionGroup Group)> Candidates(FusionScope scope)
    {
        foreach (Node node in scope.LastOf(["MatMul", "Gemm"]))
        {
            if (scope.GroupOf(node) is null && !scope.IsFree(node)) continue;
            FusionGroup group = scope.GroupOf(node) ?? new FusionGroup("", node.OpType, [node]);
            if (group.Pattern is not ("" or "MatMul" or "Gemm") || !ReferenceEquals(group.Nodes[0], node)) continue;
            HashSet<Node> inside = [.. group.Nodes];
            List<Value> read = [.. group.Nodes.SelectMany(n => n.Inputs).OfType<Value>().Where(v => PassContext.Constant(v) is null && !(v.Producer is { } p && inside.Contains(p))).Distinct()];
            if (read is [var input] && PassContext.Constant(node.Input(1)) is not null) yield return (input, group);
        }
    }

    /// <summary>Whether a member reads, over others, what a member gives. They all read the same value, so only what stands between them matters.</summary>
    private static bool Leads(List<FusionGroup> members, FusionScope scope)
    {
        // All read just the one value, which none of them can have computed and still read.
        HashSet<Node> all = [.. members.SelectMany(m => m.Nodes)];
        return members.Any(m => m.Nodes.SelectMany(n => n.Inputs).OfType<Value>().Any(v => v.Producer is { } p && all.Contains(p) && !m.Nodes.Contains(p)));
    }
}
