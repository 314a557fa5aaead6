using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Which extents of a reshaped tensor come from which of its source: both read from the left, cut where the products of the fixed extents are equal.</summary>
internal static class ReshapeExtents
{
    /// <summary>The target's extents when the source's fixed extents <paramref name="from"/> become <paramref name="free"/>; null where a free extent cannot be followed.</summary>
    public static DimExpr[]? Follow(IReadOnlyList<long> from, IReadOnlyList<DimExpr> free, IReadOnlyList<long> to)
    {
        DimExpr[] result = [.. to.Select(t => DimExpr.Constant(t))];
        int i = 0, j = 0;
        while (i < from.Count || j < to.Count)
        {
            int firstFrom = i, firstTo = j;
            long a = i < from.Count ? from[i++] : 1, b = j < to.Count ? to[j++] : 1;
            while (a != b)
            {
                if (a < b && i < from.Count) a *= from[i++];
                else if (b < a && j < to.Count) b *= to[j++];
                else return null;
            }
            if (!Place(from, free, firstFrom, i, result, to, firstTo, j)) return null;
        }
        return result;
    }

    private static bool Place(IReadOnlyList<long> from, IReadOnlyList<DimExpr> free, int firstFrom, int endFrom, DimExpr[] result, IReadOnlyList<long> to, int firstTo, int endTo)
    {
        List<int> symbolic = [.. Enumerable.Range(firstFrom, endFrom - firstFrom).Where(k => !free[k].IsConstant)];
        if (symbolic.Count == 0) return true;
        if (endTo == firstTo) return false;
        if (endTo - firstTo == 1)
        {
            result[firstTo] = Enumerable.Range(firstFrom, endFrom - firstFrom).Aggregate(DimExpr.One, (p, k) => p * free[k]);
            return true;
        }
        // One source extent split over several: the free one is the outermost that is as large, else the outermost that it divides.
        if (symbolic is not [int only]) return false;
        long old = from[only];
        for (int k = firstTo; k < endTo; k++)
        {
            if (to[k] != old && (old == 0 || to[k] % old != 0)) continue;
            result[k] = free[only] * (to[k] / Math.Max(old, 1));
            return true;
        }
        return false;
    }
}
