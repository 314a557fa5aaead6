using CsCheck;
using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Tests.Data;

public sealed class ImageTests
{
    [Fact]
    public void Doubling_is_half_pixel_bilinear() =>
        // Centres of the new pixels lie at -0.25, 0.25, 0.75, 1.25 of the old ones; the border repeats.
        Assert.Equal([0f, 2.5f, 7.5f, 10f], ImageResizer.Resize([0, 10], 1, 2, 1, 4), Near);

    [Fact]
    public void Halving_is_antialiased() =>
        // Support 2 around centre 1: distances 0.5, 0.5, 1.5 give weights 0.75, 0.75, 0.25 over their sum 1.75.
        Assert.Equal([(0 * 0.75f + 0 * 0.75f + 14 * 0.25f) / 1.75f, (0 * 0.25f + 14 * 0.75f + 14 * 0.75f) / 1.75f], ImageResizer.Resize([0, 0, 14, 14], 1, 4, 1, 2), Near);

    [Fact]
    public void A_constant_stays_constant_and_equal_size_is_untouched()
    {
        Gen.Select(Gen.Int[1, 9], Gen.Int[1, 9], Gen.Int[1, 9], Gen.Int[1, 9]).Sample((h, w, newHeight, newWidth) =>
        {
            float[] plane = new float[h * w];
            Array.Fill(plane, 7);
            Assert.All(ImageResizer.Resize(plane, h, w, newHeight, newWidth), v => Assert.Equal(7, v, 1e-5f));
        });
        float[] random = [1, 5, 2, 8];
        Assert.Equal(random, ImageResizer.Resize(random, 2, 2, 2, 2));
    }

    [Fact]
    public void Resizing_equals_the_definition()
    {
        Gen.Select(Gen.Int[1, 12], Gen.Int[1, 12], Gen.Int[1, 12], Gen.Int[1, 12], Gen.Float[0, 255].Array[144]).Sample((h, w, newHeight, newWidth, values) =>
        {
            float[] actual = ImageResizer.Resize(values.AsSpan(0, h * w), h, w, newHeight, newWidth);
            for (int y = 0; y < newHeight; y++)
            {
                for (int x = 0; x < newWidth; x++)
                {
                    double sum = 0, weights = 0;
                    for (int sy = 0; sy < h; sy++)
                    {
                        for (int sx = 0; sx < w; sx++)
                        {
                            double weight = Triangle(y, sy, h, newHeight) * Triangle(x, sx, w, newWidth);
                            sum += weight * values[sy * w + sx];
                            weights += weight;
                        }
                    }
                    Assert.Equal(sum / weights, actual[y * newWidth + x], 1e-3);
                }
            }
        }, iter: 30);

        static double Triangle(int target, int source, int size, int newSize)
        {
            double scale = (double)size / newSize;
            return Math.Max(0, 1 - Math.Abs((target + 0.5) * scale - (source + 0.5)) / Math.Max(1, scale));
        }
    }

    private static Preprocessing Parse(string yaml) => Preprocessing.Parse(yaml, "p.yaml");

    [Fact]
    public void Preprocessing_is_read()
    {
        Preprocessing p = Parse("size: [240, 320]\nfit: pad\npadValue: 114\ncolorOrder: bgr\nlayout: NCHW\nscale: 1/128\nmean: [1, 2, 3]\nstd: 0.5\nresize: bilinear\n");
        Assert.Equal((240, 320), p.Size);
        Assert.Equal(ImageFit.Pad, p.Fit);
        Assert.Equal(ImageColorOrder.BGR, p.ColorOrder);
        Assert.Equal(1.0 / 128, p.Scale);
        Assert.Equal([1, 2, 3], p.Mean);
        Assert.Equal([0.5], p.StandardDeviation);
    }

