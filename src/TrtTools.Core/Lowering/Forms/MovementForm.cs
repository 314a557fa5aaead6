using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operators whose elements change place, not value.</summary>
internal static class MovementForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["Identity"] = node => Move(node, index => index),
        ["Reshape"] = Reshape, ["Flatten"] = Reshape, ["Squeeze"] = Reshape, ["Unsqueeze"] = Reshape,
        ["Transpose"] = Transpose,
        ["Expand"] = Expand,
    };

    /// <summary>Each element of output 0 is the input's element at the index given.</summary>
    public static string? Move(NodeLowering node, Func<Expr[], IReadOnlyList<Expr>> place)
    {
        LoweredValue source = node.Input(0);
        node.EmitMap(index => NodeLowering.LoadAt(source, place(index)));
        return null;
    }

    private static string? Reshape(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        DimExpr[] shape = node.OutputShape();
        return Move(node, index => Reindex(index, shape, source.Shape));
    }

    /// <summary>The index, in a tensor of shape <paramref name="to"/>, of the element that stands at <paramref name="index"/> in one of shape <paramref name="from"/>, both row by row.</summary>
    public static IReadOnlyList<Expr> Reindex(IReadOnlyList<Expr> index, IReadOnlyList<DimExpr> from, IReadOnlyList<DimExpr> to)
    {
        Expr[] result = new Expr[to.Count];
        foreach ((Range own, Range other) in ReshapeGroups.Of(from, to))
        {
            (int start, int end) = (own.Start.Value, own.End.Value);
            Expr linear = Ex.Zero;
            for (int axis = start; axis < end; axis++) linear = Ex.Add(Ex.Mul(linear, Ex.Extent(from[axis])), index[axis]);
            for (int axis = other.End.Value - 1; axis >= other.Start.Value; axis--)
            {
                bool first = axis == other.Start.Value;
                result[axis] = to[axis] is { IsConstant: true, Value: 1 } ? Ex.Zero : first ? linear : Ex.Mod(linear, to[axis]);
                if (!first) linear = Ex.FloorDiv(linear, to[axis]);
            }
        }
        return result;
    }

    private static string? Transpose(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        int[] permutation = node.View.Permutation(source.Rank);
        return Move(node, index =>
        {
            Expr[] own = new Expr[index.Length];
            for (int axis = 0; axis < index.Length; axis++) own[permutation[axis]] = index[axis];
            return own;
        });
    }

    private static string? Expand(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        DimExpr[] shape = node.OutputShape();
        node.EmitMap(index => NodeLowering.LoadBroadcast(source, index, shape));
        return null;
    }
}
