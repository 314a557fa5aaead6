using System.Linq.Expressions;
using TrtTools.Tensors;

namespace TrtTools.Lowering.Reference;

/// <summary>Makes a delegate of a nest, for one set of extents. Index arithmetic moves out of the loops it does not depend on.</summary>
internal sealed class NestCompiler
{
    private readonly LoopNest _nest;
    private readonly Axis? _pinned;
    private readonly IReadOnlyDictionary<string, long> _symbols;
    private readonly List<Axis> _axes;
    private readonly ParameterExpression _memory = Expression.Parameter(typeof(ReferenceMemory), "memory");
    private readonly List<ParameterExpression> _locals = [];
    private readonly List<Expression> _prologue = [];
    private readonly List<Expression>[] _hoisted;
    private readonly Dictionary<Axis, ParameterExpression> _counters = [];
    private readonly Dictionary<Storage, ParameterExpression> _arrays = [];
    private readonly ScalarEmitter _scalars;

    private NestCompiler(LoopNest nest, IReadOnlyDictionary<string, long> symbols, Axis? pinned)
    {
        _nest = nest;
        _pinned = pinned;
        _symbols = symbols;
        _axes = [.. nest.Space, .. nest.Reduced];
        _hoisted = [.. Enumerable.Range(0, _axes.Count + 1).Select(_ => new List<Expression>())];
        foreach (Axis axis in _axes) _counters[axis] = Local(typeof(long), axis.Name);
        _scalars = new ScalarEmitter(this);
    }

    /// <param name="nest">The nest.</param>
    /// <param name="symbols">Values of the extents' symbols.</param>
    /// <param name="pinned">An axis that does not loop: its value is <see cref="ReferenceMemory.Sequence"/>.</param>
    public static Action<ReferenceMemory> Compile(LoopNest nest, IReadOnlyDictionary<string, long> symbols, Axis? pinned = null) => new NestCompiler(nest, symbols, pinned).Compile();

    public string NestName => _nest.Name;

    public long ValueOf(DimExpr extent) => ReferenceMemory.Value(extent, _symbols);

    public ParameterExpression Counter(Axis axis) => _counters.TryGetValue(axis, out ParameterExpression? counter) ? counter : throw new InvalidOperationException($"Nest '{_nest.Name}' has no axis {axis}.");

    /// <summary>How many loops stand around an expression of these axes.</summary>
    public int DepthOf(Axis axis) => _axes.IndexOf(axis) + 1;

    public int Depth { get; private set; }

    public ParameterExpression? Total { get; private set; }

    public ParameterExpression Local(Type type, string name)
    {
        ParameterExpression local = Expression.Variable(type, name);
        _locals.Add(local);
        return local;
    }

    /// <summary>Computes something once for each round of the loops down to <paramref name="depth"/>.</summary>
    public ParameterExpression Hoist(Expression value, int depth)
    {
        ParameterExpression local = Local(value.Type, "h");
        _hoisted[depth].Add(Expression.Assign(local, value));
        return local;
    }

    public ParameterExpression ArrayOf(Storage storage)
    {
        if (_arrays.TryGetValue(storage, out ParameterExpression? known)) return known;
        Type type = storage.Type.ScalarType().IsFloat() ? typeof(double[]) : typeof(long[]);
        ParameterExpression local = Local(type, storage.Name);
        _prologue.Add(Expression.Assign(local, Expression.Convert(Expression.Property(_memory, "Item", Expression.Constant(storage)), type)));
        return _arrays[storage] = local;
    }

    private Action<ReferenceMemory> Compile()
    {
        int space = _nest.Space.Count;
        Expression? reduction = null;
        List<Expression> atPoint = [];
        if (_nest.Body is not null)
        {
            Depth = _axes.Count;
            (List<Expression> before, Expression round, Expression after) = Reduction(_nest.Body);
            reduction = Nest(space, _axes.Count, round);
            atPoint.AddRange(before);
            atPoint.Add(reduction);
            atPoint.Add(after);
        }
        Depth = space;
        _scalars.Forget();
        atPoint.Add(Store());
        // What the result needs of the point is hoisted while it is emitted, so the loops are built last.
        Expression loops = Nest(0, space, Expression.Block(atPoint));
        Expression body = Expression.Block(_locals, [.. _prologue, .. _hoisted[0], loops]);
        return Expression.Lambda<Action<ReferenceMemory>>(body, _memory).Compile();
    }

