using System.Globalization;
using TrtTools.Tensors;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

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

    private static readonly string[] Keys = ["input", "size", "fit", "padValue", "colorOrder", "layout", "scale", "mean", "std", "resize"];

    /// <summary>Reads a YAML file with the keys input, size ([height, width]), fit (stretch, pad, crop), padValue, colorOrder (RGB, BGR, Gray),
    /// layout (NCHW, NHWC), scale (a number or a fraction such as 1/255), mean, std, resize (bilinear).</summary>
    public static Preprocessing Read(string path)
    {
        string full = Path.GetFullPath(path);
        string text = TensorFile.Reading(full, () => File.ReadAllText(full));
        return Parse(text, full);
    }

    internal static Preprocessing Parse(string text, string subject)
    {
        YamlStream yaml = new();
        try
        {
            yaml.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw Invalid(subject, $"line {e.Start.Line.ToString(CultureInfo.InvariantCulture)} is no YAML ({e.Message.TrimEnd('.')})", "A mapping of keys to values", e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // What the parser throws where it loses its place.
            throw Invalid(subject, "it is no YAML", "A mapping of keys to values", e);
        }
        if (yaml.Documents.Count == 0) return new Preprocessing();
        if (yaml.Documents[0].RootNode is not YamlMappingNode map) throw Invalid(subject, "the file holds no mapping", "Keys such as 'size: [224, 224]'");
        Preprocessing result = new();
        foreach ((YamlNode keyNode, YamlNode node) in map.Children)
        {
            string key = (keyNode as YamlScalarNode)?.Value ?? "";
            result = key switch
            {
                "input" => result with { Input = Text(node, key, subject) },
                "size" => result with { Size = ReadSize(node, subject) },
                "fit" => result with { Fit = Choice<ImageFit>(node, key, subject) },
                "padValue" => result with { PadValue = (float)Number(node, key, subject) },
                "colorOrder" => result with { ColorOrder = Choice<ImageColorOrder>(node, key, subject) },
                "layout" => result with { Layout = Choice<ImageLayout>(node, key, subject) },
                "scale" => result with { Scale = Number(node, key, subject) },
                "mean" => result with { Mean = Numbers(node, key, subject) },
                "std" => result with { StandardDeviation = Numbers(node, key, subject) is { } std && !std.Contains(0) ? std : throw Invalid(subject, "'std' is 0", "Numbers other than 0") },
                "resize" => Text(node, key, subject).Equals("bilinear", StringComparison.OrdinalIgnoreCase) ? result : throw Invalid(subject, $"'resize' is '{Text(node, key, subject)}'", "bilinear"),
                _ => throw Invalid(subject, $"the key '{key}' is unknown", NearestName.Advice(key, Keys, "key")),
            };
        }
        return result;
    }

    private static (int, int) ReadSize(YamlNode node, string subject)
    {
        double[] numbers = Numbers(node, "size", subject);
        if (numbers.Length == 1) numbers = [numbers[0], numbers[0]];
        if (numbers.Length != 2 || numbers.Any(n => n != Math.Floor(n) || n < 1 || n > 65536)) throw Invalid(subject, $"'size' is {node}", "[height, width] in whole pixels");
        return ((int)numbers[0], (int)numbers[1]);
    }

    private static string Text(YamlNode node, string key, string subject) =>
        (node as YamlScalarNode)?.Value ?? throw Invalid(subject, $"'{key}' is {node}", "One value");

    private static T Choice<T>(YamlNode node, string key, string subject) where T : struct, Enum
    {
        string text = Text(node, key, subject);
        return Enum.GetNames<T>().Contains(text, StringComparer.OrdinalIgnoreCase) ? Enum.Parse<T>(text, ignoreCase: true)
            : throw Invalid(subject, $"'{key}' is '{text}'", "One of " + string.Join(", ", Enum.GetNames<T>()));
    }

    private static double[] Numbers(YamlNode node, string key, string subject) =>
        node is YamlSequenceNode list ? [.. list.Select(n => Number(n, key, subject))] : [Number(node, key, subject)];

    private static double Number(YamlNode node, string key, string subject)
    {
        string text = Text(node, key, subject);
        string[] parts = text.Split('/');
        if (parts.Length <= 2 && double.TryParse(parts[0], NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
        {
            if (parts.Length == 1 && double.IsFinite(number)) return number;
            if (parts.Length == 2 && double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double divisor) && double.IsFinite(number / divisor)) return number / divisor;
        }
        throw Invalid(subject, $"'{key}' is '{text}'", "A number such as 0.5, or a fraction such as 1/255");
    }

    private static TrtToolsException Invalid(string subject, string found, string expected, Exception? inner = null) =>
        new(ErrorCode.DataInvalid, subject, found, expected.StartsWith("Did you", StringComparison.Ordinal) || expected.StartsWith("The ", StringComparison.Ordinal) ? expected : "Expected: " + expected, "Mend the preprocessing file", inner);

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

/// <summary>A <see cref="Preprocessing"/> with every choice made.</summary>
internal sealed record ResolvedPreprocessing(string Input, DataType DataType, int Height, int Width, ImageFit Fit, float PadValue,
    ImageColorOrder ColorOrder, ImageLayout Layout, bool HasBatch, double Scale, double[] Mean, double[] StandardDeviation);
