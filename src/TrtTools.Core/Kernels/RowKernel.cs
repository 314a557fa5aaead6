using System.Globalization;
using System.Numerics;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// One kernel for a region over rows: a group of threads takes a row through all nests. What the row's elements are stays in registers between the nests where the row's length is known and short enough;
/// longer rows are read again. Groups of up to a warp share a block with others.
/// </summary>
internal sealed class RowKernel
{
    private const int Block = 256, MostChunks = 8, WarpChunks = 4, MostPreloaded = 32;

    private static readonly string[] s_expensive = ["exp", "log", "tanh", "erf", "pow", "sqrt", "rsqrt", "sin", "cos", "div", "log1p", "expm1"];

    private readonly RowNests _rows;
    private readonly NestAnalysis[] _analyses;
    private readonly KernelText _text;
    private readonly IReadOnlyList<LoopAxis> _outer;
    private readonly IReadOnlyList<LoopAxis> _row;
    private readonly int _lanes;
    private readonly int _group;
    private readonly int _block = Block;
    private readonly int _chunks;
    private readonly DimExpr _points;
    private readonly DimExpr _length;
    private readonly Dictionary<Storage, string> _statistics = [];
    // What is kept of a row: names of arrays with an element for each chunk.
    private readonly List<(LinearAccess Access, string Name)> _kept = [];
    private readonly List<(Expr Value, string Name)> _computed = [];
    private string[] _counters = [];
    private string _type = "";
    private string _step = "";

    private RowKernel(RowNests rows, NestAnalysis[] analyses, GeneratorOptions options, IReadOnlyList<LoopAxis> outer, IReadOnlyList<LoopAxis> row)
    {
        (_rows, _analyses, _outer, _row) = (rows, analyses, outer, row);
        _text = new KernelText(options, [.. rows.Nests.Select(n => n.Target.Storage)]);
        _lanes = Lanes(analyses, row[^1]);
        _points = LoopText.Count(outer);
        _length = LoopText.Count(row.Take(row.Count - 1)) * (_lanes == 1 ? row[^1].Extent : DimExpr.FloorDiv(row[^1].Extent, _lanes));
        long length = Math.Max(1, options.Guess(_length)), points = options.Guess(_points);
        // Few rows spread over more threads; many rows keep their threads busy with several vectors each.
        long each = points >= options.Multiprocessors * 16L ? 4 : points >= options.Multiprocessors * 4L ? 2 : 1;
        _group = (int)Math.Clamp((long)BitOperations.RoundUpToPowerOf2((ulong)((length + each - 1) / each)), 8, 1024);
        // Two blocks of half the size overlap their phases; one of 1024 threads has a multiprocessor to itself.
        while (_group > 256 && points >= options.Multiprocessors * 2L && (length + (_group / 2) - 1) / (_group / 2) <= MostChunks) _group /= 2;
        if (_group is > 32 and <= 64 && points >= options.Multiprocessors * 16L) _group = 32;
        // A warp needs no shared memory and no barriers, and has the row's loads in flight at once.
        if (_group > 32 && options.Programmatic && length <= 32 * WarpChunks) _group = 32;
        if (options.Programmatic && _group == 32) _block = (int)Math.Clamp((long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(1, points / options.Multiprocessors)), 1, 8) * 32;
        long chunks = (length + _group - 1) / _group;
        _chunks = _length.IsConstant && chunks <= MostChunks ? (int)chunks : 0;
    }

    /// <summary>Null where the region's nests do not share rows, or the rows' elements do not lie side by side.</summary>
    public static KernelLaunch? TryWrite(Region region, GeneratorOptions options)
    {
        if (RowNests.TryFind(region.Nests) is not { } rows) return null;
        NestAnalysis[] analyses = [.. rows.Nests.Select(n => new NestAnalysis(n, options))];
        LinearAccess[] elements = [.. analyses.SelectMany(a => a.Loads.Where(l => !rows.IsStatistic(l.Source.Storage)).Select(a.Access))];
        IReadOnlyList<Axis> order = InMemoryOrder(rows.Row, elements);
        IReadOnlyList<LoopAxis> outer = NestAnalysis.Collapse(rows.Outer, analyses), row = NestAnalysis.Collapse(order, analyses);
        if (row.Count == 0 || !elements.Any(a => GeneratorOptions.Is(row[^1].Factor(a), 1))) return null;
        return new RowKernel(rows, analyses, options, outer, row).Write(region.Name);
    }

