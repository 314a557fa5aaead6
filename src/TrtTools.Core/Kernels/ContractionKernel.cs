using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// Sums of products whose factors lie along different outputs (matrix products, convolutions): tiles of both factors go through shared memory, each thread keeps 4×4 sums. No tensor cores: it is exact in
/// Float32 and serves every type.
/// </summary>
internal static class ContractionKernel
{
    private const int Tile = 64, Depth = 16, Threads = 256, Own = 4;

    private sealed record Factors(Expr Rows, Expr Columns, IReadOnlyList<LoopAxis> RowLoops, IReadOnlyList<LoopAxis> ColumnLoops, IReadOnlyList<LoopAxis> BatchLoops, IReadOnlyList<LoopAxis> Depth);

    /// <summary>Null where the nest is no such sum, or too small along one side.</summary>
    public static KernelLaunch? TryWrite(NestAnalysis analysis) => Split(analysis) is { } factors ? Write(analysis, factors) : null;

    private static Factors? Split(NestAnalysis analysis)
    {
        LoopNest nest = analysis.Nest;
        if (nest.Combine != Combiner.Sum || nest.Place is not null || ElementText.IsPacked(nest.Target.Type)) return null;
        (Expr Left, Expr Right)? product = nest.Body switch
        {
            CallExpr { Function.Name: "mul" } call => (call.Operands[0], call.Operands[1]),
            // A guard around the product guards one factor as well.
            SelectExpr { Condition: { } inside, WhenTrue: CallExpr { Function.Name: "mul" } call, WhenFalse: ConstantExpr { Number: 0, Integer: 0 } zero } => (new SelectExpr(inside, call.Operands[0], zero), call.Operands[1]),
            _ => null,
        };
        if (product is not { } found || !analysis.IsSafe(found.Right)) return null;
        HashSet<Axis> left = analysis.Dependencies(found.Left), right = analysis.Dependencies(found.Right);
        IReadOnlyList<Axis> space = analysis.SpaceInMemoryOrder();
        Axis[] rows = [.. space.Where(a => left.Contains(a) && !right.Contains(a))], columns = [.. space.Where(a => right.Contains(a) && !left.Contains(a))];
        if (rows.Length == 0 || columns.Length == 0) return null;
        (Expr rowFactor, Expr columnFactor) = found;
        // Stores run along the columns: they take the target's innermost axis.
        if (ReferenceEquals(space[^1], rows[^1])) (rows, columns, rowFactor, columnFactor) = (columns, rows, columnFactor, rowFactor);
        Axis[] batch = [.. space.Where(a => !rows.Contains(a) && !columns.Contains(a))], depth = [.. nest.Reduced];
        Factors factors = new(rowFactor, columnFactor, analysis.Collapse(rows), analysis.Collapse(columns), analysis.Collapse(batch), analysis.Collapse(depth));
        GeneratorOptions options = analysis.Options;
        return factors.Depth.Count > 0 && options.Guess(LoopText.Count(factors.RowLoops)) >= 8 && options.Guess(LoopText.Count(factors.ColumnLoops)) >= 8 && options.Guess(LoopText.Count(factors.Depth)) >= 8 ? factors : null;
    }

