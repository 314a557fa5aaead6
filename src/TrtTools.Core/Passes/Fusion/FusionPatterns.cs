using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>All fusion patterns. They run in this order and a node belongs to the first that takes it.</summary>
internal static class FusionPatterns
{
    /// <summary>Folding of BatchNormalization happens before anything is matched.</summary>
    public const string ConvBatchNorm = "ConvBatchNorm";

    /// <summary>The patterns that come with TrtTools.</summary>
    public static IReadOnlyList<FusionPattern> BuiltIn { get; } = With([]);

    /// <summary>A user's own composites come before those of their place.</summary>
    public static IReadOnlyList<FusionPattern> With(IReadOnlyList<Composite> own)
    {
        IEnumerable<Composite> all = [.. own, .. PatternFile.BuiltIn];
        return
        [
            new(ConvBatchNorm, (_, _) => { }),
            .. all.Where(c => !c.IsActivation).Select(Whole),
            new("QuantizedLayer", ContractionMatcher.FindQuantized),
            new("Conv", (name, scope) => ContractionMatcher.FindFloat(name, scope, "Conv")),
            new("ConvTranspose", (name, scope) => ContractionMatcher.FindFloat(name, scope, "ConvTranspose")),
            new("Gemm", (name, scope) => ContractionMatcher.FindFloat(name, scope, "Gemm")),
            new("MatMul", (name, scope) => ContractionMatcher.FindFloat(name, scope, "MatMul")),
            new("QuantizedStep", QuantizedStepMatcher.Find),
            .. all.Where(c => c.IsActivation).Select(Whole),
            new("PointwiseChain", PointwiseMatcher.Find),
            new("Parallel", ParallelMatcher.Find),
            new("Separable", SeparableMatcher.Find),
        ];
    }

    /// <summary>A composite as a group of its own.</summary>
    private static FusionPattern Whole(Composite composite) => new(composite.Name, (name, scope) =>
    {
        // From the end, so that the largest form, which ends last, comes first.
        foreach (Node node in scope.LastOf(composite.Shapes.SelectMany(s => s.RootOperators)))
        {
            if (!scope.IsFree(node)) continue;
            if (composite.Match(node, scope, out string? reason) is { } match) scope.Take(name, composite.Name, match.Nodes);
            else if (reason is not null) scope.Miss(name, node, reason);
        }
    });
}
