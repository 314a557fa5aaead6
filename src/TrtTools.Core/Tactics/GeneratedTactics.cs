using TrtTools.Kernels;
using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>Kernels generated from the region's own nests, one launch for each: every region has them, and everything else is checked against them.</summary>
/// <param name="generate">Makes the launches of a region's nests, in their order.</param>
internal sealed class GeneratedTactics(Func<Region, TacticContext, IReadOnlyList<KernelLaunch>> generate) : ITacticSource
{
    public const string TacticName = "generated";

    public string Name => TacticName;

    public string Prefix => Name;

    public bool IsLibrary => false;

    public IEnumerable<Offer> Offers(Region region, TacticContext context)
    {
        yield return Offer.Of(new Tactic { Name = TacticName, Launches = [.. generate(region, context).Select(l => new KernelTacticLaunch(l))] });
    }
}
