using TrtTools.Lowering;
using TrtTools.Tensors;
using Index = TrtTools.Lowering.Index;

namespace TrtTools.Tactics;

/// <summary>Where a load reads, when that is linear in the loops: storage element Offset + Σ stride · axis.</summary>
internal sealed record Footprint(Storage Storage, DimExpr Offset, IReadOnlyDictionary<Axis, DimExpr> Strides)
{
    /// <summary>Elements from one step of the axis to the next; 0 when the load does not depend on it.</summary>
    public DimExpr Stride(Axis axis) => Strides.TryGetValue(axis, out DimExpr? stride) ? stride : DimExpr.Zero;

    /// <summary>Null when an index is not linear, such as one that is looked up or clamped.</summary>
    public static Footprint? Of(LoadExpr load) => Of(load.Source, load.Index);

    public static Footprint? Of(TensorView view, IReadOnlyList<Expr> index)
    {
        DimExpr offset = view.Offset;
        Dictionary<Axis, DimExpr> strides = [];
        for (int d = 0; d < index.Count; d++)
        {
            Index.Sum sum = Index.Expand(index[d]);
            offset += sum.Constant * view.Strides[d];
            foreach ((Expr term, DimExpr factor) in sum.Terms)
            {
                if (term is not AxisExpr { Axis: { } axis }) return null;
                strides[axis] = (strides.TryGetValue(axis, out DimExpr? known) ? known : DimExpr.Zero) + (factor * view.Strides[d]);
            }
        }
        return new Footprint(view.Storage, offset, strides);
    }

    /// <summary>Of a nest's target: each point is stored at itself.</summary>
    public static Footprint Target(LoopNest nest) =>
        new(nest.Target.Storage, nest.Target.Offset, nest.Space.Select((axis, d) => (axis, nest.Target.Strides[d])).ToDictionary(p => p.axis, p => p.Item2));
}