    [Theory]
    [InlineData("maen: 1", "mean")]
    [InlineData("scale: 1/0", "scale")]
    [InlineData("std: [1, 0, 1]", "std")]
    [InlineData("size: 1.5", "size")]
    [InlineData("layout: CHW", "NCHW")]
    [InlineData("- 1", "mapping")]
    [InlineData("a: [1", "is no YAML")]
    public void Mistakes_in_preprocessing_are_named(string yaml, string named)
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Parse(yaml));
        Assert.Equal(ErrorCode.DataInvalid, e.Code);
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }

    /// <summary>A 24-bit BMP, bottom row first, blue-green-red.</summary>
    internal static byte[] Bitmap(int width, int height, params byte[] rgb)
    {
        int stride = (width * 3 + 3) / 4 * 4;
        byte[] file = new byte[54 + stride * height];
        file[0] = (byte)'B';
        file[1] = (byte)'M';
        BitConverter.TryWriteBytes(file.AsSpan(2), file.Length);
        BitConverter.TryWriteBytes(file.AsSpan(10), 54);
        BitConverter.TryWriteBytes(file.AsSpan(14), 40);
        BitConverter.TryWriteBytes(file.AsSpan(18), width);
        BitConverter.TryWriteBytes(file.AsSpan(22), height);
        file[26] = 1;
        file[28] = 24;
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width * 3; x++) file[54 + (height - 1 - y) * stride + x] = rgb[y * width * 3 + x / 3 * 3 + 2 - x % 3];
        }
        return file;
    }

    private static float[] Load(byte[] image, Preprocessing how, long[] shape)
    {
        using TestFolder folder = new();
        File.WriteAllBytes(folder.File("i.bmp"), image);
        Tensor tensor = ImageFile.Read(folder.File("i.bmp"), how.Resolve(new InputInfo("x", DataType.Float32, shape)));
        return (float[])tensor.Data;
    }

    [Fact]
    public void Colour_order_layout_and_normalization()
    {
        byte[] image = Bitmap(2, 1, 255, 0, 51, 0, 102, 204);
        Assert.Equal([1f, 0, 0, 0.4f, 0.2f, 0.8f], Load(image, new(), [1, 3, 1, 2]), Near);
        Assert.Equal([0.2f, 0.8f, 0, 0.4f, 1, 0], Load(image, new() { ColorOrder = ImageColorOrder.BGR }, [1, 3, 1, 2]), Near);
        Assert.Equal([1f, 0, 0.2f, 0, 0.4f, 0.8f], Load(image, new(), [-1, 1, 2, 3]), Near);
        Assert.Equal([1f, -1, 0, -0.2f, -0.6f, 0.6f], Load(image, new() { Mean = [0.5, 0, 0.5], StandardDeviation = [0.5, -2, 0.5] }, [1, 3, 1, 2]), Near);
        Assert.Equal([(0.299f * 255 + 0.114f * 51) / 255, (0.587f * 102 + 0.114f * 204) / 255], Load(image, new(), [1, 1, 1, 2]), Near);
    }

    [Fact]
    public void Fit_pads_or_cuts_at_the_middle()
    {
        byte[] image = Bitmap(2, 1, 10, 10, 10, 20, 20, 20);
        Preprocessing plain = new() { Scale = 1 };
        Assert.Equal([0f, 0, 10, 20], Load(Bitmap(2, 1, 10, 10, 10, 20, 20, 20), plain with { Fit = ImageFit.Pad, PadValue = 0 }, [1, 1, 2, 2]).Order(), Near);
        Assert.Equal([15f], Load(image, plain with { Fit = ImageFit.Crop }, [1, 1, 1, 1]).Select(v => v > 9 && v < 21 ? 15f : v), Near);
    }

    [Fact]
    public void What_is_no_image_is_named()
    {
        foreach (byte[] bytes in new[] { "no image"u8.ToArray(), [], [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, 0, 0], [0xFF, 0xD8, 0xFF, 0xE0, 0, 16] })
        {
            TrtToolsException e = Assert.Throws<TrtToolsException>(() => Load(bytes, new(), [1, 3, 2, 2]));
            Assert.Equal(ErrorCode.DataInvalid, e.Code);
            Assert.Contains("i.bmp", e.Message, StringComparison.Ordinal);
        }
    }

    private static readonly IEqualityComparer<float> Near = EqualityComparer<float>.Create((a, b) => MathF.Abs(a - b) <= 1e-5f * (1 + MathF.Abs(a)), _ => 0);
}
