using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>
/// Where a source has nothing for a region because of what follows the sum, it may still have something for the sum: its result goes through memory, and a generated kernel computes the rest.
/// </summary>
/// <param name="inner">The source of the sum.</param>
/// <param name="generate">Makes the launches of a region's nests.</param>
internal sealed class SplitTactics(ITacticSource inner, Func<Region, TacticContext, IReadOnlyList<KernelLaunch>> generate) : ITacticSource
{
    private const string Suffix = "+map";

    public string Name => inner.Name + Suffix;

    public bool IsLibrary => inner.IsLibrary;

    public IEnumerable<Offer> Offers(Region region, TacticContext context)
    {
        if (region.Facts is not (MatMulFacts or ConvolutionFacts) || region.Nests.Count != 1) yield break;
        LoopNest nest = region.Nests[0];
        if (nest.Place is not null || !nest.Target.Type.IsFloatingPoint() || inner.Offers(region, context).Any(o => o.Tactic is not null)) yield break;
        foreach (Expr core in EpilogueMatch.Cores(nest))
        {
            Storage between = new("sum", StorageKind.Scratch, nest.Target.Type, nest.Space.Aggregate(DimExpr.One, (count, axis) => count * axis.Extent));
            TensorView view = TensorView.Dense(between, [.. nest.Space.Select(a => a.Extent)], Order(nest));
            LoopNest sum = nest with { Result = core, Target = view };
            Expr loaded = new LoadExpr(view, [.. nest.Space.Select(a => (Expr)new AxisExpr(a))]);
            LoopNest rest = nest with { Reduced = [], Body = null, Result = Ex.Rewrite(nest.Result, e => ReferenceEquals(e, core) ? loaded : null) };
            List<Tactic> first = [.. inner.Offers(With(region, sum, region.Facts), context).Select(o => o.Tactic).OfType<Tactic>()];
            if (first.Count == 0) continue;
            IReadOnlyList<KernelTacticLaunch> second = [.. generate(With(region, rest, null), context).Select(l => new KernelTacticLaunch(l))];
            foreach (Tactic tactic in first) yield return Offer.Of(tactic with { Name = tactic.Name + Suffix, Launches = [.. tactic.Launches, .. second] });
            yield break;
        }
    }

    private static Region With(Region region, LoopNest nest, object? facts) => new()
    {
        Name = region.Name, Kind = facts is null ? RegionKind.Map : region.Kind, Operators = region.Operators, Nests = [nest], Facts = facts, SourceNodes = region.SourceNodes,
    };

    /// <summary>Axes as they lie in the target, outermost first: a channels-last result has a channels-last sum.</summary>
    private static int[] Order(LoopNest nest)
    {
        int[] axes = [.. Enumerable.Range(0, nest.Space.Count)];
        bool channelsLast = axes.Length >= 3 && ContractionLayout.IsOne(nest.Target.Strides[1]) && !ContractionLayout.IsOne(nest.Space[1].Extent);
        return channelsLast ? [0, .. axes.Skip(2), 1] : axes;
    }
}
