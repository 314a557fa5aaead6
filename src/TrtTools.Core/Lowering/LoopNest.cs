namespace TrtTools.Lowering;

internal enum Combiner
{
    Sum, Product, Maximum, Minimum, And, Or,
    /// <summary>The position (Int64, along the one reduced axis) of the first maximum or minimum.</summary>
    FirstMaximum, FirstMinimum, LastMaximum, LastMinimum,
}

/// <summary>
/// The unit that kernels are made of: for each point of <see cref="Space"/>, reduce <see cref="Body"/> over <see cref="Reduced"/> (if there is anything to reduce),
/// compute <see cref="Result"/> from that, and store it. Points are independent. What the Reference device computes by this definition, every kernel has to compute.
/// </summary>
internal sealed record LoopNest
{
    public required string Name { get; init; }

    /// <summary>One axis for each dimension of the target, outermost first.</summary>
    public required IReadOnlyList<Axis> Space { get; init; }

    public IReadOnlyList<Axis> Reduced { get; init; } = [];

    public Combiner Combine { get; init; }

    /// <summary>What is reduced; null when nothing is.</summary>
    public Expr? Body { get; init; }

    /// <summary>What is stored. Reads the reduction's value through <see cref="ReducedExpr"/>.</summary>
    public required Expr Result { get; init; }

    public required TensorView Target { get; init; }

    /// <summary>Where in the target a point is stored, for scatters; null: at the point itself. Must hit each element at most once, unless <see cref="ScatterCombine"/> says how they join.</summary>
    public IReadOnlyList<Expr>? Place { get; init; }

    public Combiner? ScatterCombine { get; init; }
}
