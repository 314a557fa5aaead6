using System.Globalization;
using System.Text.RegularExpressions;
using TrtTools.Engines.Proto;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>The layers of a CPU engine: the nodes of the graph as ONNX Runtime optimized it, traced back to the nodes of the imported model.</summary>
internal sealed partial class LayerList
{
    private readonly CanonicalForm _form;
    private readonly Graph _running;
    private readonly Dictionary<Node, List<Value>> _computes = [];
    private readonly HashSet<Value> _boundaries = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    // Numbered names stand inside the names that ONNX Runtime makes of them: "v12_nchwc", "fused n7".
    [GeneratedRegex(@"(?<![A-Za-z0-9])([vn]\d+)(?![0-9])", RegexOptions.CultureInvariant)]
    private static partial Regex Numbered();

    private readonly HashSet<string>? _known;

    private LayerList(CanonicalForm form, Graph running, OnnxGraph? unquantized)
    {
        // What quantization put in is no node of the model.
        _known = unquantized is null ? null : [.. unquantized.Body.Nodes.SelectMany(n => n.SourceNodes.Count > 0 ? n.SourceNodes : [n.DisplayName])];
        _form = form;
        _running = running;
    }

    /// <param name="running">The graph as ONNX Runtime optimized it.</param>
    /// <param name="unquantized">The graph before the build quantized it, if it did.</param>
    public static IReadOnlyList<Layer> Of(CanonicalForm form, OnnxGraph running, OnnxGraph? unquantized) => new LayerList(form, running.Body, unquantized).Run();

    private List<Layer> Run()
    {
        foreach (Node node in _running.Nodes)
        {
            List<Value> computes = IsReorder(node) ? [] : Computes(node);
            _computes[node] = computes;
            _boundaries.UnionWith(computes);
        }
        return [.. _running.Nodes.Select(Describe)];
    }

    /// <summary>The values of our graph that a node computes.</summary>
    private List<Value> Computes(Node node)
    {
        List<Value> values = [.. node.Outputs.Where(o => o is not null).Select(o => _form.Graph.Body.Find(o!.Name)).OfType<Value>().Where(v => v.Producer is not null)];
        if (values.Count > 0) return values;
        if (ByName(node) is not { } value) return [];
        // A Conv that adds a residual, or applies an activation, carries the name of the Conv alone.
        if (HasSum(node) && Follow(value, "Add") is { } sum) value = sum;
        if (node.Attributes.String("activation", "") is { Length: > 0 } activation && Follow(value, activation) is { } activated) value = activated;
        // An integer layer ends where its result is quantized; the rectifier before that is part of it.
        if (IsInteger(node))
        {
            for (Value at = value; at.Uses is [{ } use] && use.Node is { OpType: "Relu" or "Clip" or "QuantizeLinear" };)
            {
                at = use.Node.Output()!;
                if (use.Node.OpType == "QuantizeLinear")
                {
                    value = at;
                    break;
                }
            }
        }
        return [value];
    }

    private static bool IsInteger(Node node) => node.OpType.StartsWith("QLinear", StringComparison.Ordinal) || node.OpType.StartsWith("QGemm", StringComparison.Ordinal)
        || node.OpType.Contains("Integer", StringComparison.Ordinal) || node.OpType.StartsWith("DynamicQuantizeMatMul", StringComparison.Ordinal);

    private static Value? Follow(Value value, string opType) => value.Uses is [{ } use] && use.Node.Is(opType) ? use.Node.Output() : null;

    private Value? ByName(Node node)
    {
        foreach (string text in node.Outputs.Select(o => o?.Name ?? "").Prepend(node.Name))
        {
            foreach (Match match in Numbered().Matches(text))
            {
                string name = match.Groups[1].Value;
                Value? value = name[0] == 'v' ? _form.Graph.Body.Find(name) : _form.Graph.Body.Nodes.FirstOrDefault(n => string.Equals(n.Name, name, StringComparison.Ordinal))?.Outputs.FirstOrDefault(o => o is not null);
                if (value?.Producer is not null) return value;
            }
            // An output keeps its own name in the front of those made of it.
            Value? output = _form.Graph.Body.Outputs.Where(o => o.Producer is not null && text.StartsWith(o.Name, StringComparison.Ordinal)).MaxBy(o => o.Name.Length);
            if (output is not null) return output;
        }
        return null;
    }

