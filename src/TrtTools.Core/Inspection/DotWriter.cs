using System.Globalization;
using System.Text;

namespace TrtTools.Inspection;

/// <summary>A diagram in Graphviz's language; `dot` gives it its layout.</summary>
internal static class DotWriter
{
    public static string Write(Diagram diagram)
    {
        IReadOnlyDictionary<string, string> groups = DiagramColors.Groups(diagram);
        double slowest = diagram.Boxes.Max(b => b.LayerMs) ?? 0;
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"digraph {Quote(diagram.Title)} {{\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, fontcolor=white];\n  edge [fontname=\"Helvetica\", fontsize=9, color=\"#7a7a7a\"];\n");
        foreach (DiagramBox box in diagram.Boxes)
        {
            string label = string.Join("\\n", box.Lines.Prepend(box.Title).Select(Escape));
            string color = slowest > 0 ? box.LayerMs is { } ms ? Hex(ms / slowest) : "#8a8a8a" : DiagramColors.OfCategory(box.Category);
            text.Append(CultureInfo.InvariantCulture, $"  n{box.Id} [label=\"{label}\", tooltip={Quote(box.Name)}, fillcolor=\"{color}\"{(slowest > 0 ? ", fontcolor=black" : "")}{(box.Kind == BoxKind.Node ? "" : ", shape=ellipse")}{(box.Group is not null ? ", penwidth=2" : "")}];\n");
        }
        foreach (DiagramLine line in diagram.Lines) text.Append(CultureInfo.InvariantCulture, $"  n{line.From} -> n{line.To} [label={Quote(line.Tensors[0].Type)}, tooltip={Quote(string.Join(", ", line.Tensors.Select(t => t.Name)))}];\n");
        int number = 0;
        foreach (string group in groups.Keys)
        {
            // Fused functions are one box each; only the layers of several boxes are drawn around.
            List<DiagramBox> boxes = [.. diagram.Boxes.Where(b => b.Group == group && b.Layer is not null)];
            if (boxes.Count < 2) continue;
            text.Append(CultureInfo.InvariantCulture, $"  subgraph cluster_{number++} {{ label={Quote(group)}; style=rounded; color=\"#8e3bb0\"; fontname=\"Helvetica\"; fontsize=9; {string.Join(' ', boxes.Select(b => $"n{b.Id};"))} }}\n");
        }
        return text.Append("}\n").ToString();
    }

    // Graphviz knows no hsl(): the same ramp in RGB.
    private static string Hex(double share)
    {
        double at = Math.Sqrt(Math.Clamp(share, 0, 1));
        (int r, int g, int b) = ((int)(250 - 60 * at), (int)(225 - 190 * at), (int)(150 - 120 * at));
        return $"#{r:x2}{g:x2}{b:x2}";
    }

    private static string Quote(string text) => $"\"{Escape(text)}\"";

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", " ", StringComparison.Ordinal);
}
