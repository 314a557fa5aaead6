using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// Recurrences: a block takes each independent sequence (a batch element, a direction) through all steps. Its threads share a step's points, and wait for each other between nests. Reductions whose elements
/// lie side by side are shared by the threads of a warp.
/// </summary>
internal static class SequenceKernel
{
    private const int Threads = 512, Warp = 32;

    public static KernelLaunch Write(Region region, Axis sequence, GeneratorOptions options)
    {
        HashSet<Storage> written = [.. region.Nests.Select(n => n.Target.Storage)];
        KernelText text = new(options, written);
        Axis[] own = [.. region.Nests[0].Space.Where(a => a != sequence && !GeneratorOptions.Is(a.Extent, 1) && IsIndependent(region, a, written))];
        LoopAxis[] outer = [.. own.Select(a => new LoopAxis([a], a.Extent))];
        LoopAxis time = new([sequence], sequence.Extent);
        DimExpr blocks = LoopText.Count(outer);
        string type = LoopText.IndexType(text, blocks), step = LoopText.IndexType(text, sequence.Extent);
        if (!blocks.IsConstant) text.Line($"if (blockIdx.x >= {text.Extent(blocks)}) return;");
        text.Line($"const {type} o = blockIdx.x;");
        string[] counters = LoopText.Decompose(text, outer, "o", type);
        text.Line("#pragma unroll 1");
        text.Open($"for ({step} t = 0; t < {text.Extent(sequence.Extent)}; t++)");
        foreach (LoopNest nest in region.Nests)
        {
            NestAnalysis analysis = new(nest, options);
            Axis[] rest = [.. nest.Space.Where(a => a != sequence && !own.Contains(a) && !GeneratorOptions.Is(a.Extent, 1))];
            ScalarWriter writer = new(text, analysis);
            LoopText.Bind(writer, outer, counters);
            writer.Bind(time, "t");
            if (nest.Reduced.Count == 0) WriteMap(text, analysis, writer, rest);
            else WriteReduction(text, analysis, writer, outer, counters, time, rest);
            text.Line("__syncthreads();");
        }
        text.Close();
        return text.Finish(region.Name, "trt_sequence", [LoopText.Blocks(blocks, 1)], Threads);
    }

    /// <summary>Whether nothing that a nest reads of the region's own results belongs to another value of the axis: one index is the axis itself wherever they are written and read.</summary>
    private static bool IsIndependent(Region region, Axis axis, HashSet<Storage> written)
    {
        bool Stands(TensorView view, IReadOnlyList<Expr> index)
        {
            for (int d = 0; d < index.Count; d++)
            {
                if (index[d] is AxisExpr own && own.Axis == axis && view.Shape[d].Equals(axis.Extent)) return true;
            }
            return false;
        }
        return region.Nests.All(n => n.Space.Contains(axis) && Stands(n.Target, n.Place ?? Ex.Of(n.Space)) && n.ScatterCombine is null
            && Ex.Loads(n.Body).Concat(Ex.Loads(n.Result)).Where(l => written.Contains(l.Source.Storage)).All(l => Stands(l.Source, l.Index)));
    }

    private static void WriteMap(KernelText text, NestAnalysis analysis, ScalarWriter writer, Axis[] rest)
    {
        LoopAxis[] loops = [.. rest.Select(a => new LoopAxis([a], a.Extent))];
        DimExpr points = LoopText.Count(loops);
        string type = LoopText.IndexType(text, points);
        text.Open(Number($"for ({type} p = threadIdx.x; p < {text.Extent(points)}; p += {Threads})"));
        LoopText.Bind(writer, loops, LoopText.Decompose(text, loops, "p", type));
        writer.Scope(() => writer.Store(analysis.Nest.Result));
        text.Close();
    }

    private static void WriteReduction(KernelText text, NestAnalysis analysis, ScalarWriter writer, LoopAxis[] outer, string[] counters, LoopAxis time, Axis[] rest)
    {
        LoopNest nest = analysis.Nest;
        Accumulator total = new(nest, analysis.Options);
        LoopAxis[] loops = [.. rest.Select(a => new LoopAxis([a], a.Extent))], reduced = [.. nest.Reduced.Where(a => !GeneratorOptions.Is(a.Extent, 1)).Select(a => new LoopAxis([a], a.Extent))];
        DimExpr points = LoopText.Count(loops), length = LoopText.Count(reduced);
        string type = LoopText.IndexType(text, points), step = LoopText.IndexType(text, length), all = text.Name("all");
        bool shared = reduced.Length > 0 && Ex.Loads(nest.Body).Any(l => GeneratorOptions.Is(reduced[^1].Factor(analysis.Access(l)), 1)) && analysis.Options.Guess(length) >= 16;
        text.Open(shared ? Number($"for ({type} p = threadIdx.x / {Warp}; p < {text.Extent(points)}; p += {Threads / Warp})") : Number($"for ({type} p = threadIdx.x; p < {text.Extent(points)}; p += {Threads})"));
        string[] at = LoopText.Decompose(text, loops, "p", type);
        LoopText.Bind(writer, loops, at);
        text.Line($"{total.TypeName} {all} = {total.Start};");
        text.Line("#pragma unroll 4");
        text.Open(shared ? Number($"for ({step} r = threadIdx.x % {Warp}; r < {text.Extent(length)}; r += {Warp})") : $"for ({step} r = 0; r < {text.Extent(length)}; r++)");
        string[] inside = LoopText.Decompose(text, reduced, "r", step);
        LoopText.Bind(writer, reduced, inside);
        writer.Scope(() => text.Line(total.Take(all, writer.Value(nest.Body!), inside.Length > 0 ? inside[^1] : "0")));
        text.Close();
        if (shared) text.Line(Number($"{all} = trt::join_lanes<{total.Operation}, {Warp}>({all});"));
        ScalarWriter result = new(text, analysis);
        LoopText.Bind(result, outer, counters);
        LoopText.Bind(result, loops, at);
        result.Bind(time, "t");
        result.GiveReduced(total.Result(all), false);
        if (shared) text.Open(Number($"if (threadIdx.x % {Warp} == 0)"));
        result.Scope(() => result.Store(nest.Result));
        if (shared) text.Close();
        text.Close();
    }

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
