using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>One kind of fusion. To add one: an entry in <see cref="FusionPatterns"/>.</summary>
/// <param name="Name">What -Pattern and -Exclude take and the report shows.</param>
/// <param name="Find">Looks through all nodes and takes groups from the scope.</param>
internal sealed record FusionPattern(string Name, Action<string, FusionScope> Find);

/// <summary>A composite that is recognised from its pieces.</summary>
/// <param name="Shapes">Its forms, the largest first.</param>
/// <param name="Guard">A condition beyond the form: why it is none after all, or null.</param>
internal sealed record Composite(string Name, IReadOnlyList<TreePattern> Shapes, Func<TreeMatch, FusionScope, string?>? Guard = null)
{
    /// <summary>The group that ends in this node, if there is one.</summary>
    public TreeMatch? Match(Node last, FusionScope scope, out string? reason)
    {
        reason = null;
        foreach (TreePattern shape in Shapes)
        {
            if (!shape.RootOpTypes.Contains(last.OpType) || shape.Match(last) is not { } match) continue;
            if (!match.Nodes.All(scope.IsFree)) continue;
            string? why = Guard?.Invoke(match, scope) ?? scope.WhyNot(match.Nodes, last);
            if (why is null) return match;
            reason ??= why;
        }
        return null;
    }
}
