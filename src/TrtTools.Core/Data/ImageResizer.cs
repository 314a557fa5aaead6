using System.Numerics.Tensors;

namespace TrtTools.Data;

/// <summary>Half-pixel bilinear resizing of planar float images. When shrinking, the triangle is widened by the scale, so that every source
/// pixel counts (antialiasing); weights past the border are left out and the rest normalized.</summary>
internal static class ImageResizer
{
    /// <param name="source">Rows of one channel.</param>
    public static float[] Resize(ReadOnlySpan<float> source, int height, int width, int newHeight, int newWidth)
    {
        if (height == newHeight && width == newWidth) return source.ToArray();
        (int[] start, float[][] weight) = Weights(width, newWidth);
        float[] wide = new float[height * newWidth];
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<float> row = source.Slice(y * width, width);
            for (int x = 0; x < newWidth; x++) wide[y * newWidth + x] = TensorPrimitives.Dot(row.Slice(start[x], weight[x].Length), weight[x]);
        }
        (start, weight) = Weights(height, newHeight);
        float[] result = new float[newHeight * newWidth];
        for (int y = 0; y < newHeight; y++)
        {
            Span<float> row = result.AsSpan(y * newWidth, newWidth);
            for (int k = 0; k < weight[y].Length; k++)
                TensorPrimitives.MultiplyAdd(wide.AsSpan((start[y] + k) * newWidth, newWidth), weight[y][k], row, row);
        }
        return result;
    }

    /// <summary>Of each new pixel: the first old one that counts, and the weights from there on.</summary>
    public static (int[] Start, float[][] Weight) Weights(int size, int newSize)
    {
        int[] start = new int[newSize];
        float[][] weight = new float[newSize][];
        double scale = (double)size / newSize;
        double support = Math.Max(1, scale);
        for (int i = 0; i < newSize; i++)
        {
            double center = (i + 0.5) * scale;
            int first = Math.Max(0, (int)Math.Floor(center - support + 0.5));
            int end = Math.Min(size, (int)Math.Floor(center + support + 0.5));
            double[] raw = new double[end - first];
            for (int k = 0; k < raw.Length; k++) raw[k] = Math.Max(0, 1 - Math.Abs(first + k + 0.5 - center) / support);
            double sum = raw.Sum();
            start[i] = first;
            weight[i] = [.. raw.Select(w => (float)(w / sum))];
        }
        return (start, weight);
    }
}
