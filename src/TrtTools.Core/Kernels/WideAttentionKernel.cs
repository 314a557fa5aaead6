using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Choices of wgmma_attention.cuh that do not change what is computed: warpgroups, 64-row tiles of an item, items on their way at once.</summary>
internal sealed record WideAttentionVariant(int Groups, int Tiles, int Stages)
{
    public bool Programmatic { get; init; }

    /// <summary>A feeding warp counts as a warpgroup where registers are handed out; with more than one group it is one.</summary>
    public int Threads => (Groups * 128) + (Groups > 1 ? 128 : 32);

    public int SharedBytes(int head, int keys, bool maskByTma)
    {
        int panels = (head + 63) / 64, tile = 64 * 128;
        int stage = (Tiles * panels * tile) + (panels * (keys + ((keys + 15) / 16 * 16)) * 128) + (maskByTma ? Tiles * ((keys + 63) / 64) * tile : 0);
        return 1024 + (Stages * (stage + 16)) + (Groups * panels * tile);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Groups}x{Tiles}-s{Stages}");
}

/// <summary>Attention over at most 256 keys, whose scores a warpgroup holds all at once: wgmma_attention.cuh, compute capability 9.0 alone.</summary>
internal static class WideAttentionKernel
{
    private const int MostKeys = 256;

    /// <summary>Why it cannot be run by any variant, beyond what <see cref="AttentionKernel.Problem"/> says; null when it can.</summary>
    public static string? Problem(AttentionFacts facts)
    {
        if (!facts.Key.Shape[2].TryGetValue(out long keys)) return "its number of keys is known only at run time";
        if (keys > MostKeys) return string.Create(CultureInfo.InvariantCulture, $"its {keys} keys are more than {MostKeys}");
        return facts.Query.Shape[3].Value > 128 ? "heads larger than 128" : null;
    }

    /// <summary>The tile of keys.</summary>
    public static int Keys(AttentionFacts facts) => (int)(facts.Key.Shape[2].Value + 7) / 8 * 8;

    /// <summary>Whether the mask's rows can be fetched as tiles: 16 bits, a row for each query, without gaps and aligned.</summary>
    public static bool HasTiledMask(AttentionFacts facts) => facts.Mask is { Type: DataType.Float16 or DataType.BFloat16 } mask && !GeneratorOptions.Is(mask.Shape[2], 1) && !GeneratorOptions.Is(mask.Shape[3], 1)
        && GeneratorOptions.Is(mask.Strides[3], 1) && mask.Strides.Take(3).Append(mask.Offset).All(s => GeneratorOptions.IsDivisible(s, 8)) && GeneratorOptions.IsDivisible(mask.Shape[3], 8);

    private static bool HasPairs(TensorView mask) =>
        GeneratorOptions.Is(mask.Strides[3], 1) && !GeneratorOptions.Is(mask.Shape[3], 1) && GeneratorOptions.IsDivisible(mask.Shape[3], 2) && mask.Strides.Take(3).Append(mask.Offset).All(s => GeneratorOptions.IsDivisible(s, 2));

    /// <summary>Likely fast ones first, as many as fit and have the registers.</summary>
    /// <param name="items">Heads of all batches.</param>
    /// <param name="queries">Rows of a head.</param>
    public static IEnumerable<WideAttentionVariant> Candidates(AttentionFacts facts, long items, long queries, int multiprocessors)
    {
        int keys = Keys(facts), head = (int)facts.Query.Shape[3].Value, all = (int)Math.Min(4, (queries + 63) / 64);
        bool tiled = HasTiledMask(facts), many = items * ((queries + 63) / 64) > 2 * multiprocessors;
        // Three groups have 160 registers a thread.
        int most = keys > (facts.Mask is null && !facts.Causal ? 200 : 128) || head > 64 ? 2 : 3;
        if (!many)
        {
            WideAttentionVariant once = new(1, 1, 1);
            if (once.SharedBytes(head, keys, tiled) <= WgmmaVariant.MaxSharedBytes) yield return once;
            yield break;
        }
        HashSet<WideAttentionVariant> seen = [];
        foreach ((int groups, int tiles, int stages) in new[] { (most, 2, 3), (most, 2, 2), (2, 2, 2), (1, 1, 2), (most, all, 2), (1, 1, 3) })
        {
            WideAttentionVariant variant = new(groups, Math.Min(tiles, all), stages);
            // A group that is done must not wait for a stage's lap after the next: parities tell two laps apart, no more.
            if ((groups + variant.Tiles - 1) / variant.Tiles <= stages && variant.SharedBytes(head, keys, tiled) <= WgmmaVariant.MaxSharedBytes && seen.Add(variant)) yield return variant;
        }
    }

