using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>Indices instead of scores: what counts when only the order matters.</summary>
internal static class TopIndices
{
    /// <summary>For each row along the last axis the places of the k largest elements, largest first; of equal ones the first.</summary>
    public static TensorData Of(TensorData data, int k)
    {
        if (data.Rank == 0 || !Data.TensorStatistics.Knows(data.Type)) return data;
        int width = checked((int)data.Shape[^1]), kept = Math.Min(k, width);
        double[] values = data.ToDouble();
        long rows = width == 0 ? 0 : values.LongLength / width;
        long[] indices = new long[rows * kept];
        for (long row = 0; row < rows; row++)
        {
            long start = row * width;
            // NaN counts as less than anything.
            int[] order = [.. Enumerable.Range(0, width).OrderByDescending(i => double.IsNaN(values[start + i]) ? double.NegativeInfinity : values[start + i]).ThenBy(i => i).Take(kept)];
            for (int i = 0; i < kept; i++) indices[row * kept + i] = order[i];
        }
        return TensorData.From<long>(indices, [.. data.Shape[..^1], kept]);
    }

    /// <summary>Elements that are not where the reference has them, nor within <paramref name="tolerance"/> places. As in Polygraphy the last
    /// <paramref name="tolerance"/> of each row are not looked at.</summary>
    public static long Misplaced(TensorData engine, TensorData reference, int tolerance)
    {
        int width = engine.Rank == 0 ? 1 : checked((int)engine.Shape[^1]);
        double[] a = engine.ToDouble(), r = reference.ToDouble();
        long wrong = 0;
        for (int start = 0; start < a.Length; start += width)
        {
            for (int i = 0; i < width - tolerance; i++)
            {
                if (a[start + i] == r[start + i]) continue;
                int at = System.Array.IndexOf(r, a[start + i], start, width);
                if (at < 0 || Math.Abs(at - start - i) > tolerance) wrong++;
            }
        }
        return wrong;
    }
}