    private static KernelLaunch Write(NestAnalysis analysis, Factors factors)
    {
        KernelText text = new(analysis.Options, [analysis.Nest.Target.Storage]);
        DimExpr rows = LoopText.Count(factors.RowLoops), columns = LoopText.Count(factors.ColumnLoops), depth = LoopText.Count(factors.Depth), batch = LoopText.Count(factors.BatchLoops);
        DimExpr rowTiles = DimExpr.CeilDiv(rows, Tile), columnTiles = DimExpr.CeilDiv(columns, Tile);
        string type = LoopText.IndexType(text, rows * columns * batch), depthType = LoopText.IndexType(text, depth), depthText = text.Extent(depth);
        string element = ElementText.TypeName(analysis.Nest.Body!.Type, narrow: false), total = element;
        IntegerRanges ranges = new(analysis.Options);
        if (element == "trt::i64" && ranges.IsNarrow(factors.Rows) && ranges.IsNarrow(factors.Columns)) element = "int";
        if (element == "int" && ranges.SumIsNarrow(analysis.Nest.Body, analysis.Options.Range(depth)?.High)) total = "int";

        text.Line(Number($"__shared__ {element} a[{Depth}][{Tile} + 4], b[{Depth}][{Tile} + 4];"));
        text.Line($"const {type} block = blockIdx.x, rest = block / {text.Extent(columnTiles)};");
        text.Line(Number($"const {type} column0 = (block - rest * {text.Extent(columnTiles)}) * {Tile}, batch = rest / {text.Extent(rowTiles)}, row0 = (rest - batch * {text.Extent(rowTiles)}) * {Tile};"));
        string[] batchCounters = LoopText.Decompose(text, factors.BatchLoops, "batch", type);
        text.Line(Number($"const int tx = threadIdx.x % {Tile / Own}, ty = threadIdx.x / {Tile / Own};"));
        text.Line(Number($"{total} sum[{Own}][{Own}] = {{}};"));
        text.Line(Number($"{element} nextA[{Own}], nextB[{Own}];"));
        text.Open(Number($"for ({depthType} k0 = 0; k0 < {depthText} + {Depth}; k0 += {Depth})"));
        text.Open("if (k0 > 0)");
        text.Line("__syncthreads();");
        WriteToShared(text, analysis, factors, true);
        WriteToShared(text, analysis, factors, false);
        text.Line("__syncthreads();");
        text.Close();
        text.Open($"if (k0 < {depthText})");
        LoadTile(text, analysis, factors, true, batchCounters, type, depthType, element);
        LoadTile(text, analysis, factors, false, batchCounters, type, depthType, element);
        text.Close();
        text.Line("if (k0 == 0) continue;");
        text.Line("#pragma unroll");
        text.Open(Number($"for (int k = 0; k < {Depth}; k++)"));
        text.Line(Number($"{element} u[{Own}], w[{Own}];"));
        text.Line("#pragma unroll");
        text.Line(Number($"for (int i = 0; i < {Own}; i++) u[i] = a[k][ty * {Own} + i];"));
        text.Line("#pragma unroll");
        text.Line(Number($"for (int j = 0; j < {Own}; j++) w[j] = b[k][tx + {Tile / Own} * j];"));
        text.Line("#pragma unroll");
        text.Open(Number($"for (int i = 0; i < {Own}; i++)"));
        text.Line("#pragma unroll");
        text.Line(Number($"for (int j = 0; j < {Own}; j++) sum[i][j] += ({total})u[i] * w[j];"));
        text.Close();
        text.Close();
        text.Close();

        text.Line("#pragma unroll");
        text.Open(Number($"for (int i = 0; i < {Own}; i++)"));
        text.Line(Number($"const {type} row = row0 + ty * {Own} + i;"));
        text.Line($"if (row >= {text.Extent(rows)}) continue;");
        string[] rowCounters = LoopText.Decompose(text, factors.RowLoops, "row", type);
        text.Line("#pragma unroll");
        text.Open(Number($"for (int j = 0; j < {Own}; j++)"));
        text.Line(Number($"const {type} column = column0 + tx + {Tile / Own} * j;"));
        text.Line($"if (column >= {text.Extent(columns)}) continue;");
        string[] columnCounters = LoopText.Decompose(text, factors.ColumnLoops, "column", type);
        ScalarWriter writer = new(text, analysis);
        LoopText.Bind(writer, factors.BatchLoops, batchCounters);
        LoopText.Bind(writer, factors.RowLoops, rowCounters);
        LoopText.Bind(writer, factors.ColumnLoops, columnCounters);
        writer.GiveReduced(total == "int" ? "(trt::i64)sum[i][j]" : "sum[i][j]", false);
        writer.Scope(() => writer.Store(analysis.Nest.Result));
        text.Close();
        text.Close();
        return text.Finish(analysis.Nest.Name, "trt_contract", [LoopText.Blocks(rowTiles * columnTiles * batch, 1)], Threads);
    }

    /// <summary>Whether neighbouring threads walk the depth rather than the rows or columns: where a factor's neighbours lie.</summary>
    private static bool AlongDepth(NestAnalysis analysis, Factors factors, bool isRows) =>
        Ex.Loads(isRows ? factors.Rows : factors.Columns).Select(analysis.Access).Any(a => GeneratorOptions.Is(factors.Depth[^1].Factor(a), 1));

    private static (string Place, string Depth) Positions(NestAnalysis analysis, Factors factors, bool isRows) => AlongDepth(analysis, factors, isRows)
        ? (Number($"(threadIdx.x / {Depth} + {Threads / Depth} * s)"), Number($"(threadIdx.x % {Depth})"))
        : (Number($"(threadIdx.x % {Tile})"), Number($"(threadIdx.x / {Tile} + {Threads / Tile} * s)"));

    private static void WriteToShared(KernelText text, NestAnalysis analysis, Factors factors, bool isRows)
    {
        (string place, string depth) = Positions(analysis, factors, isRows);
        text.Line("#pragma unroll");
        text.Line(Number($"for (int s = 0; s < {Own}; s++) {(isRows ? "a" : "b")}[{depth}][{place}] = {(isRows ? "nextA" : "nextB")}[s];"));
    }

    private static void LoadTile(KernelText text, NestAnalysis analysis, Factors factors, bool isRows, string[] batchCounters, string type, string depthType, string element)
    {
        IReadOnlyList<LoopAxis> loops = isRows ? factors.RowLoops : factors.ColumnLoops;
        (string place, string depth) = Positions(analysis, factors, isRows);
        text.Line("#pragma unroll");
        text.Open(Number($"for (int s = 0; s < {Own}; s++)"));
        text.Line($"const {type} at = {(isRows ? "row0" : "column0")} + {place};");
        text.Line($"const {depthType} k = k0 + {depth};");
        text.Line($"{element} value = 0;");
        text.Open($"if (at < {text.Extent(LoopText.Count(loops))} && k < {text.Extent(LoopText.Count(factors.Depth))})");
        ScalarWriter writer = new(text, analysis);
        LoopText.Bind(writer, factors.BatchLoops, batchCounters);
        LoopText.Bind(writer, loops, LoopText.Decompose(text, loops, "at", type));
        LoopText.Bind(writer, factors.Depth, LoopText.Decompose(text, factors.Depth, "k", depthType));
        writer.Scope(() => text.Line($"value = {writer.Value(isRows ? factors.Rows : factors.Columns)};"));
        text.Close();
        text.Line($"{(isRows ? "nextA" : "nextB")}[s] = value;");
        text.Close();
    }

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
