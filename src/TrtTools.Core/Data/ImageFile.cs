using System.Globalization;
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
        if (how.ExactSize && (image.Height, image.Width) != (how.Height, how.Width))
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, path, string.Create(CultureInfo.InvariantCulture, $"the image has {image.Height} × {image.Width} pixels"),
                string.Create(CultureInfo.InvariantCulture, $"{how.Height} × {how.Width}: the graph resizes inside what this camera gives"), "Give pictures of that size, or use the graph without its preprocessing and the same -Preprocessing");
        }
        return ImagePixels.ToTensor(image.Data, image.Height, image.Width, how);
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
