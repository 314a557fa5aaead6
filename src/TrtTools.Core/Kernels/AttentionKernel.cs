using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Choices of attention.cuh that do not change what is computed.</summary>
internal sealed record AttentionVariant(int QueryWarps, int KeyWarps, int RowTiles, int Keys)
{
    /// <summary>1 where a block's keys fit in one step, otherwise 2.</summary>
    public int Stages { get; init; } = 2;

    /// <summary>As many steps as all keys take; 0: they stream.</summary>
    public int Resident { get; init; }

    /// <summary>With all keys resident: blocks walk over tiles, heads and batches and load ahead.</summary>
    public bool Persistent { get; init; }

    public int Split { get; init; } = 1;

    public bool Programmatic { get; init; }

    public int Rows => QueryWarps * RowTiles * 16;

    public int TileKeys => KeyWarps * Keys;

    public int Threads => QueryWarps * KeyWarps * 32;

    /// <summary>As many as shared memory and (about 224, or 168 for a single tile of rows) registers allow.</summary>
    public int BlocksOfMultiprocessor(int head) => Math.Clamp(Math.Min(227 * 1024 / (SharedBytes(head) + 1024), 65536 / (Threads * (RowTiles == 2 ? 224 : 168))), 1, 8);

    public int SharedBytes(int head)
    {
        int padded = (head + 15) / 16 * 16, pitch = (padded * 2) + 16;
        int tiles = (Rows * pitch) + (2 * (Resident > 0 ? Resident : Stages) * TileKeys * pitch);
        if (Persistent) tiles *= 2;
        return Math.Max(tiles, KeyWarps * Split > 1 ? KeyWarps * Rows * (padded + 6) * 4 : 0);
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{QueryWarps}x{RowTiles}-{KeyWarps}x{Keys}{(Resident > 0 ? "-r" + Resident.ToString(CultureInfo.InvariantCulture) : "-s" + Stages.ToString(CultureInfo.InvariantCulture))}{(Persistent ? "p" : "")}{(Split > 1 ? "-split" + Split.ToString(CultureInfo.InvariantCulture) : "")}");
}

/// <summary>Attention in one kernel: attention.cuh.</summary>
internal static class AttentionKernel
{
    public const int Capability = 80;

    /// <summary>Why it cannot be run by any variant; null when it can.</summary>
    public static string? Problem(AttentionFacts facts)
    {
        TensorView q = facts.Query, k = facts.Key, v = facts.Value, y = facts.Output;
        if (q.Type is not (DataType.Float16 or DataType.BFloat16)) return $"tensor cores do not multiply {q.Type} here";
        if (new[] { k, v, y }.Any(t => t.Type != q.Type)) return "its operands have several types";
        if (new[] { q, k, v, y }.Any(t => t.Rank != 4)) return "its operands are not [batch, heads, rows, size]";
        if (!q.Shape[3].TryGetValue(out long head) || head % 8 != 0 || head > 256 || !v.Shape[3].Equals(q.Shape[3])) return $"heads of size {q.Shape[3]} (values {v.Shape[3]})";
        if (!q.Shape[1].TryGetValue(out long heads) || !k.Shape[1].TryGetValue(out long shared) || heads % shared != 0) return "its numbers of heads are known only at run time";
        if (!(facts.Scale > 0)) return "its scale is not positive";
        foreach (TensorView view in new[] { q, k, v, y })
        {
            if (!GeneratorOptions.Is(view.Strides[3], 1)) return "rows of an operand are not contiguous";
            if (!view.Strides.Take(3).Append(view.Offset).All(s => GeneratorOptions.IsDivisible(s, 8))) return "rows of an operand are not aligned to 16 bytes";
        }
        return facts.Mask is { } mask && (mask.Rank != 4 || EpilogueText.ElementName(mask.Type) is null or "tc::s8") ? $"its mask is {mask.Type} of rank {mask.Rank}" : null;
    }

    /// <summary>Query heads that share a head of keys.</summary>
    public static int Group(AttentionFacts facts) => (int)(facts.Query.Shape[1].Value / facts.Key.Shape[1].Value);

    public static KernelLaunch Launch(AttentionFacts facts, AttentionVariant variant, string name, int multiprocessors)
    {
        TensorView q = facts.Query, k = facts.Key;
        string type = ProductText.Name(q.Type);
        int group = Group(facts), head = (int)q.Shape[3].Value;
        (string, object)[] definitions =
        [
            ("KERNEL", "attention"), ("TYPE", type), ("HEAD", head), ("GROUP", group), ("QUERY_WARPS", variant.QueryWarps), ("KEY_WARPS", variant.KeyWarps), ("ROW_TILES", variant.RowTiles), ("KEYS", variant.Keys),
            ("STAGES", variant.Stages), ("RESIDENT", variant.Resident), ("PERSISTENT", variant.Persistent ? 1 : 0), ("SPLIT", variant.Split), ("CAUSAL", facts.Causal ? 1 : 0), ("MASK", facts.Mask is null ? 0 : 1), ("MASK_TYPE", facts.Mask is { } m ? ProductText.Name(m.Type) : "float"),
            ("PDL", variant.Programmatic ? 1 : 0), .. facts.ZeroWhereMasked ? new (string, object)[] { ("GUARD", 1) } : [],
        ];
        List<KernelArgument> arguments = [];
        foreach ((TensorView view, Access access) in new[] { (q, Access.Read), (k, Access.Read), (facts.Value, Access.Read), (facts.Output, Access.Write) })
        {
            arguments.Add(new PointerArgument(view.Storage, view.Offset, access));
            arguments.AddRange(view.Strides.Take(3).Select(ProductText.Wide));
        }
        if (facts.Mask is { } mask)
        {
            arguments.Add(new PointerArgument(mask.Storage, mask.Offset, Access.Read));
            arguments.AddRange(mask.Strides.Select((s, i) => ProductText.Wide(GeneratorOptions.Is(mask.Shape[i], 1) ? DimExpr.Zero : s)));
        }
        DimExpr queries = q.Shape[2], keys = k.Shape[2];
        arguments.AddRange([ProductText.Int(queries), ProductText.Int(keys), ProductText.Int(keys - queries), ProductText.Int(k.Shape[1]), ProductText.Int(q.Shape[0]), new FloatArgument((float)facts.Scale)]);
        DimExpr tiles = DimExpr.CeilDiv(queries * group, variant.Rows);
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("attention", ProductText.Assemble(definitions, "", "attention.cuh"), variant.Split > 1 || variant.Programmatic ? 90 : Capability),
            Grid = variant.Persistent ? [DimExpr.Min(tiles * k.Shape[1] * q.Shape[0], Math.Max(1, multiprocessors) * variant.BlocksOfMultiprocessor(head)), DimExpr.One, DimExpr.One] : [tiles * variant.Split, k.Shape[1], q.Shape[0]], Block = [variant.Threads], Cluster = variant.Split > 1 ? [variant.Split] : [],
            SharedBytes = variant.SharedBytes(head), Programmatic = variant.Programmatic, Arguments = arguments,
        };
    }
}
