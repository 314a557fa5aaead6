using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Maps that read something whose neighbours lie along another axis than the target's: square tiles go through shared memory, so that both sides are read and written in whole lines.</summary>
internal static class TransposeKernel
{
    public const int Threads = 256, MostShared = 48 << 10;

    private const int Tile = 64, MinimumExtent = 16;

    /// <summary>The loops and what is read across them; a block of <see cref="Threads"/> threads takes a tile.</summary>
    public sealed record Plan(IReadOnlyList<LoopAxis> Loops, LoopAxis Inner, LoopAxis Outer, LoadExpr[] Crossing, int Tile)
    {
        public LoopAxis[] Rest => [.. Loops.Where(l => l != Inner && l != Outer)];

        public DimExpr Blocks => DimExpr.CeilDiv(Inner.Extent, Tile) * DimExpr.CeilDiv(Outer.Extent, Tile) * LoopText.Count(Rest);

        public int SharedBytes => Crossing.Sum(c => (TileBytes(c) + 15) / 16 * 16);

        public int TileBytes(LoadExpr load) => Tile * (Tile + Pad(load)) * load.Source.Type.BitSize() / 8;
    }

    public static KernelLaunch? TryWrite(NestAnalysis analysis, IReadOnlyList<LoopAxis> loops)
    {
        if (TryPlan(analysis, loops) is not { } plan) return null;
        KernelText text = new(analysis.Options, [analysis.Nest.Target.Storage]);
        Write(text, analysis, plan);
        return text.Finish(analysis.Nest.Name, "trt_transpose", [LoopText.Blocks(plan.Blocks, 1)], Threads);
    }

    /// <summary>Null where nothing is transposed, or an axis is too short for a tile.</summary>
    public static Plan? TryPlan(NestAnalysis analysis, IReadOnlyList<LoopAxis> loops)
    {
        if (loops.Count < 2 || !GeneratorOptions.Is(loops[^1].Factor(analysis.Target), 1) || ElementText.IsPacked(analysis.Nest.Target.Type)) return null;
        LoopAxis inner = loops[^1];
        List<LoadExpr> unconditional = [];
        Collect(analysis, analysis.Nest.Result, unconditional, new HashSet<Expr>(ReferenceEqualityComparer.Instance));
        LoadExpr[] crossing = [.. unconditional.Where(l => analysis.Access(l) is { Terms.Count: 0 } access && !ElementText.IsPacked(access.View.Type) && !GeneratorOptions.Is(inner.Factor(access), 1) && !GeneratorOptions.Is(inner.Factor(access), 0))];
        // The outer axis that is innermost for most of them.
        LoopAxis? outer = loops.Take(loops.Count - 1).Where(l => crossing.Any(c => GeneratorOptions.Is(l.Factor(analysis.Access(c)), 1))).OrderByDescending(l => crossing.Count(c => GeneratorOptions.Is(l.Factor(analysis.Access(c)), 1))).FirstOrDefault();
        if (outer is null || analysis.Options.Guess(inner.Extent) < MinimumExtent || analysis.Options.Guess(outer.Extent) < MinimumExtent) return null;
        crossing = [.. crossing.Where(c => GeneratorOptions.Is(outer.Factor(analysis.Access(c)), 1))];
        int tile = crossing.Sum(c => c.Source.Type.BitSize()) > 64 ? Tile / 2 : Tile;
        return crossing.Sum(c => (long)tile * (tile + Pad(c)) * c.Source.Type.BitSize() / 8) > MostShared ? null : new Plan(loops, inner, outer, crossing, tile);
    }

    // A row more of 4 bytes, so that a column's elements lie in different banks.
    private static int Pad(LoadExpr load) => Math.Max(1, 32 / load.Source.Type.BitSize());

