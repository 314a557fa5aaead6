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

    public string Prefix => inner.Prefix;

    public bool IsLibrary => inner.IsLibrary;

    public void Prepare(IReadOnlyList<Region> regions, TacticContext context, CancellationToken stop)
    {
        inner.Prepare([.. regions.Where(r => IsSplittable(r) && !inner.Takes(r, context)).Select(r => EpilogueMatch.Cores(r.Nests[0]).Select(core => Sum(r, core).Region).FirstOrDefault(s => inner.Takes(s, context))).OfType<Region>()], context, stop);
    }

    private static bool IsSplittable(Region region) => region.Facts is MatMulFacts or ConvolutionFacts && region.Nests is [{ Place: null, Target.Type: var type }] && type.IsFloatingPoint();

    public IEnumerable<Offer> Offers(Region region, TacticContext context)
    {
        if (!IsSplittable(region) || inner.Offers(region, context).Any(o => o.Tactic is not null)) yield break;
        LoopNest nest = region.Nests[0];
        foreach (Expr core in EpilogueMatch.Cores(nest))
        {
            (Region product, TensorView view) = Sum(region, core);
            Expr loaded = new LoadExpr(view, [.. nest.Space.Select(a => (Expr)new AxisExpr(a))]);
            LoopNest rest = nest with { Reduced = [], Body = null, Result = Ex.Rewrite(nest.Result, e => ReferenceEquals(e, core) ? loaded : null) };
            List<Tactic> first = [.. inner.Offers(product, context).Select(o => o.Tactic).OfType<Tactic>()];
            if (first.Count == 0) continue;
            IReadOnlyList<KernelTacticLaunch> second = [.. generate(With(region, rest, null), context).Select(l => new KernelTacticLaunch(l))];
            foreach (Tactic tactic in first) yield return Offer.Of(tactic with { Name = tactic.Name + Suffix, Launches = [.. tactic.Launches, .. second] });
            yield break;
        }
    }

    /// <summary>The product up to a part of what follows it, which goes through memory.</summary>
    private static (Region Region, TensorView Between) Sum(Region region, Expr core)
    {
        LoopNest nest = region.Nests[0];
        Storage between = new("sum", StorageKind.Scratch, nest.Target.Type, nest.Space.Aggregate(DimExpr.One, (count, axis) => count * axis.Extent));
        TensorView view = TensorView.Dense(between, [.. nest.Space.Select(a => a.Extent)], Order(nest));
        return (With(region, nest with { Result = core, Target = view }, region.Facts), view);
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
