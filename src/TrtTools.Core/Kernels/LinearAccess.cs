using TrtTools.Lowering;
using TrtTools.Tensors;
using Index = TrtTools.Lowering.Index;

namespace TrtTools.Kernels;

/// <summary>Where an access stands in its storage: Offset + Σ factor · axis + Σ factor · term, in elements. Terms are what no sum of axes says: gathered indices, quotients.</summary>
internal sealed class LinearAccess
{
    private readonly Dictionary<Axis, DimExpr> _factors = [];

    private LinearAccess(TensorView view) => View = view;

    public TensorView View { get; }

    public DimExpr Offset { get; private set; } = DimExpr.Zero;

    public IReadOnlyCollection<Axis> Axes => _factors.Keys;

    public IReadOnlyList<(Expr Term, DimExpr Factor)> Terms { get; private set; } = [];

    public DimExpr Factor(Axis axis) => _factors.TryGetValue(axis, out DimExpr? factor) ? factor : DimExpr.Zero;

    public static LinearAccess Of(TensorView view, IReadOnlyList<Expr> index)
    {
        LinearAccess access = new(view) { Offset = view.Offset };
        List<(Expr Term, DimExpr Factor)> terms = [];
        for (int d = 0; d < index.Count; d++)
        {
            if (GeneratorOptions.Is(view.Strides[d], 0)) continue;
            Index.Sum sum = Index.Expand(index[d]);
            access.Offset += sum.Constant * view.Strides[d];
            foreach ((Expr term, DimExpr factor) in sum.Terms)
            {
                DimExpr total = factor * view.Strides[d];
                if (term is AxisExpr { Axis: { } axis })
                {
                    if (GeneratorOptions.Is(axis.Extent, 1)) continue;
                    DimExpr joined = access.Factor(axis) + total;
                    if (GeneratorOptions.Is(joined, 0)) access._factors.Remove(axis);
                    else access._factors[axis] = joined;
                }
                else
                {
                    terms.Add((term, total));
                }
            }
        }
        access.Terms = terms;
        return access;
    }
}

/// <summary>A loop of a kernel: an axis, or neighbouring axes that every access walks as one.</summary>
/// <param name="Members">Outermost first.</param>
internal sealed record LoopAxis(IReadOnlyList<Axis> Members, DimExpr Extent)
{
    /// <summary>What one step along it adds to an access.</summary>
    public DimExpr Factor(LinearAccess access) => access.Factor(Members[^1]);

    public bool Equals(LoopAxis? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}
