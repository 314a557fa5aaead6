using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Builds expressions, the simplest equal one where that is plain to see.</summary>
internal static class Ex
{
    public static Expr Zero { get; } = new ConstantExpr(0L);

    public static Expr One { get; } = new ConstantExpr(1L);

    public static Expr True { get; } = new ConstantExpr(1L, ScalarType.Bool);

    public static Expr False { get; } = new ConstantExpr(0L, ScalarType.Bool);

    public static Expr Int(long value) => value switch { 0 => Zero, 1 => One, _ => new ConstantExpr(value) };

    public static Expr Bool(bool value) => value ? True : False;

    public static Expr Number(double value, ScalarType type = ScalarType.Float32) => new ConstantExpr(value, type);

    /// <summary>A constant of any type.</summary>
    public static Expr Constant(double value, ScalarType type) => type.IsFloat() ? new ConstantExpr(value, type) : new ConstantExpr((long)value, type);

    public static Expr Of(Axis axis) => new AxisExpr(axis);

    public static Expr[] Of(IEnumerable<Axis> axes) => [.. axes.Select(Of)];

    public static Expr Extent(DimExpr extent) => extent.TryGetValue(out long value) ? Int(value) : new ExtentExpr(extent);

    public static Expr Call(string function, params IReadOnlyList<Expr> arguments) => ScalarFunctions.Call(function, arguments);

    public static Expr Add(Expr a, Expr b) => a.Type == ScalarType.Int64 ? Index.Simplify(Call("add", a, b)) : Call("add", a, b);

    public static Expr Sub(Expr a, Expr b) => a.Type == ScalarType.Int64 ? Index.Simplify(Call("sub", a, b)) : Call("sub", a, b);

    public static Expr Mul(Expr a, Expr b) => a.Type == ScalarType.Int64 ? Index.Simplify(Call("mul", a, b)) : Call("mul", a, b);

    public static Expr Div(Expr a, Expr b) => Call("div", a, b);

    public static Expr FloorDiv(Expr a, DimExpr b) => Index.FloorDiv(a, b);

    public static Expr Mod(Expr a, DimExpr b) => Index.Mod(a, b);

    public static Expr Min(Expr a, Expr b) => Call("min", a, b);

    public static Expr Max(Expr a, Expr b) => Call("max", a, b);

    public static Expr Less(Expr a, Expr b) => Compare("lt", a, b);

    public static Expr LessOrEqual(Expr a, Expr b) => Compare("le", a, b);

    public static Expr GreaterOrEqual(Expr a, Expr b) => Compare("ge", a, b);

    public static Expr Equal(Expr a, Expr b) => Compare("eq", a, b);

    private static Expr Compare(string function, Expr a, Expr b)
    {
        if (a.Type == ScalarType.Int64 && Index.Decide(function, a, b) is { } known) return Bool(known);
        return Call(function, a, b);
    }

    public static Expr And(Expr a, Expr b) =>
        a is ConstantExpr x ? x.Integer != 0 ? b : a : b is ConstantExpr y ? y.Integer != 0 ? a : b : Call("and", a, b);

    public static Expr And(IEnumerable<Expr> conditions) => conditions.Aggregate(True, And);

    public static Expr Or(Expr a, Expr b) =>
        a is ConstantExpr x ? x.Integer != 0 ? a : b : b is ConstantExpr y ? y.Integer != 0 ? b : a : Call("or", a, b);

    public static Expr Not(Expr a) => a is ConstantExpr x ? Bool(x.Integer == 0) : Call("not", a);

    public static Expr Select(Expr condition, Expr whenTrue, Expr whenFalse) =>
        condition is ConstantExpr known ? known.Integer != 0 ? whenTrue : whenFalse : new SelectExpr(condition, whenTrue, whenFalse);

    public static Expr Load(TensorView source, IReadOnlyList<Expr> index) => new LoadExpr(source, index);

