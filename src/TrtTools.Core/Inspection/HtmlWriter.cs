using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using TrtTools.Data;

namespace TrtTools.Inspection;

/// <summary>A diagram as one page that needs nothing else: the data as JSON, the script and the style inside.</summary>
internal static partial class HtmlWriter
{
    public static string Write(Diagram diagram)
    {
        // In one pass: what is put in is not searched again.
        return Mark().Replace(Resource("page.html"), match => match.Value switch
        {
            "{{title}}" => WebUtility.HtmlEncode(diagram.Title), "{{style}}" => Resource("page.css"), "{{script}}" => Resource("page.js"), _ => Json(diagram),
        });
    }

    [GeneratedRegex(@"\{\{(title|style|script|data)\}\}")]
    private static partial Regex Mark();

    private static string Resource(string name)
    {
        using Stream stream = typeof(HtmlWriter).Assembly.GetManifestResourceStream($"TrtTools.Inspection.Page.{name}")!;
        using StreamReader reader = new(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    // The default encoder writes '<' as \u003C, so that no name can end the script element.
    private static string Json(Diagram diagram)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.Default }))
        {
            json.WriteStartObject();
            json.WriteString("title", diagram.Title);
            Pairs(json, "facts", diagram.Facts);
            json.WriteStartArray("bounds");
            foreach (double edge in new[] { diagram.Left, diagram.Top, diagram.Right, diagram.Bottom }) json.WriteNumberValue(Math.Round(edge, 1));
            json.WriteEndArray();
            json.WriteStartObject("categories");
            foreach ((string name, string color) in DiagramColors.Categories.Where(c => diagram.Boxes.Any(b => b.Category == c.Name))) json.WriteString(name, color);
            json.WriteEndObject();
            json.WriteStartObject("groups");
            foreach ((string name, string color) in DiagramColors.Groups(diagram)) json.WriteString(name, color);
            json.WriteEndObject();
            if (diagram.Engine is { } engine) json.WriteString("engine", engine);
            double slowest = diagram.Boxes.Max(b => b.LayerMs) ?? 0;
            json.WriteNumber("slowest", slowest);
            json.WriteStartArray("boxes");
            foreach (DiagramBox box in diagram.Boxes) Box(json, box, slowest);
            json.WriteEndArray();
            json.WriteStartArray("lines");
            foreach (DiagramLine line in diagram.Lines) Line(json, line);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static void Box(Utf8JsonWriter json, DiagramBox box, double slowest)
    {
        json.WriteStartObject();
        json.WriteString("kind", box.Kind switch { BoxKind.Input => "input", BoxKind.Output => "output", _ => "node" });
        json.WriteString("title", box.Title);
        json.WriteString("name", box.Name);
        json.WriteString("category", box.Category);
        if (box.Domain.Length > 0) json.WriteString("domain", box.Domain);
        if (box.Scope.Length > 0) json.WriteString("scope", box.Scope);
        json.WriteStartArray("at");
        foreach (double number in new[] { box.X, box.Y, box.Width, box.Height }) json.WriteNumberValue(Math.Round(number, 1));
        json.WriteEndArray();
        json.WriteStartArray("text");
        foreach (string line in box.Lines) json.WriteStringValue(line);
        json.WriteEndArray();
        if (box.Attributes.Count > 0) Pairs(json, "attributes", box.Attributes);
        Tensors(json, "inputs", box.Inputs);
        Tensors(json, "outputs", box.Outputs);
        if (box.Sources.Count > 1 || box.Sources.Count == 1 && box.Sources[0] != box.Name)
        {
            json.WriteStartArray("sources");
            foreach (string source in box.Sources) json.WriteStringValue(source);
            json.WriteEndArray();
        }
        if (box.Group is { } group) json.WriteString("group", group);
        if (box.Layer is { } layer) json.WriteString("layer", layer);
        if (box.LayerMs is { } ms)
        {
            json.WriteNumber("ms", ms);
            json.WriteNumber("percent", Math.Round(box.LayerPercent ?? 0, 2));
            json.WriteString("heat", DiagramColors.OfHeat(slowest > 0 ? ms / slowest : 0));
        }
        json.WriteEndObject();
    }

    private static void Tensors(Utf8JsonWriter json, string name, List<DiagramTensor> tensors)
    {
        if (tensors.Count == 0) return;
        json.WriteStartArray(name);
        foreach (DiagramTensor tensor in tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteString("type", tensor.Type);
            if (tensor.Constant is { } constant) json.WriteString("constant", constant);
            if (tensor.Statistic is { } statistic) Statistic(json, statistic);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void Statistic(Utf8JsonWriter json, TensorStatistic statistic)
    {
        json.WriteStartObject("statistic");
        foreach ((string name, double value) in new[] { ("mean", statistic.Mean), ("std", statistic.StandardDeviation), ("min", statistic.Minimum), ("median", statistic.Median), ("max", statistic.Maximum), ("zeros", statistic.ElementCount == 0 ? 0 : 100.0 * statistic.ZeroCount / statistic.ElementCount) })
        {
            json.WriteString(name, value.ToString("G5", CultureInfo.InvariantCulture));
        }
        if (statistic.NaNCount + statistic.InfinityCount > 0) json.WriteNumber("bad", statistic.NaNCount + statistic.InfinityCount);
        json.WriteStartArray("bars");
        foreach (HistogramBin bin in statistic.Histogram) json.WriteNumberValue(bin.Count);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Line(Utf8JsonWriter json, DiagramLine line)
    {
        json.WriteStartObject();
        json.WriteNumber("from", line.From);
        json.WriteNumber("to", line.To);
        json.WriteString("label", SvgWriter.ShortType(line.Tensors[0].Type));
        if (line.IsFar) json.WriteBoolean("far", true);
        json.WriteStartArray("points");
        foreach ((double x, double y) in line.Points)
        {
            json.WriteNumberValue(Math.Round(x, 1));
            json.WriteNumberValue(Math.Round(y, 1));
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Pairs(Utf8JsonWriter json, string name, IEnumerable<(string Name, string Text)> pairs)
    {
        json.WriteStartArray(name);
        foreach ((string key, string text) in pairs)
        {
            json.WriteStartArray();
            json.WriteStringValue(key);
            json.WriteStringValue(text);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }
}
