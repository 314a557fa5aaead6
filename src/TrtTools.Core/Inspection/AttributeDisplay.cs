using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Inspection;

/// <summary>Attributes, types and values as people read them.</summary>
internal static class AttributeDisplay
{
    private const int MostItems = 16, LongestText = 120;

    public static string Of(Attribute attribute)
    {
        if (attribute.Reference is { } reference) return $"@{reference}";
        return attribute.Content switch
        {
            float number => Number(number),
            long number => number.ToString(CultureInfo.InvariantCulture),
            byte[] => $"\"{Shorten(attribute.Text)}\"",
            float[] numbers => List(numbers.Length, i => Number(numbers[i])),
            long[] numbers => List(numbers.Length, i => numbers[i].ToString(CultureInfo.InvariantCulture)),
            byte[][] texts => List(texts.Length, i => $"\"{Shorten(System.Text.Encoding.UTF8.GetString(texts[i]))}\""),
            TensorData data => Values(data),
            TensorData[] many => List(many.Length, i => many[i].ToString()),
            Graph graph => $"graph of {graph.NodeCount.ToString(CultureInfo.InvariantCulture)} nodes",
            Graph[] graphs => List(graphs.Length, i => $"graph of {graphs[i].NodeCount.ToString(CultureInfo.InvariantCulture)} nodes"),
            _ => attribute.Kind.ToString(),
        };
    }

    /// <summary>Type, shape, and the values where they are few.</summary>
    public static string Values(TensorData data)
    {
        string type = Type(data.Type, data.Shape);
        if (data.ElementCount is 0 or > MostItems) return type;
        if (data.Type == DataType.String) return $"{type} = {List(data.Strings.Length, Texts(data))}";
        if (!Data.TensorStatistics.Knows(data.Type)) return type;
        double[] values = data.ToDouble();
        return $"{type} = {(data.Rank == 0 ? Number(values[0]) : List(values.Length, i => Number(values[i])))}";
    }

    public static string Type(DataType type, ReadOnlySpan<long> shape) => $"{type}[{string.Join(',', shape.ToArray())}]";

    public static string Type(Value value) => value.Type is null ? "?" : value.Type.ToString();

    /// <summary>"64×3×7×7", or the values of what holds one, or a few integers.</summary>
    public static string Brief(TensorData data)
    {
        bool few = data.ElementCount == 1 || data.ElementCount <= 4 && data.Type.IsInteger();
        if (!few || !Data.TensorStatistics.Knows(data.Type)) return string.Join('×', data.Shape.ToArray());
        // The largest integer stands for "to the end" in Slice.
        string values = string.Join(' ', data.ToDouble().Select(v => v >= long.MaxValue ? "end" : Number(v)));
        return data.ElementCount == 1 ? values : $"[{values}]";
    }

    public static string Number(double value) => ((float)value == value || !double.IsFinite(value) ? (float)value : value).ToString("G7", CultureInfo.InvariantCulture);

    public static string Shorten(string text, int longest = LongestText) => text.Length <= longest ? text : text[..(longest - 1)] + "…";

    private static Func<int, string> Texts(TensorData data)
    {
        string[] texts = data.Strings.ToArray();
        return i => $"\"{Shorten(texts[i])}\"";
    }

    private static string List(int count, Func<int, string> item) =>
        $"[{string.Join(", ", Enumerable.Range(0, Math.Min(count, MostItems)).Select(item))}{(count > MostItems ? $", … ({count.ToString(CultureInfo.InvariantCulture)})" : "")}]";
}
