using System.Globalization;

namespace TrtTools.Inspection;

/// <summary>Colours of boxes: by kind of work, by group, by time.</summary>
internal static class DiagramColors
{
    /// <summary>Categories in the order of the legend, with the hue of each.</summary>
    public static IReadOnlyList<(string Name, string Color)> Categories { get; } =
    [
        ("Input", "#4d4d4d"), ("Output", "#4d4d4d"), ("Fused", "#8e3bb0"), ("Matrix and convolution", "#2f6db5"), ("Pointwise", "#3a8f5c"), ("Normalization and attention", "#b3651d"),
        ("Reduction, pooling, resize", "#1c8c91"), ("Shape and movement", "#77828e"), ("Control and recurrence", "#a8324e"), ("Function", "#8e3bb0"), ("Other", "#6b5aa8"), ("Unknown", "#c02020"),
    ];

    public static string OfCategory(string category) => Categories.First(c => c.Name == category).Color;

    /// <summary>A colour for the group of this number: hues a golden angle apart, so that neighbours differ.</summary>
    public static string OfGroup(int number) => string.Create(CultureInfo.InvariantCulture, $"hsl({number * 137 % 360}, 55%, 42%)");

    /// <summary>From pale yellow to dark red; the square root, so that small shares can be told apart.</summary>
    public static string OfHeat(double share)
    {
        double at = Math.Sqrt(Math.Clamp(share, 0, 1));
        return string.Create(CultureInfo.InvariantCulture, $"hsl({50 - 50 * at:0}, {60 + 30 * at:0}%, {78 - 40 * at:0}%)");
    }

    /// <summary>Groups in the order of their first box.</summary>
    public static IReadOnlyDictionary<string, string> Groups(Diagram diagram)
    {
        Dictionary<string, string> colors = new(StringComparer.Ordinal);
        foreach (DiagramBox box in diagram.Boxes)
        {
            if (box.Group is { } group) colors.TryAdd(group, OfGroup(colors.Count));
        }
        return colors;
    }
}