    private static List<Axis> InMemoryOrder(IReadOnlyList<Axis> row, LinearAccess[] elements)
    {
        List<Axis> axes = [.. row];
        LinearAccess? main = elements.OrderByDescending(a => axes.Count(x => !GeneratorOptions.Is(a.Factor(x), 0))).FirstOrDefault();
        for (int i = 1; main is not null && i < axes.Count; i++)
        {
            for (int k = i; k > 0 && NestAnalysis.IsFarther(main.Factor(axes[k]), main.Factor(axes[k - 1])); k--) (axes[k], axes[k - 1]) = (axes[k - 1], axes[k]);
        }
        return axes;
    }

    private static int Lanes(NestAnalysis[] analyses, LoopAxis inner)
    {
        foreach (int lanes in (int[])[8, 4, 2])
        {
            if (!GeneratorOptions.IsDivisible(inner.Extent, lanes)) continue;
            int[] bits = [.. analyses.SelectMany(a => a.Loads.Select(a.Access).Append(a.Target).Where(x => ScalarWriter.IsVector(x, inner, lanes, a))).Select(a => a.View.Type.BitSize())];
            if (bits.Length > 0 && lanes * bits.Min() <= 128 && lanes * bits.Max() <= 256) return lanes;
        }
        return 1;
    }

    private KernelLaunch Write(string name)
    {
        int perBlock = _group <= 32 ? _block / _group : 1, threads = _group <= 32 ? _block : _group;
        _type = LoopText.IndexType(_text, _points);
        _step = LoopText.IndexType(_text, LoopText.Count(_row));
        string points = _text.Extent(_points);
        if (!_points.IsConstant && !_text.Options.Programmatic) _text.Line($"if ({points} == 0) return;");
        _text.Line(perBlock == 1 ? $"const {_type} o = blockIdx.x;" : Number($"const {_type} at = ({_type})blockIdx.x * {perBlock} + threadIdx.x / {_group};"));
        // Threads past the last row stay, since their warp's others need them.
        if (perBlock > 1) _text.Line($"const {_type} o = at < {points} ? at : {points} - 1;");
        _text.Line(perBlock == 1 ? "const int t = threadIdx.x;" : Number($"const int t = threadIdx.x % {_group};"));
        if (perBlock > 1) _text.Line($"const bool own = at < {points};");
        _counters = LoopText.Decompose(_text, _outer, "o", _type);
        if (_text.Options.Programmatic)
        {
            Preload();
            _text.Wait();
            if (!_points.IsConstant) _text.Line($"if ({points} == 0) return;");
        }
        for (int i = 0; i < _rows.Nests.Count; i++)
        {
            if (_rows.Nests[i].Reduced.Count > 0) WriteStatistic(i, perBlock);
            else WriteMap(i, perBlock);
        }
        return _text.Finish(name, "trt_row", [LoopText.Blocks(_points, perBlock)], threads);
    }

    /// <summary>Reads what is constant for all rows, such as scales and shifts, before there is anything else to read.</summary>
    private void Preload()
    {
        if (_chunks == 0) return;
        int words = 0;
        List<Axis> own = [.. _row.SelectMany(l => l.Members)];
        foreach (NestAnalysis analysis in _analyses.Where(a => a.Nest.Reduced.Count == 0))
        {
            ScalarWriter writer = new(_text, analysis, _lanes, _lanes > 1 ? _row[^1] : null);
            foreach (LoadExpr load in Reached(analysis, analysis.Nest.Result).OfType<LoadExpr>())
            {
                LinearAccess access = analysis.Access(load);
                if (access.View.Storage.Kind != StorageKind.Weight || access.Terms.Count > 0 || ElementText.IsPacked(access.View.Type) || access.Axes.Count == 0 || !access.Axes.All(own.Contains)) continue;
                if ((_lanes > 1 && !writer.IsVector(access)) || _kept.Any(k => RowNests.SamePlace(k.Access, access))) continue;
                int needed = _chunks * Math.Max(1, _lanes * access.View.Type.BitSize() / 32);
                if (words + needed > MostPreloaded) continue;
                words += needed;
                string name = _text.Name("w");
                _text.Line(Number($"trt::Pack<{ElementText.TypeName(access.View.Type)}, {_lanes}> {name}[{_chunks}];"));
                OpenChunks();
                LoopText.Bind(writer, _row, LoopText.Decompose(_text, _row, "r", _step, _lanes));
                writer.Scope(() => _text.Line($"{name}[c].read({_text.Pointer(access.View.Storage, access.View.Offset, Access.Read)} + {writer.Place(access)});"));
                CloseChunks();
                _kept.Add((access, name));
            }
        }
    }