    private Layer Describe(Node node)
    {
        List<Node> sources = Sources(node);
        Layer layer = new()
        {
            Name = DisplayName(node, sources), RuntimeName = node.Name, Kind = Kind(node), Tactic = node.Domain.Length == 0 ? node.OpType : $"{node.Domain}::{node.OpType}", Precision = Precision(node),
            InputShape = string.Join(", ", node.Inputs.Where(i => i is { IsConstant: false }).Select(i => TypeText(i!))), OutputShape = string.Join(", ", node.Outputs.OfType<Value>().Select(TypeText)),
            WeightBytes = node.Inputs.Where(i => i is { IsConstant: true }).Sum(i => i!.Data!.ByteCount),
        };
        layer.SourceNodes.Add(sources.SelectMany(Originals).Where(n => _known is null || _known.Contains(n)).Distinct(StringComparer.Ordinal));
        return layer;
    }

    /// <summary>The nodes of our graph that lie between the layer's outputs and what other layers compute, in the order they run.</summary>
    private List<Node> Sources(Node layer)
    {
        HashSet<Node> found = [];
        Stack<Value> open = new(_computes[layer]);
        while (open.TryPop(out Value? value))
        {
            if (value.Producer is not { } producer || !found.Add(producer)) continue;
            foreach (Value input in producer.Inputs.OfType<Value>())
            {
                if (input.Producer is not null && !_boundaries.Contains(input)) open.Push(input);
            }
        }
        return [.. _form.Graph.Body.Nodes.Where(found.Contains)];
    }

    private IEnumerable<string> Originals(Node node)
    {
        if (!_form.Originals.TryGetValue(node.Name, out Node? original)) return [];
        return original.SourceNodes.Count > 0 ? original.SourceNodes : [original.DisplayName];
    }

    private string DisplayName(Node node, List<Node> sources)
    {
        string name = sources.FindLast(s => _known is null || Originals(s).Any(_known.Contains)) is { } last ? OriginalName(last) : sources.Count > 0 ? OriginalName(sources[^1]) : IsReorder(node) ? $"{Kind(node)} {TraceName(node)}" : node.DisplayName;
        string unique = name;
        for (int i = 2; !_names.Add(unique); i++) unique = string.Create(CultureInfo.InvariantCulture, $"{name} ({i})");
        return unique;
    }

    private string OriginalName(Node node) => _form.Originals.TryGetValue(node.Name, out Node? original) ? original.DisplayName : $"{node.OpType} of '{(node.Inputs[0]!.IsGraphInput ? node.Inputs[0] : node.Outputs[0])!.Name}'";

    private string TraceName(Node reorder)
    {
        List<Value> values = Computes(reorder);
        return values.Count > 0 ? OriginalName(values[0].Producer!) : reorder.Inputs.OfType<Value>().FirstOrDefault()?.Name ?? reorder.Name;
    }

    private static bool IsReorder(Node node) => node.OpType is "ReorderInput" or "ReorderOutput";

    private static string Kind(Node node)
    {
        string kind = node.OpType switch
        {
            "FusedConv" => "Conv", "FusedGemm" => "Gemm", "FusedMatMul" => "MatMul", "ReorderInput" or "ReorderOutput" => "Reorder",
            "QGemm" => "Gemm", _ when node.OpType.StartsWith("QLinear", StringComparison.Ordinal) => node.OpType["QLinear".Length..], _ => node.OpType,
        };
        string activation = node.Attributes.String("activation", "");
        return kind + (HasSum(node) ? " + Add" : "") + (activation.Length > 0 ? $" + {activation}" : "");
    }

    private static bool HasSum(Node node) => node.Input(3) is not null && (node.OpType is "FusedConv" || node.OpType is "Conv" && node.Domain.Contains("nchwc", StringComparison.Ordinal));

    private string Precision(Node node)
    {
        if (IsInteger(node)) return "Int8";
        DataType type = node.Outputs.OfType<Value>().Select(o => TypeOf(o)?.DataType ?? DataType.Undefined).FirstOrDefault(t => t != DataType.Undefined);
        return type switch
        {
            DataType.Float32 or DataType.Undefined => "Fp32", DataType.Float16 => "Fp16", DataType.BFloat16 => "Bf16", DataType.Float64 => "Fp64", DataType.Int8 or DataType.UInt8 => "Int8", _ => type.ToString(),
        };
    }

    /// <summary>The type as stated, or that of the value of ours which the producer computes: blocked layouts have the shape of what they hold.</summary>
    private TensorType? TypeOf(Value value) => value.Type ?? _form.Graph.Body.Find(value.Name)?.Type
        ?? (value.Producer is { } producer && (_computes.GetValueOrDefault(producer) is [{ } one, ..] ? one : ByName(producer)) is { } mapped ? mapped.Type : null);

    private string TypeText(Value value) => TypeOf(value)?.ToString() ?? "?";
}
