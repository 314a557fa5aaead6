using System.Numerics.Tensors;
using StbImageSharp;
using TrtTools.Tensors;
using Tensor = TrtTools.Tensors.Tensor;

namespace TrtTools.Data;

/// <summary>Decodes an image file and makes it a model's input.</summary>
internal static class ImageFile
{
    private static readonly HashSet<string> Extensions = [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tga", ".psd", ".hdr"];

    public static bool IsImage(string path) => Extensions.Contains(TensorFile.Extension(path));

    public static Tensor Read(string path, ResolvedPreprocessing how)
    {
        ImageResult image = Decode(path);
        float[][] planes = ToPlanes(image, how.ColorOrder);
        for (int c = 0; c < planes.Length; c++) planes[c] = Place(planes[c], image.Height, image.Width, how);
        for (int c = 0; c < planes.Length; c++)
        {
            // (x·scale − mean) / std in one rounding each way.
            float factor = (float)(how.Scale / how.StandardDeviation[c]);
            float offset = (float)(-how.Mean[c] / how.StandardDeviation[c]);
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
        long[] shape = how.Layout == ImageLayout.NCHW ? [planes.Length, how.Height, how.Width] : [how.Height, how.Width, planes.Length];
        if (how.HasBatch) shape = [1, .. shape];
        if (how.DataType is DataType.UInt8 or DataType.Int8 or DataType.Int32)
        {
            (float low, float high) = how.DataType switch { DataType.UInt8 => (0f, 255f), DataType.Int8 => (-128f, 127f), _ => (-2147483520f, 2147483520f) };
            for (int i = 0; i < all.Length; i++) all[i] = Math.Clamp(MathF.Round(all[i]), low, high);
        }
        return TensorConversion.From(all, how.Input, how.DataType, shape);
    }

    private static ImageResult Decode(string path)
    {
        byte[] bytes = TensorFile.Reading(path, () => File.ReadAllBytes(path));
        try
        {
            using EndGuardStream stream = new(bytes);
            ImageResult image = ImageResult.FromStream(stream, ColorComponents.RedGreenBlue);
            if (image is { Width: > 0, Height: > 0 }) return image;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The decoder reports damage by whatever exception its own code meets.
            throw Invalid(path, e);
        }
        throw Invalid(path, null);
    }

    private static TrtToolsException Invalid(string path, Exception? inner) =>
        new(ErrorCode.DataInvalid, path, "the file is no image that can be decoded", "Expected a whole PNG, JPEG, BMP, GIF, TGA or PSD image", "Replace it or take it out of the folder", inner);

    private static float[][] ToPlanes(ImageResult image, ImageColorOrder order)
    {
        int pixels = image.Width * image.Height;
        ReadOnlySpan<byte> rgb = image.Data;
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
        if (how.Fit == ImageFit.Stretch) return ImageResizer.Resize(plane, height, width, how.Height, how.Width);
        double byHeight = (double)how.Height / height, byWidth = (double)how.Width / width;
        double ratio = how.Fit == ImageFit.Pad ? Math.Min(byHeight, byWidth) : Math.Max(byHeight, byWidth);
        int innerHeight = Math.Max(1, (int)Math.Round(height * ratio)), innerWidth = Math.Max(1, (int)Math.Round(width * ratio));
        float[] inner = ImageResizer.Resize(plane, height, width, innerHeight, innerWidth);
        float[] result = new float[how.Height * how.Width];
        Array.Fill(result, how.PadValue);
        // Where the inner image is larger it is cut at the middle, where it is smaller it stands there.
        int top = (how.Height - innerHeight) / 2, left = (how.Width - innerWidth) / 2;
        for (int y = Math.Max(0, top); y < Math.Min(how.Height, top + innerHeight); y++)
        {
            int x = Math.Max(0, left), end = Math.Min(how.Width, left + innerWidth);
            inner.AsSpan((y - top) * innerWidth + x - left, end - x).CopyTo(result.AsSpan(y * how.Width + x));
        }
        return result;
    }

    /// <summary>Ends a decoder that goes on past the end of a cut file: it would take the missing bytes for zeros, some of them for ever.</summary>
    private sealed class EndGuardStream(byte[] bytes) : MemoryStream(bytes, writable: false)
    {
        private int _readsPastEnd;

        public override int ReadByte()
        {
            int value = base.ReadByte();
            if (value < 0) Count();
            return value;
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = base.Read(buffer, offset, count);
            if (read == 0 && count > 0) Count();
            return read;
        }

        public override int Read(Span<byte> buffer)
        {
            int read = base.Read(buffer);
            if (read == 0 && !buffer.IsEmpty) Count();
            return read;
        }

        private void Count()
        {
            // The probes of the other formats read a little past the end of a very small file.
            if (++_readsPastEnd > 256) throw new EndOfStreamException();
        }
    }
}