    private void WriteStatistic(int number, int perBlock)
    {
        NestAnalysis analysis = _analyses[number];
        LoopNest nest = analysis.Nest;
        Accumulator total = new(nest, analysis.Options);
        string sum = _text.Name("sum"), all = _text.Name("all");
        ScalarWriter body = Writer(analysis);
        body.Declare(total.TypeName, sum);
        body.PerLane($"{body.Lane(sum)} = {total.Start};");
        body.Flush();
        OpenChunks();
        string[] inside = LoopText.Decompose(_text, _row, "r", _step, _lanes);
        LoopText.Bind(body, _row, inside);
        body.Scope(() =>
        {
            TakeKept(number, body, nest.Body!);
            body.PerLane(total.Take(body.Lane(sum), body.Value(nest.Body!), _lanes > 1 ? $"{inside[^1]} + l" : inside[^1]));
            KeepComputed(number, body, nest.Body!);
        });
        CloseChunks();
        _text.Line($"{total.TypeName} {all} = {(_lanes > 1 ? sum + "[0]" : sum)};");
        if (_lanes > 1) _text.Line(Number($"for (int l = 1; l < {_lanes}; l++) {all} = {total.Join(all, sum + "[l]")};"));
        if (_group > 32)
        {
            string scratch = _text.Name("scratch");
            _text.Line(Number($"__shared__ {total.TypeName} {scratch}[{_group / 32}];"));
            _text.Line(Number($"{all} = trt::join_block<{total.Operation}, {_group}>({all}, {scratch});"));
        }
        else
        {
            _text.Line(Number($"{all} = trt::join_lanes<{total.Operation}, {_group}>({all});"));
        }
        ScalarWriter result = new(_text, analysis);
        LoopText.Bind(result, _outer, _counters);
        GiveStatistics(result, analysis);
        result.GiveReduced(total.Result(all), false);
        string value = result.Value(nest.Result), statistic = _text.Name("s");
        // As it is read back: rounded to its type.
        _text.Line($"{ElementText.TypeName(nest.Target.Type)} {statistic};");
        _text.Line($"trt::store({statistic}, {result.StoredText(nest.Result, nest.Target.Type)});");
        _ = value;
        _statistics[nest.Target.Storage] = $"trt::load({statistic})";
        LinearAccess target = analysis.Target;
        _text.Line($"if (t == 0{(perBlock > 1 ? " && own" : "")}) {_text.Pointer(target.View.Storage, target.View.Offset, Access.Write)}[{result.Place(target)}] = {statistic};");
    }

    private void WriteMap(int number, int perBlock)
    {
        NestAnalysis analysis = _analyses[number];
        LoopNest nest = analysis.Nest;
        LinearAccess target = analysis.Target;
        bool isRead = _rows.Nests.Skip(number + 1).Any(n => Ex.Loads(n.Body).Concat(Ex.Loads(n.Result)).Any(l => ReferenceEquals(l.Source.Storage, nest.Target.Storage)));
        string? kept = isRead && _chunks > 0 ? _text.Name("k") : null;
        string element = ElementText.TypeName(nest.Target.Type);
        if (kept is not null) _text.Line(Number($"trt::Pack<{element}, {_lanes}> {kept}[{_chunks}];"));
        ScalarWriter writer = Writer(analysis);
        OpenChunks();
        LoopText.Bind(writer, _row, LoopText.Decompose(_text, _row, "r", _step, _lanes));
        writer.Scope(() =>
        {
            TakeKept(number, writer, nest.Result);
            string value = writer.Value(nest.Result);
            KeepComputed(number, writer, nest.Result);
            if (kept is null)
            {
                writer.Flush();
                if (perBlock > 1) _text.Open("if (own)");
                writer.Scope(() => writer.Store(nest.Result));
                if (perBlock > 1) _text.Close();
                return;
            }
            _ = value;
            writer.PerLane($"trt::store({kept}[c].items[{(_lanes > 1 ? "l" : "0")}], {writer.StoredText(nest.Result, nest.Target.Type)});");
            writer.Flush();
            string pointer = _text.Pointer(target.View.Storage, target.View.Offset, Access.Write), place = writer.Place(target), guard = perBlock > 1 ? "if (own) " : "";
            if (writer.IsVector(target) || _lanes == 1) _text.Line($"{guard}{kept}[c].write({pointer} + {place});");
            else writer.PerLane($"{guard}{pointer}[{place} + l * {_text.Extent(_row[^1].Factor(target))}] = {kept}[c].items[l];");
        });
        CloseChunks();
        if (kept is not null) _kept.Add((target, kept));
    }

    private ScalarWriter Writer(NestAnalysis analysis)
    {
        ScalarWriter writer = new(_text, analysis, _lanes, _lanes > 1 ? _row[^1] : null);
        LoopText.Bind(writer, _outer, _counters);
        GiveStatistics(writer, analysis);
        return writer;
    }

    private void GiveStatistics(ScalarWriter writer, NestAnalysis analysis)
    {
        foreach (LoadExpr load in analysis.Loads)
        {
            if (_statistics.TryGetValue(load.Source.Storage, out string? value)) writer.GiveText(load, value, false);
        }
    }

