using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>A scalar computed at one point of a loop nest. Expressions are trees; a subtree that is used twice is the same object and computed once.</summary>
internal abstract class Expr(ScalarType type)
{
    public ScalarType Type { get; } = type;

    public virtual IReadOnlyList<Expr> Operands => [];
}

internal sealed class ConstantExpr : Expr
{
    public ConstantExpr(double value, ScalarType type = ScalarType.Float32) : base(type) => Number = value;

    public ConstantExpr(long value, ScalarType type = ScalarType.Int64) : base(type) => Integer = value;

    /// <summary>The value of a floating-point constant.</summary>
    public double Number { get; }

    /// <summary>The value of an integer or Boolean (0, 1) constant.</summary>
    public long Integer { get; }
}

/// <summary>The loop variable of an axis.</summary>
internal sealed class AxisExpr(Axis axis) : Expr(ScalarType.Int64)
{
    public Axis Axis { get; } = axis;
}

/// <summary>A dimension, known when the shapes are.</summary>
internal sealed class ExtentExpr(DimExpr extent) : Expr(ScalarType.Int64)
{
    public DimExpr Extent { get; } = extent;
}

/// <summary>An element of a tensor. The index must lie inside the shape whenever the load is reached: <see cref="SelectExpr"/> guards what may not be.</summary>
internal sealed class LoadExpr(TensorView source, IReadOnlyList<Expr> index) : Expr(source.Type.ScalarType())
{
    public TensorView Source { get; } = source;

    public IReadOnlyList<Expr> Index { get; } = index;

    public override IReadOnlyList<Expr> Operands => Index;
}

/// <summary>A function of the table in <see cref="ScalarFunctions"/>.</summary>
internal sealed class CallExpr(ScalarFunction function, ScalarType type, IReadOnlyList<Expr> arguments) : Expr(type)
{
    public ScalarFunction Function { get; } = function;

    public override IReadOnlyList<Expr> Operands { get; } = arguments;
}

/// <summary>One of two; only the chosen one is evaluated.</summary>
internal sealed class SelectExpr(Expr condition, Expr whenTrue, Expr whenFalse) : Expr(whenTrue.Type)
{
    public Expr Condition { get; } = condition;

    public Expr WhenTrue { get; } = whenTrue;

    public Expr WhenFalse { get; } = whenFalse;

    public override IReadOnlyList<Expr> Operands { get; } = [condition, whenTrue, whenFalse];
}

/// <summary>A value as a tensor of type <paramref name="target"/> would hold it, by ONNX's rules for Cast (to integers: toward zero, then wrapped).</summary>
internal sealed class ConvertExpr(DataType target, Expr value, bool saturates = false) : Expr(target.ScalarType())
{
    public DataType Target { get; } = target;

    public Expr Value { get; } = value;

    /// <summary>Clamp to the target's range instead of wrapping, and round to nearest even first (QuantizeLinear).</summary>
    public bool Saturates { get; } = saturates;

    public override IReadOnlyList<Expr> Operands { get; } = [value];
}

/// <summary>What a nest's reduction gave, in its <see cref="LoopNest.Result"/>.</summary>
internal sealed class ReducedExpr(ScalarType type) : Expr(type);
