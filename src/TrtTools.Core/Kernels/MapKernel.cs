using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Nests that reduce nothing: each thread computes neighbours in the target's memory, up to 16 bytes of them.</summary>
internal static class MapKernel
{
    public static KernelLaunch Write(NestAnalysis analysis)
    {
        IReadOnlyList<LoopAxis> loops = analysis.Collapse(analysis.SpaceInMemoryOrder());
        if (TransposeKernel.TryWrite(analysis, loops) is { } transposed) return transposed;
        int lanes = Lanes(analysis, loops);
        if (lanes == 1 && FlatLanes(analysis, loops) is > 1 and int flat) return WriteFlat(analysis, loops, flat);
        // Only a lone loop may end inside a vector: its last elements are computed one by one.
        bool hasTail = lanes > 1 && !GeneratorOptions.IsDivisible(loops[^1].Extent, lanes);
        DimExpr total = lanes == 1 ? LoopText.Count(loops) : LoopText.Count(loops.Take(loops.Count - 1)) * DimExpr.CeilDiv(loops[^1].Extent, lanes);
        KernelText text = new(analysis.Options, [analysis.Nest.Target.Storage]);
        int threads = LoopText.Threads(analysis.Options, total);
        string type = LoopText.IndexType(text, total * lanes);
        text.Line(Number($"const {type} p = ({type})blockIdx.x * {threads} + threadIdx.x;"));
        string[] counters = text.Guard($"p >= {text.Extent(total)}", () => LoopText.Decompose(text, loops, "p", type, lanes));
        if (hasTail) text.Open(Number($"if ({counters[^1]} + {lanes} <= {text.Extent(loops[^1].Extent)})"));
        WritePoint(text, analysis, loops, counters, lanes);
        if (hasTail)
        {
            text.Else();
            text.Open($"for ({type} j = {counters[^1]}; j < {text.Extent(loops[^1].Extent)}; j++)");
            WritePoint(text, analysis, loops, [.. counters[..^1], "j"], 1);
            text.Close();
            text.Close();
        }
        return text.Finish(analysis.Nest.Name, "trt_map", [LoopText.Blocks(total, threads)], threads);
    }

    private static void WritePoint(KernelText text, NestAnalysis analysis, IReadOnlyList<LoopAxis> loops, string[] counters, int lanes)
    {
        ScalarWriter writer = new(text, analysis, lanes, lanes > 1 ? loops[^1] : null);
        LoopText.Bind(writer, loops, counters);
        writer.Scope(() => writer.Store(analysis.Nest.Result));
    }

    /// <summary>Vectors over a dense target whatever its loops: what is as dense is read in vectors, the rest element by element at each one's own place.</summary>
    private static KernelLaunch WriteFlat(NestAnalysis analysis, IReadOnlyList<LoopAxis> loops, int lanes)
    {
        KernelText text = new(analysis.Options, [analysis.Nest.Target.Storage]);
        DimExpr count = LoopText.Count(loops), total = DimExpr.FloorDiv(count, lanes);
        int threads = LoopText.Threads(analysis.Options, total);
        string type = LoopText.IndexType(text, count);
        TensorView target = analysis.Nest.Target;
        text.Line(Number($"const {type} p = ({type})blockIdx.x * {threads} + threadIdx.x;"));
        text.Guard($"p >= {text.Extent(total)}", () => 0);
        List<(LoadExpr Load, string Pack)> dense = [];
        foreach (LoadExpr load in analysis.Loads.Where(l => IsFlat(analysis.Access(l), loops, lanes) && analysis.IsSafe(l)))
        {
            string pack = text.Name("p"), pointer = text.Pointer(load.Source.Storage, load.Source.Offset, Access.Read);
            text.Line(Number($"trt::Pack<{ElementText.TypeName(load.Source.Type)}, {lanes}> {pack};"));
            text.Line(Number($"{pack}.read({pointer} + p * {lanes});"));
            dense.Add((load, pack));
        }
        text.Line(Number($"trt::Pack<{ElementText.TypeName(target.Type)}, {lanes}> out;"));
        text.Line("#pragma unroll");
        text.Open(Number($"for (int l = 0; l < {lanes}; l++)"));
        text.Line(Number($"const {type} place = p * {lanes} + l;"));
        ScalarWriter writer = new(text, analysis);
        LoopText.Bind(writer, loops, LoopText.Decompose(text, loops, "place", type));
        foreach ((LoadExpr load, string pack) in dense) writer.GiveText(load, $"trt::load({pack}.items[l])", false);
        writer.Scope(() => text.Line($"trt::store(out.items[l], {writer.StoredText(analysis.Nest.Result, target.Type)});"));
        text.Close();
        text.Line(Number($"out.write({text.Pointer(target.Storage, target.Offset, Access.Write)} + p * {lanes});"));
        return text.Finish(analysis.Nest.Name, "trt_map", [LoopText.Blocks(total, threads)], threads);
    }

    private static int FlatLanes(NestAnalysis analysis, IReadOnlyList<LoopAxis> loops)
    {
        // An axis whose value counts costs the same as a load beside the vectors; what must be paid for is at least one load in vectors.
        foreach (int lanes in (int[])[8, 4, 2])
        {
            if (loops.Count < 2 || !GeneratorOptions.IsDivisible(LoopText.Count(loops), lanes) || !IsFlat(analysis.Target, loops, lanes) || lanes * analysis.Nest.Target.Type.BitSize() > 128) continue;
            if (analysis.Options.Guess(LoopText.Count(loops)) / lanes < analysis.Options.Multiprocessors * 256L) continue;
            if (analysis.Loads.Any(l => IsFlat(analysis.Access(l), loops, lanes) && analysis.IsSafe(l) && lanes * l.Source.Type.BitSize() <= 256)) return lanes;
        }
        return 1;
    }

    private static bool IsFlat(LinearAccess access, IReadOnlyList<LoopAxis> loops, int lanes)
    {
        if (access.Terms.Count > 0 || ElementText.IsPacked(access.View.Type) || !access.Offset.Equals(access.View.Offset) || !GeneratorOptions.IsDivisible(access.Offset, lanes)) return false;
        DimExpr stride = DimExpr.One;
        for (int i = loops.Count - 1; i >= 0; i--)
        {
            if (!loops[i].Factor(access).Equals(stride)) return false;
            stride *= loops[i].Extent;
        }
        return true;
    }

    public static int Lanes(NestAnalysis analysis, IReadOnlyList<LoopAxis> loops)
    {
        if (loops.Count == 0) return 1;
        LoopAxis inner = loops[^1];
        long points = analysis.Options.Guess(LoopText.Count(loops));
        int own = analysis.Nest.Target.Type.BitSize();
        foreach (int lanes in (int[])[16, 8, 4, 2])
        {
            if (loops.Count > 1 && !GeneratorOptions.IsDivisible(inner.Extent, lanes)) continue;
            if (inner.Extent.TryGetValue(out long extent) && extent < lanes) continue;
            if (!ScalarWriter.IsVector(analysis.Target, inner, lanes, analysis)) continue;
            int[] bits = [own, .. analysis.Loads.Select(analysis.Access).Where(a => ScalarWriter.IsVector(a, inner, lanes, analysis)).Select(a => a.View.Type.BitSize())];
            if (lanes * bits.Min() > 128 || lanes * bits.Max() > 256) continue;
            // Little work is spread over all multiprocessors first.
            if (lanes * own > 32 && points / lanes < analysis.Options.Multiprocessors * 128L) continue;
            return lanes;
        }
        return 1;
    }

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