    private void OpenChunks()
    {
        string last = _text.Extent(_length);
        if (_chunks > 0)
        {
            _text.Line("#pragma unroll");
            _text.Open(Number($"for (int c = 0; c < {_chunks}; c++)"));
            _text.Line(Number($"const {_step} r = t + c * {_group};"));
            _text.Open(_length.Value % _group == 0 ? "" : $"if (r < {last})");
        }
        else
        {
            _text.Line("#pragma unroll 2");
            _text.Open(Number($"for ({_step} r = t; r < {last}; r += {_group})"));
        }
    }

    private void CloseChunks()
    {
        _text.Close();
        if (_chunks > 0) _text.Close();
    }

    /// <summary>Gives a nest what earlier ones kept, and reads and keeps what later ones want again.</summary>
    private void TakeKept(int number, ScalarWriter writer, Expr root)
    {
        if (_chunks == 0) return;
        NestAnalysis analysis = _analyses[number];
        foreach (Expr part in Reached(analysis, root))
        {
            if (_computed.FirstOrDefault(c => ExprEquality.Equal(c.Value, part)) is { Name: { } computed }) writer.GiveText(part, _lanes > 1 ? $"{computed}[c][l]" : $"{computed}[c]", true);
        }
        foreach (LoadExpr load in Reached(analysis, root).OfType<LoadExpr>())
        {
            LinearAccess access = analysis.Access(load);
            if (_rows.IsStatistic(load.Source.Storage) || !_row.SelectMany(l => l.Members).Any(access.Axes.Contains) || (_lanes > 1 && !writer.IsVector(access)) || (_lanes == 1 && ElementText.IsPacked(access.View.Type))) continue;
            string? name = _kept.FirstOrDefault(k => RowNests.SamePlace(k.Access, access)).Name;
            if (name is null)
            {
                if (!_analyses.Skip(number + 1).Any(a => a.Loads.Any(l => RowNests.SamePlace(a.Access(l), access)))) continue;
                name = _text.Name("k");
                _kept.Add((access, name));
                _text.Before(Number($"trt::Pack<{ElementText.TypeName(access.View.Type)}, {_lanes}> {name}[{_chunks}];"));
                _text.Line($"{name}[c].read({_text.Pointer(access.View.Storage, access.View.Offset, Access.Read)} + {writer.Place(access)});");
            }
            writer.GiveText(load, $"trt::load({name}[c].items[{(_lanes > 1 ? "l" : "0")}])", true);
        }
    }

    /// <summary>Keeps what is costly to compute and wanted by a later nest.</summary>
    private void KeepComputed(int number, ScalarWriter writer, Expr root)
    {
        if (_chunks == 0 || _chunks * _lanes > 32) return;
        NestAnalysis analysis = _analyses[number];
        foreach (CallExpr call in Reached(analysis, root).OfType<CallExpr>())
        {
            if (!s_expensive.Contains(call.Function.Name, StringComparer.Ordinal) || !call.Type.IsFloat() || !writer.IsKnown(call) || _computed.Any(c => ExprEquality.Equal(c.Value, call))) continue;
            if (!_row.SelectMany(l => l.Members).Any(analysis.Dependencies(call).Contains)) continue;
            if (!_rows.Nests.Skip(number + 1).Any(n => Wanted(n, call))) continue;
            string name = _text.Name("e"), size = _lanes > 1 ? Number($"[{_chunks}][{_lanes}]") : Number($"[{_chunks}]");
            _text.Before($"{ElementText.TypeName(call.Type, false)} {name}{size};");
            writer.PerLane($"{name}[c]{(_lanes > 1 ? "[l]" : "")} = {writer.Value(call)};");
            _computed.Add((call, name));
        }
        writer.Flush();
    }

    private static bool Wanted(LoopNest nest, Expr value) => (nest.Body is not null && Ex.Parts(nest.Body).Any(p => ExprEquality.Equal(p, value))) || Ex.Parts(nest.Result).Any(p => ExprEquality.Equal(p, value));

    /// <summary>Parts of an expression that every element reaches.</summary>
    private static List<Expr> Reached(NestAnalysis analysis, Expr root)
    {
        List<Expr> parts = [];
        HashSet<Expr> seen = new(ReferenceEqualityComparer.Instance);
        Visit(root);
        return parts;

        void Visit(Expr expr)
        {
            if (!seen.Add(expr)) return;
            if (expr is SelectExpr select && !(analysis.IsSafe(select.WhenTrue) && analysis.IsSafe(select.WhenFalse)))
            {
                Visit(select.Condition);
                return;
            }
            parts.Add(expr);
            if (expr is LoadExpr) return;
            foreach (Expr operand in expr.Operands) Visit(operand);
        }
    }

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
