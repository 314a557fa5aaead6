using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>A convolution that reads an image in another type than its filters' has, from a source that wants one type, a converted copy before it: channels last, as such sources want it.</summary>
/// <param name="inner">The source of the convolution.</param>
/// <param name="generate">Makes the launches of a region's nests.</param>
internal sealed class ConvertingTactics(ITacticSource inner, Func<Region, TacticContext, IReadOnlyList<KernelLaunch>> generate) : ITacticSource
{
    private const string Prefix = "copy+";

    private static readonly int[] s_channelsLast = [0, 2, 3, 1];

    public string Name => Prefix + inner.Name;

    public bool IsLibrary => inner.IsLibrary;

    public IEnumerable<Offer> Offers(Region region, TacticContext context)
    {
        if (region.Facts is not ConvolutionFacts { Input: { Type: DataType.Float32, Rank: 4 } image } facts || facts.Weight.Type is not (DataType.Float16 or DataType.BFloat16) || region.Nests.Count != 1) yield break;
        LoopNest nest = region.Nests[0];
        if (Ex.Loads(nest.Result).Any(l => ReferenceEquals(l.Source.Storage, image.Storage))) yield break;
        Storage storage = new("copy", StorageKind.Scratch, facts.Weight.Type, image.Shape.Aggregate(DimExpr.One, (count, extent) => count * extent));
        TensorView copy = TensorView.Dense(storage, image.Shape, s_channelsLast);
        Axis[] space = [.. image.Shape.Select((extent, axis) => new Axis($"i{axis}", extent))];
        LoopNest move = new() { Name = "copy", Space = space, Result = new LoadExpr(image, Ex.Of(space)), Target = copy };
        Expr body = Ex.Rewrite(nest.Body!, e => e is LoadExpr load && ReferenceEquals(load.Source.Storage, image.Storage) ? new LoadExpr(copy, load.Index) : null);
        Region convolution = With(region, nest with { Body = body }, facts with { Input = copy });
        List<Tactic> tactics = [.. inner.Offers(convolution, context).Select(o => o.Tactic).OfType<Tactic>()];
        if (tactics.Count == 0) yield break;
        IReadOnlyList<KernelTacticLaunch> first = [.. generate(With(region, move, null), context).Select(l => new KernelTacticLaunch(l))];
        foreach (Tactic tactic in tactics) yield return Offer.Of(tactic with { Name = Prefix + tactic.Name, Launches = [.. first, .. tactic.Launches] });
    }

    private static Region With(Region region, LoopNest nest, object? facts) => new()
    {
        Name = region.Name, Kind = facts is null ? RegionKind.Map : region.Kind, Operators = region.Operators, Nests = [nest], Facts = facts, SourceNodes = region.SourceNodes,
    };
}
