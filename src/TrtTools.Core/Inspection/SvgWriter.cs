using System.Globalization;
using System.Net;
using System.Text;

namespace TrtTools.Inspection;

/// <summary>A diagram as a picture.</summary>
internal static class SvgWriter
{
    private const double Margin = 24;

    public static string Write(Diagram diagram)
    {
        IReadOnlyDictionary<string, string> groups = DiagramColors.Groups(diagram);
        double slowest = diagram.Boxes.Max(b => b.LayerMs) ?? 0;
        double width = diagram.Right - diagram.Left + 2 * Margin, height = diagram.Bottom - diagram.Top + 2 * Margin;
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:0}\" height=\"{height:0}\" viewBox=\"{N(diagram.Left - Margin)} {N(diagram.Top - Margin)} {N(width)} {N(height)}\" font-family=\"Helvetica, Arial, sans-serif\">\n");
        text.Append(CultureInfo.InvariantCulture, $"<title>{Escape(diagram.Title)}</title>\n<rect x=\"{N(diagram.Left - Margin)}\" y=\"{N(diagram.Top - Margin)}\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
        text.Append("<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8Z\" fill=\"#8a8a8a\"/></marker></defs>\n<g fill=\"none\" stroke=\"#8a8a8a\" marker-end=\"url(#a)\">\n");
        foreach (DiagramLine line in diagram.Lines)
        {
            text.Append(CultureInfo.InvariantCulture, $"<path d=\"{Path(line)}\"{(line.IsFar ? " stroke-opacity=\"0.4\" stroke-dasharray=\"4 3\"" : "")} marker-end=\"url(#a)\"><title>{Escape(string.Join("\n", line.Tensors.Select(t => $"{t.Name}: {t.Type}")))}</title></path>\n");
        }
        text.Append("</g>\n<g font-size=\"9\" fill=\"#6a6a6a\">\n");
        HashSet<string> labelled = new(StringComparer.Ordinal);
        foreach (DiagramLine line in diagram.Lines.Where(l => !l.IsFar && labelled.Add(l.Tensors[0].Name)))
        {
            (double x, double y) = line.Points[0];
            text.Append(CultureInfo.InvariantCulture, $"<text x=\"{N(x + 4)}\" y=\"{N(y + 11)}\">{Escape(ShortType(line.Tensors[0].Type))}</text>\n");
        }
        text.Append("</g>\n<g text-anchor=\"middle\">\n");
        foreach (DiagramBox box in diagram.Boxes) Append(text, box, groups, slowest);
        return text.Append("</g>\n</svg>\n").ToString();
    }

    private static void Append(StringBuilder text, DiagramBox box, IReadOnlyDictionary<string, string> groups, double slowest)
    {
        string fill = slowest > 0 ? box.LayerMs is { } ms ? DiagramColors.OfHeat(ms / slowest) : "#e4e4e4" : DiagramColors.OfCategory(box.Category);
        string ink = slowest > 0 && (box.LayerMs ?? 0) / slowest < 0.4 ? "#202020" : "#ffffff";
        string stroke = box.Group is { } group && groups.TryGetValue(group, out string? color) ? $" stroke=\"{color}\" stroke-width=\"3\"" : slowest > 0 ? " stroke=\"#9a9a9a\"" : "";
        text.Append(CultureInfo.InvariantCulture, $"<g><title>{Escape(string.Join("\n", Details(box)))}</title><rect x=\"{N(box.X - box.Width / 2)}\" y=\"{N(box.Y - box.Height / 2)}\" width=\"{N(box.Width)}\" height=\"{N(box.Height)}\" rx=\"{(box.Kind == BoxKind.Node ? 4 : 12)}\" fill=\"{fill}\"{stroke}/>");
        double y = box.Y - box.Height / 2 + 17;
        text.Append(CultureInfo.InvariantCulture, $"<text x=\"{N(box.X)}\" y=\"{N(y)}\" font-size=\"12\" font-weight=\"bold\" fill=\"{ink}\">{Escape(AttributeDisplay.Shorten(box.Title, 44))}</text>");
        foreach (string line in box.Lines)
        {
            y += 14;
            text.Append(CultureInfo.InvariantCulture, $"<text x=\"{N(box.X)}\" y=\"{N(y)}\" font-size=\"10\" fill=\"{ink}\">{Escape(AttributeDisplay.Shorten(line, 54))}</text>");
        }
        text.Append("</g>\n");
    }

    private static IEnumerable<string> Details(DiagramBox box)
    {
        yield return box.Name;
        if (box.Scope.Length > 0) yield return $"in {box.Scope}";
        foreach ((string name, string value) in box.Attributes) yield return $"{name} = {value}";
        if (box.Layer is { } layer) yield return $"layer {layer}";
    }

    private static string Path(DiagramLine line)
    {
        IReadOnlyList<(double X, double Y)> points = line.Points;
        if (points.Count == 2 && points[0].X != points[1].X)
        {
            double bend = Math.Min(60, Math.Max(12, (points[1].Y - points[0].Y) / 2));
            return $"M{N(points[0].X)} {N(points[0].Y)}C{N(points[0].X)} {N(points[0].Y + bend)} {N(points[1].X)} {N(points[1].Y - bend)} {N(points[1].X)} {N(points[1].Y)}";
        }
        StringBuilder path = new($"M{N(points[0].X)} {N(points[0].Y)}");
        for (int i = 1; i < points.Count - 1; i++)
        {
            // Rounded corners: half way to each neighbour at most.
            (double x1, double y1) = Toward(points[i], points[i - 1]);
            (double x2, double y2) = Toward(points[i], points[i + 1]);
            path.Append(CultureInfo.InvariantCulture, $"L{N(x1)} {N(y1)}Q{N(points[i].X)} {N(points[i].Y)} {N(x2)} {N(y2)}");
        }
        return path.Append(CultureInfo.InvariantCulture, $"L{N(points[^1].X)} {N(points[^1].Y)}").ToString();
    }

    private static (double X, double Y) Toward((double X, double Y) from, (double X, double Y) to)
    {
        double length = Math.Max(1e-9, Math.Sqrt((to.X - from.X) * (to.X - from.X) + (to.Y - from.Y) * (to.Y - from.Y)));
        double step = Math.Min(14, length / 2) / length;
        return (from.X + (to.X - from.X) * step, from.Y + (to.Y - from.Y) * step);
    }

    /// <summary>"1×3×48×320" of "Float32[1,3,48,320]"; a long name of an extent becomes three dots.</summary>
    internal static string ShortType(string type)
    {
        int open = type.IndexOf('[', StringComparison.Ordinal);
        if (open < 0) return type;
        if (open + 2 == type.Length) return "scalar";
        List<string> extents = [];
        int depth = 0, start = open + 1;
        for (int i = start; i < type.Length; i++)
        {
            // "max(a,b)" is one extent.
            if (type[i] is '(') depth++;
            else if (type[i] is ')') depth--;
            else if (depth == 0 && (type[i] is ',' or ']'))
            {
                extents.Add(i - start > 10 ? "…" : type[start..i]);
                start = i + 1;
            }
        }
        return string.Join('×', extents);
    }

    private static string N(double value) => Math.Round(value, 1).ToString(CultureInfo.InvariantCulture);

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
