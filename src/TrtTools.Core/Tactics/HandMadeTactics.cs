using System.Globalization;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Our own kernels for tensor cores: products and convolutions, attention, the convolution of an image's few channels, depthwise convolutions.</summary>
internal sealed class HandMadeTactics : ITacticSource
{
    /// <summary>Variants of wgmma with which others of a product are left out.</summary>
    private const int EnoughWgmma = 4;

    private readonly KernelWeights _packing = new();

    public string Name => "trt";

    public string Prefix => Name;

    public bool IsLibrary => false;

    public IEnumerable<Offer> Offers(Region region, TacticContext context) => region.Facts switch
    {
        AttentionFacts attention => Attention(attention, context),
        ConvolutionFacts { Group: > 1 } convolution => Depthwise(region, convolution, context),
        ConvolutionFacts convolution => Convolution(region, convolution, context),
        MatMulFacts => Products(region, context),
        _ => [],
    };

    /// <summary>Programmatic launch and clusters.</summary>
    private static bool IsHopper(TacticContext context) => context.Capability >= WgmmaKernel.Capability;

    private static Offer Of(KernelLaunch launch, string precision = "", double cycles = 0) => Offer.Of(new Tactic { Name = launch.Name, Launches = [new KernelTacticLaunch(launch)], Precision = precision, ExpectedCycles = cycles });

    private static int Multiprocessors(TacticContext context) => context.Multiprocessors > 0 ? context.Multiprocessors : 132;