    public static KernelLaunch Launch(AttentionFacts facts, WideAttentionVariant variant, string name, int multiprocessors)
    {
        TensorView q = facts.Query, k = facts.Key;
        int head = (int)q.Shape[3].Value, keys = Keys(facts), shared;
        bool tiled = HasTiledMask(facts);
        shared = variant.SharedBytes(head, keys, tiled);
        (string, object)[] definitions =
        [
            ("KERNEL", "attention"), ("TYPE", ProductText.Name(q.Type)), ("TYPE_KIND", ProductText.Kind(q.Type)), ("HEAD", head), ("GROUP", AttentionKernel.Group(facts)), ("KEYS", keys), ("LENGTH", k.Shape[2].Value), ("TILES", variant.Tiles),
            ("GROUPS", variant.Groups), ("STAGES", variant.Stages), ("CAUSAL", facts.Causal ? 1 : 0), ("MASK", facts.Mask is null ? 0 : tiled ? 2 : 1), ("MASK_TYPE", facts.Mask is { } m ? ProductText.Name(m.Type) : "float"),
            ("MASK_PAIRS", facts.Mask is { } pairs && HasPairs(pairs) ? 1 : 0), ("PDL", variant.Programmatic ? 1 : 0), ("GUARD", facts.ZeroWhereMasked ? 1 : 0),
        ];
        List<KernelArgument> arguments = [Map(q, 64, Access.Read), Map(k, keys, Access.Read), Map(facts.Value, (keys + 15) / 16 * 16, Access.Read), Map(facts.Output, 64, Access.Write)];
        if (facts.Mask is { } mask)
        {
            if (tiled) arguments.AddRange([Map(mask, 64, Access.Read), Flag(mask.Shape[1]), Flag(mask.Shape[0])]);
            else
            {
                arguments.Add(new PointerArgument(mask.Storage, mask.Offset, Access.Read));
                arguments.AddRange(mask.Strides.Select((s, i) => ProductText.Wide(GeneratorOptions.Is(mask.Shape[i], 1) ? DimExpr.Zero : s)));
            }
        }
        DimExpr queries = q.Shape[2];
        arguments.AddRange([ProductText.Int(queries), ProductText.Int(k.Shape[2]), ProductText.Int(k.Shape[2] - queries), ProductText.Int(q.Shape[1]), ProductText.Int(q.Shape[0]), new FloatArgument((float)facts.Scale)]);
        DimExpr items = DimExpr.CeilDiv(queries, variant.Tiles * 64) * q.Shape[1] * q.Shape[0];
        int room = Math.Max(1, multiprocessors) * (variant.Groups > 1 ? 1 : Math.Clamp(WgmmaVariant.MaxSharedBytes / (shared + 1024), 1, 2));
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("attention", ProductText.Assemble(definitions, "", "wgmma_attention.cuh"), WgmmaKernel.Capability), Grid = [DimExpr.Min(items, room), DimExpr.One, DimExpr.One], Block = [variant.Threads],
            SharedBytes = shared, Programmatic = variant.Programmatic, Arguments = arguments,
        };
    }

    /// <summary>Whether the mask moves along an axis.</summary>
    private static KernelArgument Flag(DimExpr extent) => ProductText.Int(GeneratorOptions.Is(extent, 1) ? 0 : 1);

    /// <summary>[batch, heads, rows, size], innermost first; a box is so many rows of 64 elements, zeros beyond the tensor.</summary>
    private static TensorMapArgument Map(TensorView view, int rows, Access access)
    {
        int size = ProductText.Size(view.Type);
        // An axis of one element has any stride in its view; a map wants one that is aligned.
        DimExpr Stride(int axis) => (GeneratorOptions.Is(view.Shape[axis], 1) ? (DimExpr)1024 : view.Strides[axis]) * size;
        return new TensorMapArgument(view.Storage, view.Offset, view.Type, [view.Shape[3], view.Shape[2], view.Shape[1], view.Shape[0]], [Stride(2), Stride(1), Stride(0)], [64, rows, 1, 1], 128) { Access = access };
    }
}
