using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Cuts two shapes of equal element count into the smallest runs of axes that hold equally many elements.</summary>
internal static class ReshapeGroups
{
    public static IReadOnlyList<(Range From, Range To)> Of(IReadOnlyList<DimExpr> from, IReadOnlyList<DimExpr> to)
    {
        List<(Range, Range)> groups = [];
        int i = 0, j = 0;
        while (i < from.Count || j < to.Count)
        {
            int startI = i, startJ = j;
            DimExpr left = i < from.Count ? from[i++] : DimExpr.One, right = j < to.Count ? to[j++] : DimExpr.One;
            while (!left.Equals(right))
            {
                // Take from the side that is known to be smaller; when that can't be told, from both to the end.
                bool takeLeft = left.IsConstant && right.IsConstant ? left.Value < right.Value : Divides(left, right) || !Divides(right, left);
                if (takeLeft && i < from.Count) left *= from[i++];
                else if (j < to.Count) right *= to[j++];
                else if (i < from.Count) left *= from[i++];
                else break;
            }
            groups.Add((startI..i, startJ..j));
        }
        return groups;
    }

    private static bool Divides(DimExpr a, DimExpr b) => !(a is { IsConstant: true, Value: <= 0 }) && (DimExpr.FloorDiv(b, a) * a).Equals(b);
}
