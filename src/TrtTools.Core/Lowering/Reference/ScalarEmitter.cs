using System.Linq.Expressions;
using TrtTools.Tensors;

namespace TrtTools.Lowering.Reference;

/// <summary>Scalar expressions of one nest as LINQ expressions. Floats are double, integers long, Booleans bool.</summary>
internal sealed class ScalarEmitter(NestCompiler nest)
{
    // Values computed so far that are sure to have been computed where the next expression stands: a branch of a selection sees what was before it, nothing sees into a branch.
    private Dictionary<Expr, Expression> _known = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Expr, Expression> _hoisted = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Expr, int> _depths = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Expr, int> _uses = new(ReferenceEqualityComparer.Instance);

    /// <summary>Another part of the nest begins, where values of the last are not at hand.</summary>
    public void Forget()
    {
        _known = new(ReferenceEqualityComparer.Instance);
        _uses.Clear();
    }

    public Expression Emit(Expr root)
    {
        foreach (Expr part in Ex.Parts(root))
        {
            foreach (Expr operand in part.Operands) _uses[operand] = _uses.GetValueOrDefault(operand) + 1;
        }
        return Value(root);
    }

    private Expression Value(Expr expr)
    {
        if (expr is ConstantExpr or AxisExpr or ExtentExpr or ReducedExpr) return Compute(expr);
        if (_hoisted.TryGetValue(expr, out Expression? hoisted)) return hoisted;
        if (_known.TryGetValue(expr, out Expression? known)) return known;
        if (DepthOf(expr) is var depth && depth < nest.Depth && depth >= 0)
        {
            Expression computed = Compute(expr);
            return _hoisted[expr] = nest.Hoist(computed, depth);
        }
        Expression value = Compute(expr);
        if (_uses.GetValueOrDefault(expr) < 2) return value;
        ParameterExpression local = nest.Local(value.Type, "t");
        _known[expr] = local;
        return Expression.Assign(local, value);
    }

    /// <summary>The loops that an index or condition depends on; -1 when it must stay where it is, since it reads memory or computes in floats.</summary>
    private int DepthOf(Expr expr)
    {
        if (_depths.TryGetValue(expr, out int known)) return known;
        int depth = expr switch
        {
            AxisExpr axis => nest.DepthOf(axis.Axis),
            ConstantExpr or ExtentExpr => 0,
            LoadExpr or ReducedExpr => -1,
            _ when expr.Type.IsFloat() => -1,
            _ => expr.Operands.Select(DepthOf).ToArray() is var all && all.Contains(-1) ? -1 : all.Max(),
        };
        return _depths[expr] = depth;
    }

    private Expression Compute(Expr expr)
    {
        switch (expr)
        {
            case ConstantExpr constant: return constant.Type.IsFloat() ? Expression.Constant(constant.Number) : constant.Type == ScalarType.Bool ? Expression.Constant(constant.Integer != 0) : Expression.Constant(constant.Integer);
            case AxisExpr axis: return nest.Counter(axis.Axis);
            case ExtentExpr extent: return Expression.Constant(nest.ValueOf(extent.Extent));
            case ReducedExpr: return nest.Total ?? throw new InvalidOperationException($"Nest '{nest.NestName}' reduces nothing.");
            case LoadExpr load:
                Expression element = Expression.ArrayIndex(nest.ArrayOf(load.Source.Storage), Expression.ConvertChecked(Offset(load.Source, load.Index), typeof(int)));
                return load.Type == ScalarType.Bool ? Expression.NotEqual(element, Expression.Constant(0L)) : element;
            case ConvertExpr convert: return Convert(Value(convert.Value), convert.Target, convert.Saturates);
            case SelectExpr select:
                Expression condition = Value(select.Condition);
                Dictionary<Expr, Expression> outside = _known;
                _known = new(outside, ReferenceEqualityComparer.Instance);
                Expression whenTrue = Value(select.WhenTrue);
                _known = new(outside, ReferenceEqualityComparer.Instance);
                Expression whenFalse = Value(select.WhenFalse);
                _known = outside;
                return Expression.Condition(condition, whenTrue, whenFalse);
            case CallExpr call: return Call(call);
            default: throw new InvalidOperationException($"{expr.GetType().Name} is no expression that this device knows.");
        }
    }

    /// <summary>Where an element stands in its storage; an index outside the shape fails.</summary>
    public Expression Offset(TensorView view, IReadOnlyList<Expr> index)
    {
        // Sums by the loop they change in, so that each loop adds what is its own.
        SortedDictionary<int, Expression> byDepth = [];
        long constant = nest.ValueOf(view.Offset);
        void Add(int depth, Expression value) => byDepth[depth] = byDepth.TryGetValue(depth, out Expression? sum) ? Expression.Add(sum, value) : value;
        for (int d = 0; d < index.Count; d++)
        {
            long stride = nest.ValueOf(view.Strides[d]);
            if (!Index.IsWithin(index[d], view.Shape[d]))
            {
                Expression checkedIndex = Expression.Call(typeof(ScalarEmitter), nameof(Check), null, Value(index[d]), Expression.Constant(nest.ValueOf(view.Shape[d])), Expression.Constant(nest.NestName), Expression.Constant(view.Storage.Name));
                Add(int.MaxValue, Expression.Multiply(checkedIndex, Expression.Constant(stride)));
                continue;
            }
            Index.Sum sum = Index.Expand(index[d]);
            constant += nest.ValueOf(sum.Constant) * stride;
            foreach ((Expr term, DimExpr factor) in sum.Terms)
            {
                int depth = DepthOf(term);
                Add(depth < 0 ? int.MaxValue : depth, Expression.Multiply(Value(term), Expression.Constant(nest.ValueOf(factor) * stride)));
            }
        }
        Expression result = Expression.Constant(constant);
        foreach ((int depth, Expression part) in byDepth)
        {
            result = Expression.Add(result, part);
            if (depth < nest.Depth) result = nest.Hoist(result, depth);
        }
        return result;
    }