    private Expression Nest(int from, int to, Expression innermost)
    {
        Expression body = innermost;
        for (int i = to - 1; i >= from; i--)
        {
            ParameterExpression counter = _counters[_axes[i]];
            if (_axes[i] == _pinned)
            {
                body = Expression.Block([Expression.Assign(counter, Expression.Property(_memory, nameof(ReferenceMemory.Sequence))), .. _hoisted[i + 1], body]);
                continue;
            }
            LabelTarget done = Expression.Label();
            body = Expression.Block(
                Expression.Assign(counter, Expression.Constant(0L)),
                Expression.Loop(
                    Expression.IfThenElse(Expression.LessThan(counter, Expression.Constant(ValueOf(_axes[i].Extent))),
                        Expression.Block([.. _hoisted[i + 1], body, Expression.PreIncrementAssign(counter)]), Expression.Break(done)), done));
        }
        return body;
    }

    private (List<Expression> Before, Expression Round, Expression After) Reduction(Expr body)
    {
        Expression value = _scalars.Emit(body);
        if (_nest.Combine is Combiner.FirstMaximum or Combiner.FirstMinimum or Combiner.LastMaximum or Combiner.LastMinimum)
        {
            ParameterExpression best = Local(value.Type, "best"), at = Local(typeof(long), "at"), now = Local(value.Type, "now");
            Total = at;
            Expression better = _nest.Combine switch
            {
                Combiner.FirstMaximum => Expression.GreaterThan(now, best), Combiner.LastMaximum => Expression.GreaterThanOrEqual(now, best),
                Combiner.FirstMinimum => Expression.LessThan(now, best), _ => Expression.LessThanOrEqual(now, best),
            };
            ParameterExpression counter = _counters[_nest.Reduced[0]];
            return ([Expression.Assign(at, Expression.Constant(-1L))],
                Expression.Block(Expression.Assign(now, value), Expression.IfThen(Expression.OrElse(Expression.LessThan(at, Expression.Constant(0L)), better),
                    Expression.Block(Expression.Assign(best, now), Expression.Assign(at, counter)))), Expression.Empty());
        }
        ParameterExpression total = Local(value.Type, "total");
        Total = total;
        object start = _nest.Combine switch
        {
            Combiner.Sum => value.Type == typeof(double) ? 0.0 : (object)0L,
            Combiner.Product => value.Type == typeof(double) ? 1.0 : (object)1L,
            Combiner.Maximum => value.Type == typeof(double) ? double.NegativeInfinity : value.Type == typeof(bool) ? false : (object)long.MinValue,
            Combiner.Minimum => value.Type == typeof(double) ? double.PositiveInfinity : value.Type == typeof(bool) ? true : (object)long.MaxValue,
            Combiner.And => value.Type == typeof(bool) ? true : (object)-1L,
            _ => value.Type == typeof(bool) ? false : (object)0L,
        };
        return ([Expression.Assign(total, Expression.Constant(start))], Expression.Assign(total, ScalarEmitter.Combine(_nest.Combine, total, value)), Expression.Empty());
    }

    private Expression Store()
    {
        Expression value = ScalarEmitter.ToElement(_scalars.Emit(_nest.Result), _nest.Target.Type);
        IReadOnlyList<Expr> place = _nest.Place ?? Ex.Of(_nest.Space);
        Expression element = Expression.ArrayAccess(ArrayOf(_nest.Target.Storage), Expression.ConvertChecked(_scalars.Offset(_nest.Target, place), typeof(int)));
        return _nest.ScatterCombine is not { } combine ? Expression.Assign(element, value)
            : Expression.Assign(element, ScalarEmitter.ToElement(ScalarEmitter.Combine(combine, element, value), _nest.Target.Type));
    }
}