    public static Expr Load(LoweredValue source, params IReadOnlyList<Expr> index) =>
        index.Count == source.Rank ? new LoadExpr(source.View, index) : throw new ArgumentException($"{source} takes {source.Rank} indices, not {index.Count}.");

    /// <summary>The same value in another scalar type, by ONNX's Cast.</summary>
    public static Expr Convert(Expr value, ScalarType type) => value.Type == type ? value : new ConvertExpr(StorageType(type), value);

    public static Expr ToFloat(Expr value) => value.Type.IsFloat() ? value : Convert(value, ScalarType.Float32);

    private static DataType StorageType(ScalarType type) => type switch
    {
        ScalarType.Float32 => DataType.Float32, ScalarType.Float64 => DataType.Float64, ScalarType.Bool => DataType.Bool, _ => DataType.Int64,
    };

    /// <summary>What a tensor of a type gives back of a value that was stored in it: narrow integers wrap. Floats are left alone: the storage type of activations is
    /// lowering's own choice, not the model's.</summary>
    public static Expr AsStored(Expr value, DataType type) => type is DataType.Int64 or DataType.UInt64 or DataType.Bool || type.IsFloatingPoint() || (value is LoadExpr load && load.Source.Type == type)
        || (value is ConvertExpr converted && converted.Target == type) ? value : new ConvertExpr(type, value);

    /// <summary>The same expression with some parts replaced; parts that do not change stay the same objects, and shared parts stay shared.</summary>
    public static Expr Rewrite(Expr root, Func<Expr, Expr?> replace) => new Rewriter(replace).Apply(root);

    internal sealed class Rewriter(Func<Expr, Expr?> replace)
    {
        private readonly Dictionary<Expr, Expr> _done = new(ReferenceEqualityComparer.Instance);

        public Expr Apply(Expr expr)
        {
            if (_done.TryGetValue(expr, out Expr? known)) return known;
            Expr result = replace(expr) ?? Rebuild(expr);
            _done.Add(expr, result);
            return result;
        }

        private Expr Rebuild(Expr expr)
        {
            IReadOnlyList<Expr> operands = expr.Operands;
            if (operands.Count == 0) return expr;
            Expr[] changed = [.. operands.Select(Apply)];
            bool same = true;
            for (int i = 0; i < changed.Length; i++) same &= ReferenceEquals(changed[i], operands[i]);
            if (same) return expr;
            return expr switch
            {
                LoadExpr load => new LoadExpr(load.Source, [.. changed.Select(Index.Simplify)]),
                CallExpr { Type: ScalarType.Int64 } call => Index.Simplify(new CallExpr(call.Function, call.Type, changed)),
                CallExpr { Function.Name: "and" } => And(changed[0], changed[1]),
                CallExpr { Function.Name: "or" } => Or(changed[0], changed[1]),
                CallExpr { Function.Name: "not" } => Not(changed[0]),
                CallExpr { Function.Name: "lt" or "le" or "ge" or "gt" or "eq" or "ne" } call => Compare(call.Function.Name, changed[0], changed[1]),
                CallExpr call => new CallExpr(call.Function, call.Type, changed),
                SelectExpr => Select(changed[0], changed[1], changed[2]),
                ConvertExpr convert => new ConvertExpr(convert.Target, changed[0], convert.Saturates),
                _ => throw new InvalidOperationException($"{expr.GetType().Name} has operands that nothing rewrites."),
            };
        }
    }

    /// <summary>All parts of an expression, each once, operands before what uses them.</summary>
    public static IReadOnlyList<Expr> Parts(Expr root)
    {
        List<Expr> parts = [];
        HashSet<Expr> seen = new(ReferenceEqualityComparer.Instance);
        Visit(root);
        return parts;

        void Visit(Expr expr)
        {
            if (!seen.Add(expr)) return;
            foreach (Expr operand in expr.Operands) Visit(operand);
            parts.Add(expr);
        }
    }

    public static IEnumerable<LoadExpr> Loads(Expr? root) => root is null ? [] : Parts(root).OfType<LoadExpr>();
}
