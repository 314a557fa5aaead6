using System.Globalization;
using System.Numerics;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// Nests that reduce. Where what is reduced lies side by side, neighbouring threads share an output (8 threads to a block of 1024, by the length); elsewhere each thread has outputs of its own
/// that lie side by side, and the reduction is split among rows of threads where outputs alone would not fill the device.
/// </summary>
internal static class ReduceKernel
{
    private const int Block = 256;

    public static KernelLaunch Write(NestAnalysis analysis)
    {
        IReadOnlyList<LoopAxis> space = analysis.Collapse(analysis.SpaceInMemoryOrder());
        IReadOnlyList<LoopAxis> reduced = analysis.Collapse(ReducedInMemoryOrder(analysis));
        long outputs = analysis.Options.Guess(LoopText.Count(space)), count = analysis.Options.Guess(LoopText.Count(reduced));
        // What is read most decides: a window's weights lie side by side, but they are few.
        LinearAccess? main = Ex.Loads(analysis.Nest.Body).Select(analysis.Access).Where(a => reduced.Any(r => !GeneratorOptions.Is(r.Factor(a), 0)))
            .MaxBy(a => space.Concat(reduced).Where(l => !GeneratorOptions.Is(l.Factor(a), 0)).Aggregate(1.0, (n, l) => n * analysis.Options.Guess(l.Extent)));
        bool alongReduced = reduced.Count > 0 && main is not null && GeneratorOptions.Is(reduced[^1].Factor(main), 1);
        bool alongSpace = space.Count > 0 && main is not null && GeneratorOptions.Is(space[^1].Factor(main), 1);
        bool shared = count >= 16 && ((alongReduced && !alongSpace) || space.Count == 0 || (outputs < analysis.Options.Multiprocessors && !alongSpace));
        return shared ? WriteShared(analysis, space, reduced, outputs, count) : WriteOwn(analysis, space, reduced, outputs, count);
    }

    private static IReadOnlyList<Axis> ReducedInMemoryOrder(NestAnalysis analysis)
    {
        List<Axis> axes = [.. analysis.Nest.Reduced.Where(a => !GeneratorOptions.Is(a.Extent, 1))];
        LinearAccess? main = Ex.Loads(analysis.Nest.Body).Select(analysis.Access).OrderByDescending(a => axes.Count(x => !GeneratorOptions.Is(a.Factor(x), 0))).FirstOrDefault();
        if (main is null) return axes;
        for (int i = 1; i < axes.Count; i++)
        {
            for (int k = i; k > 0 && NestAnalysis.IsFarther(main.Factor(axes[k]), main.Factor(axes[k - 1])); k--) (axes[k], axes[k - 1]) = (axes[k - 1], axes[k]);
        }
        return axes;
    }

