using System.Collections;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>How an image is brought to the input's aspect ratio: stretched, shrunk to fit and padded, or filled and cut at the middle.</summary>
public enum ImageFit { Stretch, Pad, Crop }

public enum ImageColorOrder { RGB, BGR, Gray }

public enum ImageLayout { NCHW, NHWC }

/// <summary>How an image becomes a model's input: colour order, size, then (pixel × scale − mean) / standard deviation, then layout.
/// Resizing is half-pixel bilinear, antialiased when shrinking (the triangle is widened by the scale). Transparency is dropped, and a
/// camera's note of orientation (EXIF) is not followed.</summary>
public sealed record Preprocessing
{
    /// <summary>The input that takes the images; needed where the model has several.</summary>
    public string? Input { get; init; }

    /// <summary>Height and width; by default the input's own.</summary>
    public (int Height, int Width)? Size { get; init; }

    public ImageFit Fit { get; init; } = ImageFit.Stretch;

    /// <summary>The pixel value (0 to 255) around a padded image.</summary>
    public float PadValue { get; init; }

    /// <summary>By default RGB, or Gray for an input of one channel.</summary>
    public ImageColorOrder? ColorOrder { get; init; }

    /// <summary>By default NCHW unless the input's last extent is its number of channels.</summary>
    public ImageLayout? Layout { get; init; }

    /// <summary>By default 1/255 for floating-point inputs and 1 for integers.</summary>
    public double? Scale { get; init; }

    /// <summary>One number, or one per channel.</summary>
    public IReadOnlyList<double> Mean { get; init; } = [0];

    public IReadOnlyList<double> StandardDeviation { get; init; } = [1];

    /// <summary>Height and width of the raw images; needed only where the preprocessing becomes part of a graph.</summary>
    public (int Height, int Width)? ImageSize { get; init; }

    /// <summary>Reads a YAML file with the keys input, size ([height, width]), imageSize, fit (stretch, pad, crop), padValue, colorOrder (RGB, BGR, Gray),
    /// layout (NCHW, NHWC), scale (a number or a fraction such as 1/255), mean, std, resize (bilinear).</summary>
    public static Preprocessing Read(string path)
    {
        string full = Path.GetFullPath(path);
        string text = TensorFile.Reading(full, () => File.ReadAllText(full));
        return Parse(text, full);
    }

    /// <summary>Takes the same keys from a dictionary.</summary>
    public static Preprocessing From(IDictionary values) => PreprocessingReader.Read(values);

    internal static Preprocessing Parse(string text, string subject) => PreprocessingReader.Read(text, subject);

    /// <summary>Settles what was left open from the input's type and shape.</summary>
    internal ResolvedPreprocessing Resolve(InputInfo input)
    {
        if (input.Shape is not { Length: 3 or 4 } shape)
            throw Unfit(input, $"its shape is {InputInfo.ShapeText(input.Shape)}", "An input for images has 4 dimensions (or 3, without batch)");
        long[] image = shape.Length == 4 ? shape[1..] : shape;
        ImageLayout layout = Layout ?? (image[0] != 3 && (image[2] == 3 || image[0] != 1 && image[2] == 1) ? ImageLayout.NHWC : ImageLayout.NCHW);
        (long channels, long height, long width) = layout == ImageLayout.NCHW ? (image[0], image[1], image[2]) : (image[2], image[0], image[1]);
        ImageColorOrder order = ColorOrder ?? (channels == 1 ? ImageColorOrder.Gray : ImageColorOrder.RGB);
        int count = order == ImageColorOrder.Gray ? 1 : 3;
        if (channels >= 0 && channels != count) throw Unfit(input, $"it takes {channels} channels, and {order} gives {count}", "Set colorOrder and layout to match");
        (int Height, int Width) size = Size ?? (height > 0 && width > 0 ? ((int)height, (int)width)
            : throw Unfit(input, "its height or width is dynamic", "Set size: [height, width] in the preprocessing file"));
        if (height >= 0 && height != size.Height || width >= 0 && width != size.Width) throw Unfit(input, $"size is [{size.Height}, {size.Width}]", $"Set size: [{height}, {width}], or leave it out");
        if (Mean.Count != 1 && Mean.Count != count || StandardDeviation.Count != 1 && StandardDeviation.Count != count) throw Unfit(input, $"mean or std has another number of values than the {count} channels", "Give one, or one per channel");
        if (!input.DataType.IsFloatingPoint() && input.DataType is not (DataType.UInt8 or DataType.Int8 or DataType.Int32)) throw Unfit(input, $"its type is {input.DataType}", "Give its data as .npy files");
        return new ResolvedPreprocessing(input.Name, input.DataType, size.Height, size.Width, Fit, PadValue, order, layout, shape.Length == 4,
            Scale ?? (input.DataType.IsFloatingPoint() ? 1.0 / 255 : 1), [.. Enumerable.Range(0, count).Select(c => Mean[Math.Min(c, Mean.Count - 1)])],
            [.. Enumerable.Range(0, count).Select(c => StandardDeviation[Math.Min(c, StandardDeviation.Count - 1)])]);
    }

    private static TrtToolsException Unfit(InputInfo input, string found, string next) =>
        new(ErrorCode.DataInvalid, $"Input '{input.Name}'", "images do not fit it: " + found, "", next);
}
