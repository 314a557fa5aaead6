using System.Numerics.Tensors;
using TrtTools.Tensors;
using Tensor = TrtTools.Tensors.Tensor;

namespace TrtTools.Data;

/// <summary>Makes a model's input of pixels: colour order, size, scale, layout.</summary>
internal static class ImagePixels
{
    /// <param name="rgb">Rows of red, green and blue.</param>
    public static Tensor ToTensor(ReadOnlySpan<byte> rgb, int height, int width, ResolvedPreprocessing how)
    {
        float[][] planes = ToPlanes(rgb, height * width, how.ColorOrder);
        for (int c = 0; c < planes.Length; c++) planes[c] = Place(planes[c], height, width, how);
        for (int c = 0; c < planes.Length; c++)
        {
            (float factor, float offset) = how.Normalization(c);
            if (factor != 1) TensorPrimitives.Multiply(planes[c], factor, planes[c]);
            if (offset != 0) TensorPrimitives.Add(planes[c], offset, planes[c]);
        }
        int pixels = how.Height * how.Width;
        float[] all = new float[planes.Length * pixels];
        for (int c = 0; c < planes.Length; c++)
        {
            if (how.Layout == ImageLayout.NCHW) planes[c].CopyTo(all, c * pixels);
            else
            {
                for (int p = 0; p < pixels; p++) all[p * planes.Length + c] = planes[c][p];
            }
        }
        if (how.DataType is DataType.UInt8 or DataType.Int8 or DataType.Int32)
        {
            (float low, float high) = how.IntegerRange;
            for (int i = 0; i < all.Length; i++) all[i] = Math.Clamp(MathF.Round(all[i]), low, high);
        }
        return TensorConversion.From(all, how.Input, how.DataType, how.Shape);
    }

    private static float[][] ToPlanes(ReadOnlySpan<byte> rgb, int pixels, ImageColorOrder order)
    {
        if (order == ImageColorOrder.Gray)
        {
            float[] gray = new float[pixels];
            for (int p = 0; p < pixels; p++) gray[p] = 0.299f * rgb[p * 3] + 0.587f * rgb[p * 3 + 1] + 0.114f * rgb[p * 3 + 2];
            return [gray];
        }
        float[][] planes = [new float[pixels], new float[pixels], new float[pixels]];
        for (int c = 0; c < 3; c++)
        {
            float[] plane = planes[order == ImageColorOrder.RGB ? c : 2 - c];
            for (int p = 0; p < pixels; p++) plane[p] = rgb[p * 3 + c];
        }
        return planes;
    }

    private static float[] Place(float[] plane, int height, int width, ResolvedPreprocessing how)
    {
        ImagePlacement place = ImagePlacement.Of(how.Fit, height, width, how.Height, how.Width);
        float[] inner = ImageResizer.Resize(plane, height, width, place.Height, place.Width);
        if (how.Fit == ImageFit.Stretch) return inner;
        float[] result = new float[how.Height * how.Width];
        Array.Fill(result, how.PadValue);
        for (int y = Math.Max(0, place.Top); y < Math.Min(how.Height, place.Top + place.Height); y++)
        {
            int x = Math.Max(0, place.Left), end = Math.Min(how.Width, place.Left + place.Width);
            inner.AsSpan((y - place.Top) * place.Width + x - place.Left, end - x).CopyTo(result.AsSpan(y * how.Width + x));
        }
        return result;
    }
}

/// <summary>Where a resized image stands in the one that is made: its size, and its first row and column, which are negative where it is cut.</summary>
internal readonly record struct ImagePlacement(int Height, int Width, int Top, int Left)
{
    public static ImagePlacement Of(ImageFit fit, int height, int width, int newHeight, int newWidth)
    {
        if (fit == ImageFit.Stretch) return new ImagePlacement(newHeight, newWidth, 0, 0);
        double byHeight = (double)newHeight / height, byWidth = (double)newWidth / width;
        double ratio = fit == ImageFit.Pad ? Math.Min(byHeight, byWidth) : Math.Max(byHeight, byWidth);
        int innerHeight = Math.Max(1, (int)Math.Round(height * ratio)), innerWidth = Math.Max(1, (int)Math.Round(width * ratio));
        // Where the inner image is larger it is cut at the middle, where it is smaller it stands there.
        return new ImagePlacement(innerHeight, innerWidth, (newHeight - innerHeight) / 2, (newWidth - innerWidth) / 2);
    }
}
