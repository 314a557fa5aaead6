using TrtTools.Lowering;
using TrtTools.Tensors;
using Index = TrtTools.Lowering.Index;

namespace TrtTools.Kernels;

/// <summary>
/// A region whose nests all go over the same rows: statistics of a row (reductions of it) and maps over it, such as softmax and the normalizations with what is fused around them. The nests are rewritten
/// so that they share their axes, since equal axes of two nests are two objects.
/// </summary>
internal sealed class RowNests
{
    private readonly List<LoopNest> _nests = [];
    private readonly HashSet<Storage> _statistics = [];

    private RowNests(IReadOnlyList<Axis> outer, IReadOnlyList<Axis> row) => (Outer, Row) = (outer, row);

    /// <summary>Axes that number the rows.</summary>
    public IReadOnlyList<Axis> Outer { get; }

    /// <summary>Axes of a row.</summary>
    public IReadOnlyList<Axis> Row { get; }

    /// <summary>The region's nests over <see cref="Outer"/> and <see cref="Row"/>, in their order.</summary>
    public IReadOnlyList<LoopNest> Nests => _nests;

    /// <summary>Whether a storage holds one value for each row, which an earlier nest computed.</summary>
    public bool IsStatistic(Storage storage) => _statistics.Contains(storage);

    /// <summary>Null where the nests do not share their rows.</summary>
    public static RowNests? TryFind(IReadOnlyList<LoopNest> nests)
    {
        if (nests.Count < 2 || nests.FirstOrDefault(n => n.Reduced.Count > 0) is not { } first) return null;
        Axis[] outer = [.. Counting(first.Space)], row = [.. Counting(first.Reduced)];
        if (row.Length == 0) return null;
        RowNests found = new([.. outer.Select((a, i) => new Axis($"o{i}", a.Extent))], [.. row.Select((a, i) => new Axis($"r{i}", a.Extent))]);
        Dictionary<Axis, Expr>?[] maps = new Dictionary<Axis, Expr>?[nests.Count];
        for (int i = 0; i < nests.Count; i++)
        {
            if (nests[i].ScatterCombine is not null || nests[i].Place is not null || ElementText.IsPacked(nests[i].Target.Type)) return null;
            if (nests[i].Reduced.Count > 0 && (maps[i] = found.OfReduction(nests[i])) is null) return null;
        }
        HashSet<Storage> statistics = [.. nests.Where(n => n.Reduced.Count > 0).Select(n => n.Target.Storage)];
        // What reads statistics knows its rows by them; what feeds a nest whose rows are known, by what that reads.
        for (int i = 0; i < nests.Count; i++) maps[i] ??= found.OfMap(nests[i], nests);
        for (int i = nests.Count - 1; i >= 0; i--) maps[i] ??= OfFeeder(nests[i], nests, maps, i);
        for (int i = 0; i < nests.Count; i++)
        {
            if (maps[i] is not { } map) return null;
            found._nests.Add(found.Rewrite(nests[i], map));
        }
        found._statistics.UnionWith(statistics);
        return found.HoldsTogether() ? found : null;
    }

    private static IEnumerable<Axis> Counting(IEnumerable<Axis> axes) => axes.Where(a => !GeneratorOptions.Is(a.Extent, 1));

    private Dictionary<Axis, Expr>? OfReduction(LoopNest nest)
    {
        Axis[] outer = [.. Counting(nest.Space)], row = [.. Counting(nest.Reduced)];
        Dictionary<Axis, Expr> map = [];
        return Match(map, outer, Outer) && Match(map, row, Row) ? map : null;
    }

    private static bool Match(Dictionary<Axis, Expr> map, IReadOnlyList<Axis> own, IReadOnlyList<Axis> shared)
    {
        if (own.Count != shared.Count) return false;
        for (int i = 0; i < own.Count; i++)
        {
            if (!own[i].Extent.Equals(shared[i].Extent)) return false;
            map[own[i]] = Ex.Of(shared[i]);
        }
        return true;
    }