    private IEnumerable<Offer> Convolution(Region region, ConvolutionFacts facts, TacticContext context)
    {
        if (facts.Weight.Shape[1] is { IsConstant: true, Value: <= 4 } && facts.Input.Rank == 4
            && (facts.Weight.Type is DataType.Float16 or DataType.BFloat16 || (facts.Weight.Type == DataType.Float32 && region.Nests[^1].Target.Type == DataType.Int8)))
        {
            foreach ((int Rows, int Parts) shape in WideStems(region, facts, context))
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"trt wgmma-stem {shape.Rows}x{shape.Parts}");
                if (ImageKernels.Stem(region, facts, shape, name, context.Multiprocessors, programmatic: true, out _) is { } wide) yield return Of(wide);
            }
            yield return ImageKernels.Stem(region, facts, null, "trt stem", context.Multiprocessors, IsHopper(context), out string reason) is { } stem ? Of(stem) : Offer.Rejected("trt stem", reason);
        }
        if (facts.Input.Rank == 4 && _packing.ChannelsLast(facts.Weight) is { } packed) region = new Region { Name = region.Name, Kind = region.Kind, Operators = region.Operators, Nests = region.Nests, Facts = facts with { Weight = packed }, SourceNodes = region.SourceNodes };
        foreach (Offer offer in Products(region, context)) yield return offer;
    }

    /// <summary>Tiles of wgmma_stem.cuh: output rows, parts of 64 pixels of a row.</summary>
    private static IEnumerable<(int Rows, int Parts)> WideStems(Region region, ConvolutionFacts facts, TacticContext context)
    {
        if (context.Capability != WgmmaKernel.Capability || facts.Strides.Any(s => s != 2)) yield break;
        int parts = context.Value(region.Nests[0].Space[^1].Extent) is { } width ? (int)Math.Clamp((width + 63) / 64, 1, 5) : 2;
        foreach (int rows in new[] { 4, 3, 2, 5, 7 }) yield return (rows, parts);
    }

    private IEnumerable<Offer> Products(Region region, TacticContext context)
    {
        if (ProductView.Of(region, out string reason) is not { } view)
        {
            yield return Offer.Rejected("trt", reason);
            yield break;
        }
        // Numbers of 16 bits may stand by k or by column, others by column alone.
        if (ProductText.Size(view.W.Type) != 2 && !ProductText.IsDense(view.W.Inner) && _packing.ByColumn(view.W, view.Cols, view.Depth) is { } byColumn) view = view with { W = byColumn };
        if (context.Value(view.Rows) is not { } rows || context.Value(view.Cols) is not { } cols || context.Value(view.Depth) is not { } depth || context.Value(view.Batches0 * view.Batches1) is not { } batches)
        {
            yield return Offer.Rejected("trt", "its shapes are known only at run time");
            yield break;
        }
        if (rows <= ThinKernel.MaxRows)
        {
            foreach (Offer offer in Thin(view, rows, cols, depth, context)) yield return offer;
        }
        int wgmma = 0;
        if (context.Capability == WgmmaKernel.Capability && _packing.Requantized(region, view) is { } integers && WgmmaKernel.Problem(integers, context.Tf32) is null)
        {
            foreach (Offer offer in Integers(integers, rows, cols, batches, context))
            {
                if (offer.Tactic is not null) wgmma++;
                yield return offer;
            }
        }
        foreach (Offer offer in Wgmma(view, rows, cols, depth, batches, context))
        {
            if (offer.Tactic is not null) wgmma++;
            yield return offer;
        }
        // Where both serve, mma.sync won none of 56 products by more than noise.
        if (wgmma >= EnoughWgmma && !context.Thorough) yield break;
        string? problem = MmaKernel.Problem(view);
        if (problem is not null) yield return Offer.Rejected("trt mma", problem);
        else
        {
            foreach (MmaVariant shape in ProductCandidates.Mma(rows, cols, depth, context.Thorough))
            {
                MmaVariant variant = shape with { Programmatic = IsHopper(context) };
                string name = $"trt mma {variant}";
                yield return MmaKernel.Problem(view, variant, SharedLimit(context)) is { } why ? Offer.Rejected(name, why) : Of(MmaKernel.Launch(view, variant, name), cycles: ProductCandidates.Cycles(variant, rows, cols, depth, batches, Multiprocessors(context)));
            }
        }
    }

    private IEnumerable<Offer> Thin(ProductView view, long rows, long cols, long depth, TacticContext context)
    {
        if (!ProductText.IsDense(view.W.Inner) && _packing.ByColumn(view.W, view.Cols, view.Depth) is { } byColumn) view = view with { W = byColumn };
        if (ThinKernel.Problem(view, rows) is { } problem)
        {
            yield return Offer.Rejected("trt thin", problem);
            yield break;
        }
        foreach (ThinVariant shape in ThinKernel.Variants(rows, cols, depth, ProductText.Size(view.X.Type), Multiprocessors(context)))
        {
            ThinVariant variant = shape with { Programmatic = IsHopper(context) };
            yield return Of(ThinKernel.Launch(view, variant, $"trt thin {variant}"));
        }
    }

    private static IEnumerable<Offer> Wgmma(ProductView view, long rows, long cols, long depth, long batches, TacticContext context)
    {
        if (context.Capability != WgmmaKernel.Capability)
        {
            yield return Offer.Rejected("trt wgmma", string.Create(CultureInfo.InvariantCulture, $"needs compute capability 9.0, this is {context.Capability / 10}.{context.Capability % 10}"));
            yield break;
        }
        if (WgmmaKernel.Problem(view, context.Tf32) is { } problem)
        {
            yield return Offer.Rejected("trt wgmma", problem);
            yield break;
        }
        int size = ProductText.Size(view.X.Type);
        long steps = view.Window is { } window ? window.FilterHeight * window.FilterWidth * ((window.Channels + (128 / size) - 1) / (128 / size)) : (depth + (128 / size) - 1) / (128 / size);
        foreach (WgmmaVariant shape in ProductCandidates.Wgmma(rows, cols, steps, batches, Multiprocessors(context), ProductText.Size(view.Y.Type) != 2, context.Thorough))
        {
            WgmmaVariant variant = shape with { Programmatic = true };
            if (view.X.Type == DataType.Int8 && variant.Q > 32 && variant.Q % 16 != 0) variant = variant with { Q = (variant.Q + 15) / 16 * 16 };
            string? why = WgmmaKernel.Problem(view, variant);
            // The result's tile or wider elements may leave room for fewer stages.
            while (why is not null && variant.Stages > 2 && why.Contains("shared memory", StringComparison.Ordinal))
            {
                variant = variant with { Stages = variant.Stages - 1 };
                why = WgmmaKernel.Problem(view, variant);
            }
            string name = $"trt wgmma {variant}";
            yield return why is not null ? Offer.Rejected(name, why) : Of(WgmmaKernel.Launch(view, variant, name, context.Multiprocessors), view.X.Type == DataType.Float32 ? "Tf32" : "", ProductCandidates.Cycles(variant, rows, cols, steps, batches, Multiprocessors(context)));
        }
    }

    /// <summary>Products of integers that end in integers.</summary>
    private static IEnumerable<Offer> Integers(ProductView view, long rows, long cols, long batches, TacticContext context)
    {
        long inner = view.Window is { } window ? window.Channels : view.Depth.Value, taps = view.Window is { } taken ? taken.FilterHeight * taken.FilterWidth : 1;
        bool residual = view.Requantized!.Residual is not null;
        foreach (WgmmaVariant shape in IntegerCandidates.Of(rows, cols, inner, taps, batches, residual, Multiprocessors(context), context.Thorough))
        {
            WgmmaVariant variant = shape with { Programmatic = true };
            string name = $"trt wgmma-s8 {variant}";
            yield return WgmmaKernel.Problem(view, variant) is { } why ? Offer.Rejected(name, why) : Of(WgmmaKernel.Launch(view, variant, name, context.Multiprocessors), cycles: IntegerCandidates.Cycles(variant, rows, cols, inner, taps, batches, residual, Multiprocessors(context)));
        }
    }

    private static int SharedLimit(TacticContext context) => context.Capability switch { 80 or 87 => 163 * 1024, 90 or 100 => 227 * 1024, _ => 99 * 1024 };

    private static IEnumerable<Offer> Depthwise(Region region, ConvolutionFacts facts, TacticContext context)
    {
        foreach ((int Height, int Width, int Lanes) shape in ImageCandidates(facts, context))
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"trt depthwise {shape.Height}x{shape.Width}-{shape.Lanes}");
            if (ImageKernels.Depthwise(region, facts, shape, null, name, context.Multiprocessors, IsHopper(context), out string reason) is { } launch) yield return Of(launch);
            else
            {
                yield return Offer.Rejected("trt depthwise", reason);
                yield break;
            }
        }
        foreach (DepthwiseTile tile in DepthwiseTiles(region, facts, context))
        {
            string name = $"trt tma-depthwise {tile}";
            if (ImageKernels.Depthwise(region, facts, default, tile, name, context.Multiprocessors > 0 ? context.Multiprocessors : 132, programmatic: true, out _) is { } tiled) yield return Of(tiled);
        }
    }

    private static IEnumerable<DepthwiseTile> DepthwiseTiles(Region region, ConvolutionFacts facts, TacticContext context)
    {
        if (context.Capability != WgmmaKernel.Capability || facts.Input.Rank != 4 || !facts.Weight.Shape.All(d => d.IsConstant) || facts.Weight.Shape[1].Value != 1 || facts.Weight.Shape[0].Value % 8 != 0) return [];
        if (context.Value(region.Nests[0].Space[^2].Extent) is not { } height || context.Value(region.Nests[0].Space[^1].Extent) is not { } width || height < 1 || width < 1) return [];
        return DepthwiseTile.Candidates(ImageKernels.GeometryOf(facts), facts.Weight.Shape[0].Value, height, width).Take(context.Thorough ? 12 : 5);
    }

    private static IEnumerable<(int Height, int Width, int Lanes)> ImageCandidates(ConvolutionFacts facts, TacticContext context)
    {
        long channels = facts.Weight.Shape[0].TryGetValue(out long known) ? known : 64, width = context.Value(facts.Input.Shape[^1]) ?? 64;
        // Threads along the channels leave none idle where the channels' 16-byte pieces are a multiple of them.
        int[] lanes = [.. Enumerable.Range(1, 64).Where(d => channels / 8 % d == 0).OrderBy(d => Math.Abs(Math.Log2(d / 12.0))).Take(context.Thorough ? 3 : 2)];
        foreach ((int h, int w) in new[] { (1, 4), (2, 2), (1, 2), (2, 4) })
        {
            if (w >= 2 * width) continue;
            foreach (int own in lanes) yield return (h, w, own);
        }
    }

    private static IEnumerable<Offer> Attention(AttentionFacts facts, TacticContext context)
    {
        if (AttentionKernel.Problem(facts) is { } problem) return [Offer.Rejected("trt attention", problem)];
        if (context.Value(facts.Query.Shape[0]) is not { } batch || context.Value(facts.Query.Shape[2]) is not { } queries || context.Value(facts.Key.Shape[2]) is not { } keys) return [Offer.Rejected("trt attention", "its shapes are known only at run time")];
        int head = (int)facts.Query.Shape[3].Value, group = AttentionKernel.Group(facts);
        bool fixedKeys = facts.Key.Shape[2].IsConstant;
        List<Offer> offers = [];
        if (context.Capability == WgmmaKernel.Capability)
        {
            int multiprocessors = context.Multiprocessors > 0 ? context.Multiprocessors : 132;
            if (WideAttentionKernel.Problem(facts) is { } narrow) offers.Add(Offer.Rejected("trt wgmma-attention", narrow));
            else
            {
                foreach (WideAttentionVariant shape in WideAttentionKernel.Candidates(facts, batch * facts.Query.Shape[1].Value, queries, multiprocessors))
                    offers.Add(Of(WideAttentionKernel.Launch(facts, shape with { Programmatic = true }, $"trt wgmma-attention {shape}", multiprocessors)));
            }
        }
        foreach (AttentionVariant shape in AttentionCandidates.Of(batch * facts.Key.Shape[1].Value, queries * group, keys, head, fixedKeys, IsHopper(context), context.Thorough))
        {
            AttentionVariant variant = shape with { Programmatic = IsHopper(context) };
            string name = $"trt attention {variant}";
            offers.Add(variant.SharedBytes(head) > SharedLimit(context) ? Offer.Rejected(name, string.Create(CultureInfo.InvariantCulture, $"needs {variant.SharedBytes(head)} bytes of shared memory, a block has {SharedLimit(context)}")) : Of(AttentionKernel.Launch(facts, variant, name, context.Multiprocessors)));
        }
        return offers;
    }
}