    /// <summary>A group of threads for each output.</summary>
    private static KernelLaunch WriteShared(NestAnalysis analysis, IReadOnlyList<LoopAxis> space, IReadOnlyList<LoopAxis> reduced, long outputs, long count)
    {
        Accumulator total = new(analysis.Nest, analysis.Options);
        LoopAxis inner = reduced[^1];
        int lanes = SharedLanes(analysis, inner);
        long steps = Math.Max(1, count / lanes / (outputs >= analysis.Options.Multiprocessors * 16L ? 4 : 1));
        int group = (int)Math.Clamp((long)BitOperations.RoundUpToPowerOf2((ulong)steps), 8, 1024);
        int threads = Math.Max(Block, group);
        if (group is > 32 and < Block) threads = group;
        int perBlock = threads / group;
        KernelText text = new(analysis.Options, [analysis.Nest.Target.Storage]);
        DimExpr points = LoopText.Count(space), length = LoopText.Count(reduced.Take(reduced.Count - 1)) * (lanes == 1 ? inner.Extent : DimExpr.FloorDiv(inner.Extent, lanes));
        string type = LoopText.IndexType(text, points), step = LoopText.IndexType(text, LoopText.Count(reduced));
        if (group > 32) text.Line(Number($"__shared__ {total.TypeName} scratch[{group / 32}];"));
        string output = perBlock == 1 ? $"({type})blockIdx.x" : Number($"({type})blockIdx.x * {perBlock} + threadIdx.x / {group}");
        text.Line($"const {type} at = {output};");
        text.Wait();
        if (!points.IsConstant) text.Line($"if ({text.Extent(points)} == 0) return;");
        // Threads past the last output stay, since their warp's others need them.
        text.Line(perBlock == 1 ? $"const {type} o = at;" : $"const {type} o = at < {text.Extent(points)} ? at : {text.Extent(points)} - 1;");
        text.Line(perBlock == 1 ? "const int t = threadIdx.x;" : Number($"const int t = threadIdx.x % {group};"));
        string[] counters = LoopText.Decompose(text, space, "o", type);
        ScalarWriter body = new(text, analysis, lanes, lanes > 1 ? inner : null);
        LoopText.Bind(body, space, counters);
        body.Declare(total.TypeName, "total");
        body.PerLane($"{body.Lane("total")} = {total.Start};");
        body.Flush();
        bool isLong = total.IsFloatSum && count / group / lanes > Accumulator.LongestChain;
        string sum = isLong ? "part" : "total";
        string last = text.Extent(length);
        if (isLong)
        {
            text.Open(Number($"for ({step} r0 = t; r0 < {last}; r0 += {group * Accumulator.LongestChain})"));
            body.Declare(total.TypeName, "part");
            body.PerLane($"{body.Lane("part")} = {total.Start};");
            body.Flush();
            text.Line(Number($"const {step} end = r0 + {group * Accumulator.LongestChain} < {last} ? r0 + {group * Accumulator.LongestChain} : {last};"));
        }
        text.Line("#pragma unroll 4");
        text.Open(Number($"for ({step} r = {(isLong ? "r0" : "t")}; r < {(isLong ? "end" : last)}; r += {group})"));
        string[] inside = LoopText.Decompose(text, reduced, "r", step, lanes);
        LoopText.Bind(body, reduced, inside);
        body.Scope(() => body.PerLane(total.Take(body.Lane(sum), body.Value(analysis.Nest.Body!), lanes > 1 ? $"{inside[^1]} + l" : inside[^1])));
        text.Close();
        if (isLong)
        {
            body.PerLane($"{body.Lane("total")} += {body.Lane("part")};");
            body.Flush();
            text.Close();
        }
        text.Line($"{total.TypeName} all = {(lanes > 1 ? "total[0]" : "total")};");
        if (lanes > 1) text.Line(Number($"for (int l = 1; l < {lanes}; l++) all = {total.Join("all", "total[l]")};"));
        text.Line(group > 32 ? Number($"all = trt::join_block<{total.Operation}, {group}>(all, scratch);") : Number($"all = trt::join_lanes<{total.Operation}, {group}>(all);"));
        text.Open(perBlock == 1 ? "if (t == 0)" : $"if (t == 0 && at < {text.Extent(points)})");
        ScalarWriter result = new(text, analysis);
        LoopText.Bind(result, space, counters);
        result.GiveReduced(total.Result("all"), false);
        result.Store(analysis.Nest.Result);
        text.Close();
        return text.Finish(analysis.Nest.Name, "trt_reduce", [LoopText.Blocks(points, perBlock)], threads);
    }

    private static int SharedLanes(NestAnalysis analysis, LoopAxis inner)
    {
        LinearAccess[] read = [.. Ex.Loads(analysis.Nest.Body).Select(analysis.Access)];
        foreach (int lanes in (int[])[16, 8, 4, 2])
        {
            if (!GeneratorOptions.IsDivisible(inner.Extent, lanes)) continue;
            LinearAccess[] wide = [.. read.Where(a => ScalarWriter.IsVector(a, inner, lanes, analysis))];
            if (wide.Length > 0 && lanes * wide.Min(a => a.View.Type.BitSize()) <= 128 && lanes * wide.Max(a => a.View.Type.BitSize()) <= 256) return lanes;
        }
        return 1;
    }

