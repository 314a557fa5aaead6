using System.Globalization;
using System.Text;
using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Writes the grammar that <see cref="GraphText"/> describes.</summary>
internal sealed class GraphTextPrinter
{
    private const int ShownElements = 16;

    /// <summary>Writes "@name" where a node's name is not its first output's.</summary>
    public bool ShowNames { get; init; } = true;

    public string Model(OnnxGraph graph)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"<ir {graph.IrVersion}");
        foreach ((string domain, long version) in graph.OpsetImports) text.Append(CultureInfo.InvariantCulture, $", {(domain.Length == 0 ? "opset" : Name(domain))} {version}");
        text.Append(">\n").Append(GraphText(graph.Body, "")).Append('\n');
        foreach (Function function in graph.FunctionTable.Values.OrderBy(f => f.Key))
        {
            text.Append($"function {Name(function.Domain)}::{Name(function.Name)}");
            IEnumerable<string> attributes = function.RequiredAttributes.Select(Name).Concat(function.DefaultAttributes.Select(a => AttributeText(a, "")));
            if (attributes.Any()) text.Append('<').AppendJoin(", ", attributes).Append('>');
            text.Append('(').AppendJoin(", ", function.Body.Inputs.Select(TypedName)).Append(") -> ");
            text.AppendJoin(", ", function.Body.Outputs.Select(o => Name(o.Name))).Append(" {\n");
            Statements(function.Body, text, "  ");
            text.Append("}\n");
        }
        return text.ToString();
    }

    public string NodeText(Node node, string indent = "")
    {
        StringBuilder text = new();
        text.AppendJoin(", ", node.Outputs.Select(o => o is null ? "_" : ShowNames ? TypedName(o) : Name(o.Name))).Append(" = ");
        if (node.Domain.Length > 0) text.Append(Name(node.Domain)).Append("::");
        text.Append(Name(node.OpType)).Append('(').AppendJoin(", ", node.Inputs.Select(i => i is null ? "_" : Name(i.Name))).Append(')');
        if (node.Attributes.Count > 0)
        {
            text.Append('{').AppendJoin(", ", node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal).Select(a => AttributeText(a, indent))).Append('}');
        }
        string usual = node.Outputs.FirstOrDefault(o => o is not null)?.Name ?? "";
        if (ShowNames && node.Name.Length > 0 && node.Name != usual) text.Append(" @").Append(Name(node.Name));
        return text.ToString();
    }

    private string GraphText(Graph graph, string indent)
    {
        StringBuilder text = new();
        if (graph.Owner is not null) text.Append('(');
        text.AppendJoin(", ", graph.Inputs.Select(TypedName));
        if (graph.Owner is not null) text.Append(')');
        text.Append(text.Length > 0 ? " -> " : "-> ").AppendJoin(", ", graph.Outputs.Select(o => o.Graph == graph && o.Producer is null ? Name(o.Name) : TypedName(o))).Append(" {\n");
        Statements(graph, text, indent + "  ");
        return text.Append(indent).Append('}').ToString();
    }

    private void Statements(Graph graph, StringBuilder text, string indent)
    {
        foreach (Value initializer in graph.Initializers) text.Append(indent).Append(Name(initializer.Name)).Append(" = ").Append(TensorText(initializer.Data!)).Append('\n');
        foreach (Node node in graph.Nodes) text.Append(indent).Append(NodeText(node, indent)).Append('\n');
    }

    private string AttributeText(Attribute attribute, string indent) => $"{Name(attribute.Name)}=" + (attribute.Reference is { } reference ? $"${Name(reference)}:{attribute.Kind}" : attribute.Content switch
    {
        float v => Float(v),
        long v => v.ToString(CultureInfo.InvariantCulture),
        byte[] => GraphTextTokens.Quote(attribute.Text),
        float[] v => v.Length == 0 ? "floats[]" : $"[{string.Join(", ", v.Select(f => Float(f)))}]",
        long[] v => $"[{string.Join(", ", v.Select(i => i.ToString(CultureInfo.InvariantCulture)))}]",
        byte[][] v => v.Length == 0 ? "strings[]" : $"[{string.Join(", ", v.Select(s => GraphTextTokens.Quote(Encoding.UTF8.GetString(s))))}]",
        TensorData v => TensorText(v),
        Graph v => GraphText(v, indent),
        Graph[] v => $"[{string.Join(", ", v.Select(g => GraphText(g, indent)))}]",
        _ => attribute.Kind.ToString(),
    });

    private static string TensorText(TensorData data)
    {
        string type = data.Rank == 0 ? data.Type.ToString() : data.ToString();
        if (data.Type == DataType.String) return $"{type} {List(data, data.Strings.ToArray().Select(GraphTextTokens.Quote))}";
        bool shown = data.ElementCount <= ShownElements && (data.Type.IsFloatingPoint() || data.Type.IsInteger() || data.Type == DataType.Bool);
        if (!shown) return $"{type} data({Checksum(data):x8})";
        if (data.Type == DataType.UInt64) return $"{type} {List(data, data.AsSpan<ulong>().ToArray().Select(v => v.ToString(CultureInfo.InvariantCulture)))}";
        return $"{type} " + (data.Type.IsFloatingPoint()
            ? List(data, data.ToDouble().Select(v => data.Type == DataType.Float64 ? Double(v) : Float((float)v)))
            : List(data, data.ToInt64().Select(v => data.Type == DataType.Bool ? (v != 0 ? "true" : "false") : v.ToString(CultureInfo.InvariantCulture))));
    }

    private static string List(TensorData data, IEnumerable<string> elements) => data.Rank == 0 ? elements.First() : $"[{string.Join(", ", elements)}]";

    /// <summary>FNV-1a over the bytes.</summary>
    private static uint Checksum(TensorData data)
    {
        uint hash = 2166136261;
        for (long at = 0; at < data.ByteCount; at += 1 << 20)
        {
            foreach (byte b in data.Slice(at, (int)Math.Min(1 << 20, data.ByteCount - at))) hash = (hash ^ b) * 16777619;
        }
        return hash;
    }

    private static string Float(float value) => Pointed(value.ToString("R", CultureInfo.InvariantCulture));

    private static string Double(double value) => Pointed(value.ToString("R", CultureInfo.InvariantCulture));

    private static string Pointed(string number) => number switch
    {
        "Infinity" => "inf",
        "-Infinity" => "-inf",
        "NaN" => "nan",
        _ => number.AsSpan().ContainsAny('.', 'E') ? number.Replace("E+", "e").Replace('E', 'e') : number + ".0",
    };

    private static string TypedName(Value value) => value.Type is null ? Name(value.Name) : $"{Name(value.Name)}: {TypeText(value.Type)}";

    private static string TypeText(TensorType type) =>
        type.Shape is null ? type.DataType.ToString() : $"{type.DataType}[{string.Join(",", type.Shape.Dimensions.Select(d => d is null ? "?" : d.IsConstant ? d.ToString() : Name(d.ToString())))}]";

    private static string Name(string name) => GraphTextTokens.IsPlainName(name) ? name : GraphTextTokens.Quote(name);
}
