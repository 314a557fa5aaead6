using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>One kind of fusion. To add one: an entry in Patterns.yaml, or in <see cref="FusionPatterns"/> for what no shape can say.</summary>
/// <param name="Name">What -Pattern and -Exclude take and the report shows.</param>
/// <param name="Find">Looks through all nodes and takes groups from the scope.</param>
internal sealed record FusionPattern(string Name, Action<string, FusionScope> Find);

/// <summary>A composite that is recognised from its pieces.</summary>
/// <param name="Shapes">Its forms, the largest first.</param>
internal sealed record Composite(string Name, IReadOnlyList<TreePattern> Shapes)
{
    /// <summary>Conditions beyond the form: why it is none after all, or null.</summary>
    public IReadOnlyList<Func<TreeMatch, FusionScope, string?>> Guards { get; init; } = [];

    /// <summary>Names whose values others may read too: they become results of their own.</summary>
    public IReadOnlyList<string> Visible { get; init; } = [];

    /// <summary>True for what may also end a convolution or a matrix product.</summary>
    public bool IsActivation { get; init; }

    /// <summary>True when a guard that fails is no near miss, since another pattern takes what this one leaves.</summary>
    public bool IsQuiet { get; init; }

    /// <summary>The group that ends in this node, if there is one.</summary>
    public TreeMatch? Match(Node last, FusionScope scope, out string? reason)
    {
        reason = null;
        foreach (TreePattern shape in Shapes)
        {
            if (!shape.RootOperators.Contains(last.Domain.Length == 0 ? last.OpType : $"{last.Domain}::{last.OpType}") || shape.Match(last) is not { } match) continue;
            if (!match.Nodes.All(scope.IsFree)) continue;
            string? why = Guards.Select(g => g(match, scope)).FirstOrDefault(r => r is not null) ?? scope.WhyNot(match.Nodes, last, [.. Visible.Select(v => match[v]).OfType<Value>()]);
            if (why is null) return match;
            if (!IsQuiet) reason ??= why;
        }
        return null;
    }
}