    /// <summary>Outputs of their own for each thread; rows of threads split the reduction where there are few.</summary>
    private static KernelLaunch WriteOwn(NestAnalysis analysis, IReadOnlyList<LoopAxis> space, IReadOnlyList<LoopAxis> reduced, long outputs, long count)
    {
        Accumulator total = new(analysis.Nest, analysis.Options);
        int lanes = OwnLanes(analysis, space, outputs);
        int splits = 1;
        long first = reduced.Count == 0 ? 1 : analysis.Options.Guess(reduced[0].Extent);
        while (splits < 16 && first / (splits * 2) >= 4 && outputs / lanes * splits < analysis.Options.Multiprocessors * 1024L) splits *= 2;
        int threads = splits > 1 || outputs / lanes > analysis.Options.Multiprocessors * 128L ? Block : 128, columns = threads / splits;
        KernelText text = new(analysis.Options, [analysis.Nest.Target.Storage]);
        DimExpr points = lanes == 1 ? LoopText.Count(space) : LoopText.Count(space.Take(space.Count - 1)) * DimExpr.FloorDiv(space[^1].Extent, lanes);
        string type = LoopText.IndexType(text, points * lanes);
        if (splits > 1) text.Line(Number($"__shared__ {total.TypeName} scratch[{splits - 1}][{lanes}][{columns}];"));
        text.Line(splits > 1 ? Number($"const int column = threadIdx.x % {columns}, row = threadIdx.x / {columns};") : "const int column = threadIdx.x;");
        text.Line(Number($"const {type} p = ({type})blockIdx.x * {columns} + column;"));
        string[] Place() => LoopText.Decompose(text, space, "p", type, lanes);
        string[] counters = splits == 1 ? text.Guard($"p >= {text.Extent(points)}", Place) : Place();
        if (splits > 1) text.Wait();
        ScalarWriter body = new(text, analysis, lanes, lanes > 1 ? space[^1] : null);
        LoopText.Bind(body, space, counters);
        body.Declare(total.TypeName, "total");
        body.PerLane($"{body.Lane("total")} = {total.Start};");
        body.Flush();
        if (splits > 1) text.Open($"if (p < {text.Extent(points)})");
        WriteLoops(text, analysis, body, total, reduced, splits, count);
        if (splits > 1)
        {
            text.Close();
            text.Open("if (row > 0)");
            for (int l = 0; l < lanes; l++) text.Line(Number($"scratch[row - 1][{l}][column] = total{(lanes > 1 ? $"[{l}]" : "")};"));
            text.Close();
            text.Line("__syncthreads();");
            text.Line($"if (row > 0 || p >= {text.Extent(points)}) return;");
            text.Line("#pragma unroll");
            text.Open(Number($"for (int s = 0; s < {splits - 1}; s++)"));
            body.PerLane($"{body.Lane("total")} = {total.Join(body.Lane("total"), lanes > 1 ? "scratch[s][l][column]" : "scratch[s][0][column]")};");
            body.Flush();
            text.Close();
        }
        ScalarWriter result = new(text, analysis, lanes, lanes > 1 ? space[^1] : null);
        LoopText.Bind(result, space, counters);
        result.GiveReduced(total.Result(result.Lane("total")), lanes > 1);
        result.Scope(() => result.Store(analysis.Nest.Result));
        return text.Finish(analysis.Nest.Name, "trt_reduce", [LoopText.Blocks(points, columns)], threads);
    }

    private static void WriteLoops(KernelText text, NestAnalysis analysis, ScalarWriter body, Accumulator total, IReadOnlyList<LoopAxis> reduced, int splits, long count)
    {
        string sum = "total";
        bool isLong = total.IsFloatSum && count / splits > Accumulator.LongestChain && reduced.Count > 0;
        for (int i = 0; i < reduced.Count; i++)
        {
            string type = LoopText.IndexType(text, reduced[i].Extent), counter = text.Name("r"), from = i == 0 && splits > 1 ? "row" : "0", last = text.Extent(reduced[i].Extent);
            int step = i == 0 ? splits : 1;
            bool innermost = i == reduced.Count - 1;
            if (innermost && isLong)
            {
                text.Open(Number($"for ({type} part0 = {from}; part0 < {last}; part0 += {step * Accumulator.LongestChain})"));
                body.Declare(total.TypeName, "part");
                body.PerLane($"{body.Lane("part")} = {total.Start};");
                body.Flush();
                text.Line(Number($"const {type} end = part0 + {step * Accumulator.LongestChain} < {last} ? part0 + {step * Accumulator.LongestChain} : {last};"));
                (sum, from, last) = ("part", "part0", "end");
            }
            bool isShort = reduced[i].Extent.TryGetValue(out long extent) && extent <= 4 && step == 1;
            text.Line(isShort ? "#pragma unroll" : innermost ? "#pragma unroll 4" : "#pragma unroll 1");
            text.Open(Number($"for ({type} {counter} = {from}; {counter} < {last}; {counter} += {step})"));
            body.Bind(reduced[i], counter);
        }
        string place = reduced.Count > 0 ? body.CounterOf(reduced[^1]) : "0";
        body.Scope(() => body.PerLane(total.Take(body.Lane(sum), body.Value(analysis.Nest.Body!), place)));
        for (int i = 0; i < reduced.Count; i++)
        {
            text.Close();
            if (i > 0 || !isLong) continue;
            body.PerLane($"{body.Lane("total")} += {body.Lane("part")};");
            body.Flush();
            text.Close();
        }
    }

    private static int OwnLanes(NestAnalysis analysis, IReadOnlyList<LoopAxis> space, long outputs)
    {
        if (space.Count == 0) return 1;
        LoopAxis inner = space[^1];
        LinearAccess[] read = [.. Ex.Loads(analysis.Nest.Body).Select(analysis.Access)];
        foreach (int lanes in (int[])[16, 8, 4, 2])
        {
            if (!GeneratorOptions.IsDivisible(inner.Extent, lanes)) continue;
            LinearAccess[] wide = [.. read.Where(a => ScalarWriter.IsVector(a, inner, lanes, analysis))];
            if (wide.Length == 0 || lanes * wide.Min(a => a.View.Type.BitSize()) > 128 || lanes * wide.Max(a => a.View.Type.BitSize()) > 256 || (lanes == 16 && analysis.Nest.Body!.Type.IsFloat())) continue;
            if (lanes > 2 && outputs / lanes < analysis.Options.Multiprocessors * 64L) continue;
            return lanes;
        }
        return 1;
    }

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