    public static long Check(long index, long extent, string nest, string storage)
    {
        if ((ulong)index >= (ulong)extent) throw new IndexOutOfRangeException($"Nest '{nest}' reaches index {index} of an axis of {extent} in '{storage}'.");
        return index;
    }

    private Expression Call(CallExpr call)
    {
        Expression[] x = [.. call.Operands.Select(Value)];
        bool isBool = call.Operands[0].Type == ScalarType.Bool, isFloat = call.Operands[0].Type.IsFloat();
        switch (call.Function.Name)
        {
            case "and" when isBool: return Expression.And(x[0], x[1]);
            case "or" when isBool: return Expression.Or(x[0], x[1]);
            case "xor" when isBool: return Expression.ExclusiveOr(x[0], x[1]);
            case "not" when isBool: return Expression.Not(x[0]);
        }
        for (int i = 0; i < x.Length; i++) x[i] = ToLong(x[i]);
        switch (call.Function.Name)
        {
            case "add": return Expression.Add(x[0], x[1]);
            case "sub": return Expression.Subtract(x[0], x[1]);
            case "mul": return Expression.Multiply(x[0], x[1]);
            case "div" when isFloat: return Expression.Divide(x[0], x[1]);
            case "neg": return Expression.Negate(x[0]);
            case "lt": return Expression.LessThan(x[0], x[1]);
            case "le": return Expression.LessThanOrEqual(x[0], x[1]);
            case "gt": return Expression.GreaterThan(x[0], x[1]);
            case "ge": return Expression.GreaterThanOrEqual(x[0], x[1]);
            case "eq": return Expression.Equal(x[0], x[1]);
            case "ne": return Expression.NotEqual(x[0], x[1]);
            case "min": return Expression.Call(typeof(Math), nameof(Math.Min), null, x[0], x[1]);
            case "max": return Expression.Call(typeof(Math), nameof(Math.Max), null, x[0], x[1]);
        }
        Type type = isFloat ? typeof(double) : typeof(long);
        Delegate compute = isFloat ? call.Function.OnFloat! : call.Function.OnInteger!;
        Expression[] three = [.. Enumerable.Range(0, 3).Select(i => i < x.Length ? x[i] : Expression.Default(type))];
        Expression result = Expression.Invoke(Expression.Constant(compute), three);
        return call.Type != ScalarType.Bool ? result : isFloat ? Expression.NotEqual(result, Expression.Constant(0.0)) : Expression.NotEqual(result, Expression.Constant(0L));
    }

    private static Expression ToLong(Expression value) => value.Type == typeof(bool) ? Expression.Condition(value, Expression.Constant(1L), Expression.Constant(0L)) : value;

    private static Expression Convert(Expression value, DataType target, bool saturates)
    {
        ScalarType type = target.ScalarType();
        if (type == ScalarType.Bool) return value.Type == typeof(bool) ? value : Expression.NotEqual(value, value.Type == typeof(double) ? Expression.Constant(0.0) : Expression.Constant(0L));
        value = ToLong(value);
        Expression kind = Expression.Constant(target);
        if (type.IsFloat()) return Expression.Call(typeof(Rounding), nameof(Rounding.Round), null, value.Type == typeof(double) ? value : Expression.Convert(value, typeof(double)), kind);
        if (value.Type == typeof(double))
        {
            return saturates ? Expression.Call(typeof(Rounding), nameof(Rounding.Saturate), null, value, kind)
                : Expression.Call(typeof(Rounding), nameof(Rounding.Wrap), null, Expression.Call(typeof(Rounding), nameof(Rounding.Truncate), null, value), kind);
        }
        return Expression.Call(typeof(Rounding), saturates ? nameof(Rounding.SaturateInteger) : nameof(Rounding.Wrap), null, value, kind);
    }

    public static Expression Combine(Combiner combine, Expression total, Expression value) => combine switch
    {
        Combiner.Sum => Expression.Add(total, value),
        Combiner.Product => Expression.Multiply(total, value),
        Combiner.Maximum when value.Type == typeof(bool) => Expression.Or(total, value),
        Combiner.Minimum when value.Type == typeof(bool) => Expression.And(total, value),
        Combiner.Maximum => Expression.Call(typeof(Math), nameof(Math.Max), null, total, value),
        Combiner.Minimum => Expression.Call(typeof(Math), nameof(Math.Min), null, total, value),
        Combiner.And => Expression.And(total, value),
        Combiner.Or => Expression.Or(total, value),
        _ => throw new InvalidOperationException($"{combine} joins no two values."),
    };

    /// <summary>What an element of a storage holds of a value.</summary>
    public static Expression ToElement(Expression value, DataType type)
    {
        value = ToLong(value);
        bool wantsFloat = type.ScalarType().IsFloat();
        if (wantsFloat != (value.Type == typeof(double))) throw new InvalidOperationException($"A {value.Type.Name} is stored as {type}.");
        return type switch
        {
            DataType.Float64 or DataType.Int64 or DataType.UInt64 => value,
            DataType.Float32 => Expression.Convert(Expression.Convert(value, typeof(float)), typeof(double)),
            _ => Expression.Call(typeof(Rounding), wantsFloat ? nameof(Rounding.Round) : nameof(Rounding.Wrap), null, value, Expression.Constant(type)),
        };
    }
}