    /// <summary>Rows of a map that reads statistics: the index it reads them at. An index ⌊a / size⌋ cuts an axis in two.</summary>
    private Dictionary<Axis, Expr>? OfMap(LoopNest nest, IReadOnlyList<LoopNest> nests)
    {
        LoadExpr? statistic = Ex.Loads(nest.Result).FirstOrDefault(l => nests.Any(n => n.Reduced.Count > 0 && ReferenceEquals(n.Target.Storage, l.Source.Storage)));
        if (statistic is null) return null;
        Expr[] index = [.. statistic.Index.Where((_, d) => !GeneratorOptions.Is(statistic.Source.Shape[d], 1))];
        if (index.Length != Outer.Count) return null;
        Dictionary<Axis, Expr> map = [];
        List<Axis> rest = [.. Counting(nest.Space)];
        Dictionary<Axis, (Axis Outer, DimExpr Size)> cut = [];
        for (int i = 0; i < index.Length; i++)
        {
            if (index[i] is AxisExpr { Axis: { } whole } && whole.Extent.Equals(Outer[i].Extent) && rest.Remove(whole)) map[whole] = Ex.Of(Outer[i]);
            else if (index[i] is CallExpr { Function.Name: "floordiv" } quotient && quotient.Operands[0] is AxisExpr { Axis: { } divided } && Index.Expand(quotient.Operands[1]) is { IsConstant: true } size
                && rest.Contains(divided) && divided.Extent.Equals(Outer[i].Extent * size.Constant)) cut[divided] = (Outer[i], size.Constant);
            else return null;
        }
        if (rest.Count != Row.Count) return null;
        for (int i = 0; i < rest.Count; i++)
        {
            if (cut.TryGetValue(rest[i], out (Axis Outer, DimExpr Size) part))
            {
                if (!part.Size.Equals(Row[i].Extent)) return null;
                map[rest[i]] = Ex.Add(Ex.Mul(Ex.Of(part.Outer), Ex.Extent(part.Size)), Ex.Of(Row[i]));
            }
            else
            {
                if (!rest[i].Extent.Equals(Row[i].Extent)) return null;
                map[rest[i]] = Ex.Of(Row[i]);
            }
        }
        return map;
    }

    /// <summary>Rows of a map that a later nest reads at its own point.</summary>
    private static Dictionary<Axis, Expr>? OfFeeder(LoopNest nest, IReadOnlyList<LoopNest> nests, Dictionary<Axis, Expr>?[] maps, int number)
    {
        for (int reader = number + 1; reader < nests.Count; reader++)
        {
            if (maps[reader] is not { } known) continue;
            LoadExpr? load = Ex.Loads(nests[reader].Body).Concat(Ex.Loads(nests[reader].Result)).FirstOrDefault(l => ReferenceEquals(l.Source.Storage, nest.Target.Storage));
            if (load is null || load.Index.Count != nest.Space.Count) continue;
            Ex.Rewriter rewriter = new(e => e is AxisExpr { Axis: { } axis } ? known.GetValueOrDefault(axis) ?? (GeneratorOptions.Is(axis.Extent, 1) ? Ex.Zero : null) : null);
            Dictionary<Axis, Expr> map = [];
            for (int d = 0; d < nest.Space.Count; d++)
            {
                if (!GeneratorOptions.Is(nest.Space[d].Extent, 1)) map[nest.Space[d]] = rewriter.Apply(load.Index[d]);
            }
            return map;
        }
        return null;
    }

    private LoopNest Rewrite(LoopNest nest, Dictionary<Axis, Expr> map)
    {
        Ex.Rewriter rewriter = new(e => e is AxisExpr { Axis: { } axis } ? GeneratorOptions.Is(axis.Extent, 1) ? Ex.Zero : map[axis] : null);
        bool reduces = nest.Reduced.Count > 0;
        return nest with
        {
            Space = reduces ? Outer : [.. Outer, .. Row], Reduced = reduces ? Row : [], Body = nest.Body is null ? null : rewriter.Apply(nest.Body), Result = rewriter.Apply(nest.Result),
            Place = [.. Ex.Of(nest.Space).Select(rewriter.Apply)],
        };
    }

    /// <summary>Each nest reads of earlier nests its own row's statistics and its own point, and nothing reads what a later nest overwrites.</summary>
    private bool HoldsTogether()
    {
        Dictionary<Storage, LoopNest> written = [];
        for (int i = 0; i < _nests.Count; i++)
        {
            LoopNest nest = _nests[i];
            HashSet<Axis> covered = [];
            foreach (Expr place in nest.Place!) covered.UnionWith(Ex.Parts(place).OfType<AxisExpr>().Select(a => a.Axis));
            // Every row and every point of it is stored, each at a place of its own.
            if (!nest.Space.All(covered.Contains)) return false;
            foreach (LoadExpr load in Ex.Loads(nest.Body).Concat(Ex.Loads(nest.Result)))
            {
                if (written.TryGetValue(load.Source.Storage, out LoopNest? writer))
                {
                    if (!SamePlace(load, writer)) return false;
                }
                else if (_nests.Skip(i).Any(n => ReferenceEquals(n.Target.Storage, load.Source.Storage)))
                {
                    return false;
                }
            }
            if (!written.TryAdd(nest.Target.Storage, nest)) return false;
        }
        return true;
    }

    private static bool SamePlace(LoadExpr load, LoopNest writer) => SamePlace(LinearAccess.Of(load.Source, load.Index), LinearAccess.Of(writer.Target, writer.Place!));

    /// <summary>Whether two accesses always stand at one place.</summary>
    public static bool SamePlace(LinearAccess a, LinearAccess b) => ReferenceEquals(a.View.Storage, b.View.Storage) && a.Offset.Equals(b.Offset) && a.Axes.Count == b.Axes.Count && a.Axes.All(x => a.Factor(x).Equals(b.Factor(x)))
        && a.Terms.Count == b.Terms.Count && a.Terms.Zip(b.Terms).All(t => t.First.Factor.Equals(t.Second.Factor) && ExprEquality.Equal(t.First.Term, t.Second.Term));
}