    /// <param name="block">The text of the block's number; null: it is the launch's.</param>
    /// <param name="buffer">Shared memory to use, which all threads have left; null: arrays of its own.</param>
    public static void Write(KernelText text, NestAnalysis analysis, Plan plan, string? block = null, string? buffer = null)
    {
        (IReadOnlyList<LoopAxis> loops, LoopAxis inner, LoopAxis outer, LoadExpr[] crossing, int tile) = plan;
        LoopAxis[] rest = plan.Rest;
        DimExpr innerTiles = DimExpr.CeilDiv(inner.Extent, tile), outerTiles = DimExpr.CeilDiv(outer.Extent, tile);
        string type = LoopText.IndexType(text, LoopText.Count(loops));
        string[] shared = [.. crossing.Select(c => text.Name("s"))];
        int used = 0;
        for (int i = 0; i < crossing.Length; i++)
        {
            string element = ElementText.TypeName(crossing[i].Source.Type);
            int width = tile + Pad(crossing[i]);
            text.Line(buffer is null ? Number($"__shared__ {element} {shared[i]}[{tile}][{width}];") : Number($"{element} (&{shared[i]})[{tile}][{width}] = *reinterpret_cast<{element} (*)[{tile}][{width}]>({buffer} + {used});"));
            used += (plan.TileBytes(crossing[i]) + 15) / 16 * 16;
        }
        text.Line($"const {type} b = {block ?? "blockIdx.x"};");
        LoopAxis innerTile = new(inner.Members, innerTiles), outerTile = new(outer.Members, outerTiles);
        string[] counters = LoopText.Decompose(text, [.. rest, outerTile, innerTile], "b", type);
        text.Line(Number($"const {type} outer0 = {counters[^2]} * {tile}, inner0 = {counters[^1]} * {tile};"));

        text.Wait();
        int read = ReadLanes(analysis, outer, crossing, tile), write = WriteLanes(analysis, inner, tile);
        text.Line("#pragma unroll");
        text.Open(Number($"for (int t = threadIdx.x; t < {tile * tile / read}; t += {Threads})"));
        text.Line(Number($"const int row = t / {tile / read}, column = t % {tile / read} * {read};"));
        text.Line($"const {type} i = inner0 + row, o = outer0 + column;");
        text.Open($"if (i < {text.Extent(inner.Extent)} && o < {text.Extent(outer.Extent)})");
        ScalarWriter reader = new(text, analysis, read, outer);
        LoopText.Bind(reader, [.. rest, outer, inner], [.. counters[..^2], "o", "i"]);
        reader.Scope(() =>
        {
            for (int c = 0; c < crossing.Length; c++) Copy(text, analysis, reader, crossing[c], shared[c], read);
        });
        text.Close();
        text.Close();
        text.Line("__syncthreads();");
        text.Line("#pragma unroll");
        text.Open(Number($"for (int t = threadIdx.x; t < {tile * tile / write}; t += {Threads})"));
        text.Line(Number($"const int row = t % {tile / write} * {write}, column = t / {tile / write};"));
        text.Line($"const {type} i = inner0 + row, o = outer0 + column;");
        text.Open($"if (i < {text.Extent(inner.Extent)} && o < {text.Extent(outer.Extent)})");
        ScalarWriter writer = new(text, analysis, write, inner);
        LoopText.Bind(writer, [.. rest, outer, inner], [.. counters[..^2], "o", "i"]);
        writer.Scope(() =>
        {
            for (int c = 0; c < crossing.Length; c++)
            {
                string value = text.Name("v");
                writer.Declare(writer.TypeOf(crossing[c]), value);
                writer.PerLane($"{writer.Lane(value)} = trt::load({shared[c]}[row{(write > 1 ? " + l" : "")}][column]);");
                writer.Give(crossing[c], value, write > 1);
            }
            writer.Store(analysis.Nest.Result);
        });
        text.Close();
        text.Close();
    }

    private static void Copy(KernelText text, NestAnalysis analysis, ScalarWriter reader, LoadExpr load, string shared, int lanes)
    {
        LinearAccess access = analysis.Access(load);
        string pointer = text.Pointer(access.View.Storage, access.View.Offset, Access.Read), place = reader.Place(access), element = ElementText.TypeName(access.View.Type);
        if (lanes == 1)
        {
            text.Line($"{shared}[row][column] = {pointer}[{place}];");
            return;
        }
        string pack = text.Name("p");
        text.Line(Number($"trt::Pack<{element}, {lanes}> {pack};"));
        text.Line($"{pack}.read({pointer} + {place});");
        reader.PerLane($"{shared}[row][column + l] = {pack}.items[l];");
    }

    private static int ReadLanes(NestAnalysis analysis, LoopAxis outer, LoadExpr[] crossing, int tile)
    {
        foreach (int lanes in (int[])[8, 4, 2])
        {
            if (crossing.All(c => lanes * c.Source.Type.BitSize() <= 128 && GeneratorOptions.IsDivisible(outer.Extent, lanes) && ScalarWriter.IsVector(analysis.Access(c), outer, lanes, analysis)) && tile % lanes == 0) return lanes;
        }
        return 1;
    }

    private static int WriteLanes(NestAnalysis analysis, LoopAxis inner, int tile)
    {
        foreach (int lanes in (int[])[8, 4, 2])
        {
            if (lanes * analysis.Nest.Target.Type.BitSize() <= 128 && GeneratorOptions.IsDivisible(inner.Extent, lanes) && ScalarWriter.IsVector(analysis.Target, inner, lanes, analysis) && tile % lanes == 0) return lanes;
        }
        return 1;
    }

    /// <summary>Loads that every point reaches.</summary>
    private static void Collect(NestAnalysis analysis, Expr expr, List<LoadExpr> loads, HashSet<Expr> seen)
    {
        if (!seen.Add(expr)) return;
        if (expr is LoadExpr load && analysis.IsSafe(load)) loads.Add(load);
        if (expr is SelectExpr select && !(analysis.IsSafe(select.WhenTrue) && analysis.IsSafe(select.WhenFalse)))
        {
            Collect(analysis, select.Condition, loads, seen);
            return;
        }
        foreach (Expr operand in expr.Operands) Collect(analysis, operand, loads, seen);
    }

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
