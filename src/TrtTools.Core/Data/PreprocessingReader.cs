using System.Collections;
using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace TrtTools.Data;

/// <summary>Reads a <see cref="Preprocessing"/> from YAML or a dictionary.</summary>
internal static class PreprocessingReader
{
    private static readonly string[] Keys = ["input", "size", "imageSize", "fit", "padValue", "colorOrder", "layout", "scale", "mean", "std", "resize"];

    public static Preprocessing Read(string text, string subject)
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
        return Read(map, subject);
    }

    /// <summary>Numbers and texts, and lists of them.</summary>
    public static Preprocessing Read(IDictionary values)
    {
        ArgumentNullException.ThrowIfNull(values);
        const string subject = "The preprocessing";
        YamlMappingNode map = new();
        foreach (DictionaryEntry entry in values)
        {
            string key = Key(Convert.ToString(TensorConversion.Unwrap(entry.Key), CultureInfo.InvariantCulture)!);
            object? value = TensorConversion.Unwrap(entry.Value!);
            if (map.Children.ContainsKey(new YamlScalarNode(key))) throw Invalid(subject, $"'{key}' is given twice", "One value");
            map.Add(key, value is IEnumerable many and not string ? new YamlSequenceNode(many.Cast<object?>().Select(Scalar)) : Scalar(value));
        }
        return Read(map, subject);

        // Keys of a hashtable go by name whatever the case, as everywhere in PowerShell.
        static string Key(string given) => Array.Find(Keys, k => k.Equals(given, StringComparison.OrdinalIgnoreCase)) ?? given;

        static YamlNode Scalar(object? value) => new YamlScalarNode(Convert.ToString(value is null ? null : TensorConversion.Unwrap(value), CultureInfo.InvariantCulture) ?? "");
    }

    private static Preprocessing Read(YamlMappingNode map, string subject)
    {
        Preprocessing result = new();
        foreach ((YamlNode keyNode, YamlNode node) in map.Children)
        {
            string key = (keyNode as YamlScalarNode)?.Value ?? "";
            result = key switch
            {
                "input" => result with { Input = Text(node, key, subject) },
                "size" => result with { Size = ReadSize(node, key, subject) },
                "imageSize" => result with { ImageSize = ReadSize(node, key, subject) },
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

    private static (int, int) ReadSize(YamlNode node, string key, string subject)
    {
        double[] numbers = Numbers(node, key, subject);
        if (numbers.Length == 1) numbers = [numbers[0], numbers[0]];
        if (numbers.Length != 2 || numbers.Any(n => n != Math.Floor(n) || n < 1 || n > 65536)) throw Invalid(subject, $"'{key}' is {node}", "[height, width] in whole pixels");
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
        new(ErrorCode.DataInvalid, subject, found, expected.StartsWith("Did you", StringComparison.Ordinal) || expected.StartsWith("The ", StringComparison.Ordinal) ? expected : "Expected: " + expected, "Mend the description of the preprocessing", inner);
}
