using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>One kernel for a region of several maps that do not depend on each other. Maps of one value over the same loops compute it once and store it in all their places; each other map has blocks of its own.</summary>
internal static class JointMapKernel
{
    private const int Threads = TransposeKernel.Threads;

    /// <summary>Maps over the same loops, and how a block walks them.</summary>
    private sealed record Part(IReadOnlyList<NestAnalysis> Nests, IReadOnlyList<LoopAxis> Loops, TransposeKernel.Plan? Transposed, int Lanes)
    {
        public DimExpr Points => Lanes == 1 ? LoopText.Count(Loops) : LoopText.Count(Loops.Take(Loops.Count - 1)) * DimExpr.CeilDiv(Loops[^1].Extent, Lanes);

        public DimExpr Blocks => Transposed?.Blocks ?? DimExpr.CeilDiv(Points, Threads);
    }

    /// <summary>Null where the region is anything else.</summary>
    public static KernelLaunch? TryWrite(Region region, GeneratorOptions options)
    {
        if (region.Kind != RegionKind.Map || region.Nests.Count < 2 || region.Nests.Any(n => n.Body is not null || n.ScatterCombine is not null || n.Place is not null || ElementText.IsPacked(n.Target.Type))) return null;
        HashSet<Storage> written = [.. region.Nests.Select(n => n.Target.Storage)];
        if (region.Nests.Any(n => Ex.Loads(n.Result).Any(l => written.Contains(l.Source.Storage)))) return null;
        List<Part> parts = [];
        foreach (IReadOnlyList<LoopNest> nests in Groups(region.Nests)) parts.Add(PartOf(nests, options));
        KernelText text = new(options, written);
        int shared = parts.Max(p => p.Transposed?.SharedBytes ?? 0);
        if (shared > TransposeKernel.MostShared) return null;
        if (shared > 0) text.Line(Number($"__shared__ __align__(16) unsigned char tiles[{shared}];"));
        text.Wait();
        DimExpr total = parts.Aggregate(DimExpr.Zero, (sum, p) => sum + p.Blocks);
        string type = LoopText.IndexType(text, total);
        text.Line($"{type} block = blockIdx.x;");
        for (int i = 0; i < parts.Count; i++)
        {
            text.Open(i == 0 ? $"if (block < {text.Extent(parts[i].Blocks)})" : $"else if ((block -= {text.Extent(parts[i - 1].Blocks)}) < {text.Extent(parts[i].Blocks)})");
            if (parts[i].Transposed is { } plan) TransposeKernel.Write(text, parts[i].Nests[0], plan, "block", "tiles");
            else WritePart(text, parts[i]);
            text.Close();
        }
        return text.Finish(region.Name, "trt_maps", [DimExpr.Max(DimExpr.One, total)], Threads);
    }

    private static List<List<LoopNest>> Groups(IReadOnlyList<LoopNest> nests)
    {
        List<List<LoopNest>> groups = [];
        foreach (LoopNest nest in nests)
        {
            if (groups.Find(g => ReferenceEquals(g[0].Result, nest.Result) && g[0].Space.SequenceEqual(nest.Space)) is { } group) group.Add(nest);
            else groups.Add([nest]);
        }
        return groups;
    }

    private static Part PartOf(IReadOnlyList<LoopNest> nests, GeneratorOptions options)
    {
        NestAnalysis[] analyses = [.. nests.Select(n => new NestAnalysis(n, options))];
        IReadOnlyList<LoopAxis> loops = NestAnalysis.Collapse(analyses[0].SpaceInMemoryOrder(), analyses);
        TransposeKernel.Plan? transposed = analyses.Length == 1 ? TransposeKernel.TryPlan(analyses[0], loops) : null;
        return new Part(analyses, loops, transposed, transposed is null ? analyses.Min(a => MapKernel.Lanes(a, loops)) : 1);
    }

    private static void WritePart(KernelText text, Part part)
    {
        IReadOnlyList<LoopAxis> loops = part.Loops;
        string type = LoopText.IndexType(text, part.Points * part.Lanes), p = text.Name("p");
        text.Line(Number($"const {type} {p} = ({type})block * {Threads} + threadIdx.x;"));
        text.Line($"if ({p} >= {text.Extent(part.Points)}) return;");
        string[] counters = LoopText.Decompose(text, loops, p, type, part.Lanes);
        // Only a lone loop may end inside a vector: its last elements are computed one by one.
        bool hasTail = part.Lanes > 1 && !GeneratorOptions.IsDivisible(loops[^1].Extent, part.Lanes);
        if (hasTail) text.Open(Number($"if ({counters[^1]} + {part.Lanes} <= {text.Extent(loops[^1].Extent)})"));
        WritePoint(text, part, counters, part.Lanes);
        if (!hasTail) return;
        text.Else();
        text.Open($"for ({type} j = {counters[^1]}; j < {text.Extent(loops[^1].Extent)}; j++)");
        WritePoint(text, part, [.. counters[..^1], "j"], 1);
        text.Close();
        text.Close();
    }

    private static void WritePoint(KernelText text, Part part, string[] counters, int lanes)
    {
        ScalarWriter[] writers = [.. part.Nests.Select(n => new ScalarWriter(text, n, lanes, lanes > 1 ? part.Loops[^1] : null))];
        foreach (ScalarWriter writer in writers) LoopText.Bind(writer, part.Loops, counters);
        Expr result = part.Nests[0].Nest.Result;
        text.Open("");
        writers[0].Scope(() =>
        {
            string value = writers[0].Value(result);
            if (writers.Length > 1)
            {
                string name = text.Name("v");
                writers[0].Declare(writers[0].TypeOf(result), name);
                writers[0].PerLane($"{writers[0].Lane(name)} = {value};");
                writers[0].Flush();
                foreach (ScalarWriter writer in writers) writer.Give(result, name, lanes > 1);
            }
            foreach (ScalarWriter writer in writers)
            {
                writer.Store(result);
                writer.Flush();
            }
        });
        text.Close();
    }

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
