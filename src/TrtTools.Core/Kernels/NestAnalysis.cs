using TrtTools.Lowering;
using TrtTools.Tensors;
using Index = TrtTools.Lowering.Index;

namespace TrtTools.Kernels;

/// <summary>What the forms of kernels are chosen by: how each access of a nest walks along the axes.</summary>
internal sealed class NestAnalysis
{
    private readonly Dictionary<LoadExpr, LinearAccess> _loads = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Axis> _raw = [];
    private readonly HashSet<Expr> _visited = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Expr, HashSet<Axis>> _dependencies = new(ReferenceEqualityComparer.Instance);

    public NestAnalysis(LoopNest nest, GeneratorOptions options)
    {
        Nest = nest;
        Options = options;
        Target = LinearAccess.Of(nest.Target, nest.Place ?? Ex.Of(nest.Space));
        foreach ((Expr term, _) in Target.Terms) Visit(term);
        if (nest.Body is not null) Visit(nest.Body);
        Visit(nest.Result);
    }

    public LoopNest Nest { get; }

    public GeneratorOptions Options { get; }

    public LinearAccess Target { get; }

    public IReadOnlyCollection<LoadExpr> Loads => _loads.Keys;

    public LinearAccess Access(LoadExpr load) => _loads.TryGetValue(load, out LinearAccess? access) ? access : _loads[load] = LinearAccess.Of(load.Source, load.Index);

    /// <summary>Axes whose own value is needed, beside the places that accesses have because of it.</summary>
    public bool IsRaw(Axis axis) => _raw.Contains(axis);

    /// <summary>The axes that a value changes with.</summary>
    public HashSet<Axis> Dependencies(Expr expr)
    {
        if (_dependencies.TryGetValue(expr, out HashSet<Axis>? known)) return known;
        HashSet<Axis> axes = [];
        if (expr is AxisExpr { Axis: { } own }) axes.Add(own);
        if (expr is LoadExpr load)
        {
            LinearAccess access = Access(load);
            axes.UnionWith(access.Axes);
            foreach ((Expr term, _) in access.Terms) axes.UnionWith(Dependencies(term));
        }
        else
        {
            foreach (Expr operand in expr.Operands) axes.UnionWith(Dependencies(operand));
        }
        axes.RemoveWhere(a => GeneratorOptions.Is(a.Extent, 1));
        return _dependencies[expr] = axes;
    }

    /// <summary>Whether a value may be computed where a selection would not reach it: no load in it can leave its tensor.</summary>
    public bool IsSafe(Expr expr)
    {
        foreach (LoadExpr load in Ex.Loads(expr))
        {
            for (int d = 0; d < load.Index.Count; d++)
            {
                if (!Index.IsWithin(load.Index[d], load.Source.Shape[d])) return false;
            }
        }
        return true;
    }

    /// <summary>Space axes from the one that the target has farthest apart to the one whose elements are neighbours.</summary>
    public IReadOnlyList<Axis> SpaceInMemoryOrder()
    {
        List<Axis> axes = [.. Nest.Space.Where(a => !GeneratorOptions.Is(a.Extent, 1))];
        if (Nest.Place is not null) return axes;
        // A stable sort: axes that cannot be compared stay as they are.
        for (int i = 1; i < axes.Count; i++)
        {
            for (int k = i; k > 0 && IsFarther(Target.Factor(axes[k]), Target.Factor(axes[k - 1])); k--) (axes[k], axes[k - 1]) = (axes[k - 1], axes[k]);
        }
        return axes;
    }

    /// <summary>Joins neighbouring axes that all accesses walk as one.</summary>
    public IReadOnlyList<LoopAxis> Collapse(IReadOnlyList<Axis> axes) => Collapse(axes, [this]);

    /// <summary>Joins neighbouring axes that all accesses of nests with shared axes walk as one.</summary>
    public static IReadOnlyList<LoopAxis> Collapse(IReadOnlyList<Axis> axes, IReadOnlyList<NestAnalysis> nests)
    {
        List<LoopAxis> loops = [];
        LinearAccess[] accesses = [.. nests.SelectMany(n => n._loads.Values.Append(n.Target))];
        bool IsRaw(Axis axis) => nests.Any(n => n.IsRaw(axis));
        foreach (Axis axis in axes)
        {
            if (GeneratorOptions.Is(axis.Extent, 1)) continue;
            if (loops.Count > 0 && !IsRaw(axis) && !IsRaw(loops[^1].Members[^1]) && accesses.All(a => a.Factor(loops[^1].Members[^1]).Equals(a.Factor(axis) * axis.Extent)))
            {
                loops[^1] = new LoopAxis([.. loops[^1].Members, axis], loops[^1].Extent * axis.Extent);
            }
            else
            {
                loops.Add(new LoopAxis([axis], axis.Extent));
            }
        }
        return loops;
    }

    public static bool IsFarther(DimExpr a, DimExpr b) => !a.Equals(b) && (a - b) is { } difference && (difference.IsConstant ? difference.Value > 0 : difference.HasOnlyNonNegativeTerms || IsMultiple(a, b));

    private static bool IsMultiple(DimExpr a, DimExpr b) => !GeneratorOptions.Is(b, 0) && DimExpr.FloorDiv(a, b) is { } quotient && (quotient * b).Equals(a) && !GeneratorOptions.Is(quotient, 1);

    private void Visit(Expr expr)
    {
        if (!_visited.Add(expr)) return;
        switch (expr)
        {
            case AxisExpr axis:
                _raw.Add(axis.Axis);
                break;
            case LoadExpr load:
                foreach ((Expr term, _) in Access(load).Terms) Visit(term);
                break;
            default:
                foreach (Expr operand in expr.Operands) Visit(operand);
                break;
        }
    }
}
