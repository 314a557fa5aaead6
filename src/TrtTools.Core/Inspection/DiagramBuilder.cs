using System.Globalization;
using System.Text.RegularExpressions;
using TrtTools.Data;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Inspection;

/// <summary>Makes boxes and lines of a graph. Constants are no boxes: they are told of at the nodes that read them. Nodes of subgraphs stand before
/// the node that holds them, with lines from what they read outside and to that node.</summary>
internal sealed partial class DiagramBuilder
{
    /// <summary>Weights over this many elements are told of without statistics.</summary>
    private const long MostElements = 1 << 25;

    private readonly Diagram _diagram;
    private readonly OnnxGraph _graph;
    private readonly bool _statistics;
    private readonly Dictionary<Value, int> _boxes = [];
    private readonly Dictionary<(int From, int To), DiagramLine> _lines = [];
    private readonly Dictionary<TensorData, TensorStatistic> _known = [];

    private DiagramBuilder(OnnxGraph graph, bool statistics)
    {
        _graph = graph;
        _statistics = statistics;
        _diagram = new Diagram { Title = graph.Name };
    }

    /// <param name="statistics">Whether the weights' statistics are wanted.</param>
    public static Diagram Build(OnnxGraph graph, bool statistics, CancellationToken stop)
    {
        using OnnxGraph copy = graph.Copy();
        ShapeInference.Infer(copy);
        DiagramBuilder builder = new(copy, statistics);
        builder.AddFacts();
        foreach (Value input in copy.Body.Inputs.Where(i => i.Data is null)) builder.AddTensor(input, BoxKind.Input, "");
        builder.AddBody(copy.Body, "", stop);
        foreach (Value output in copy.Body.Outputs)
        {
            DiagramBox box = builder.AddTensor(output, BoxKind.Output, "");
            builder.Connect(output, box.Id);
        }
        return builder._diagram;
    }

    private void AddFacts()
    {
        List<(string, string)> facts = _diagram.Facts;
        facts.Add(("Model", _graph.Name));
        if (_graph.Path is { } path) facts.Add(("File", Path.GetFileName(path)));
        facts.Add(("Opset", string.Join(", ", _graph.Opset.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => string.Create(CultureInfo.InvariantCulture, $"{o.Key} {o.Value}")))));
        if (_graph.Producer.Length > 0) facts.Add(("Producer", _graph.Producer));
        facts.Add(("Nodes", _graph.Body.NodesWithSubgraphs.Count().ToString(CultureInfo.InvariantCulture)));
        long bytes = _graph.Body.WithSubgraphs.SelectMany(g => g.Values).Select(Constant).OfType<TensorData>().Distinct().Sum(d => d.ByteCount);
        facts.Add(("Weights", string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.###} MB")));
        foreach (GraphTensor input in _graph.Inputs) facts.Add(("Input", input.ToString()));
        foreach (GraphTensor output in _graph.Outputs) facts.Add(("Output", output.ToString()));
    }

    private void AddBody(Graph body, string scope, CancellationToken stop)
    {
        foreach (Node node in body.Nodes)
        {
            stop.ThrowIfCancellationRequested();
            if (node.Is("Constant") && ConstantReader.ReadNode(node) is not null && !node.Outputs.Any(o => o is { IsGraphOutput: true })) continue;
            List<Value> results = [];
            foreach ((string name, Graph held) in node.Attributes.SelectMany(a => a.Graphs.Select(g => (a.Name, g))))
            {
                string inner = $"{node.DisplayName} {name}";
                for (int i = 0; i < held.Inputs.Count; i++)
                {
                    DiagramBox input = AddTensor(held.Inputs[i], BoxKind.Input, inner);
                    // Loop and Scan bind a body's inputs by place.
                    Connect(node.Input(i), input.Id);
                }
                AddBody(held, inner, stop);
                results.AddRange(held.Outputs);
            }
            DiagramBox box = AddNode(node, scope);
            foreach (Value? input in node.Inputs) Connect(input, box.Id);
            foreach (Value output in results) Connect(output, box.Id);
        }
    }

    private DiagramBox AddTensor(Value value, BoxKind kind, string scope)
    {
        DiagramBox box = new() { Id = _diagram.Boxes.Count, Kind = kind, Title = value.Name, Name = value.Name, Scope = scope, Category = kind == BoxKind.Input ? "Input" : "Output" };
        box.Lines.Add(AttributeDisplay.Type(value));
        (kind == BoxKind.Input ? box.Outputs : box.Inputs).Add(Describe(value));
        _diagram.Boxes.Add(box);
        if (kind == BoxKind.Input) _boxes[value] = box.Id;
        return box;
    }

    private DiagramBox AddNode(Node node, string scope)
    {
        bool fused = node.Domain == OnnxGraph.FusionDomain;
        DiagramBox box = new()
        {
            Id = _diagram.Boxes.Count, Kind = BoxKind.Node, Title = fused ? Number().Replace(node.OpType, "") : node.OpType, Name = node.DisplayName, Domain = node.Domain, Scope = scope, Category = Category(node),
            Sources = node.SourceNodes.Count > 0 ? node.SourceNodes : [node.DisplayName], Group = fused ? Number().Replace(node.OpType, "") : null,
        };
        List<string> weights = [];
        foreach (Value? input in node.Inputs)
        {
            if (input is null) continue;
            DiagramTensor tensor = Describe(input);
            box.Inputs.Add(tensor);
            if (Constant(input) is { } data) weights.Add(AttributeDisplay.Brief(data));
        }
        foreach (Value? output in node.Outputs)
        {
            if (output is null) continue;
            box.Outputs.Add(Describe(output));
            _boxes[output] = box.Id;
        }
        foreach (Ir.Attribute attribute in node.Attributes) box.Attributes.Add((attribute.Name, AttributeDisplay.Of(attribute)));
        if (_graph.FindFunction(node) is { } function) box.Attributes.Add((fused ? "fused nodes" : "function body", string.Join(" → ", function.Body.Nodes.Where(n => !n.Is("Constant")).Select(n => n.OpType))));
        if (weights.Count > 0) box.Lines.Add(AttributeDisplay.Shorten(string.Join(", ", weights.Take(3)) + (weights.Count > 3 ? ", …" : ""), 34));
        _diagram.Boxes.Add(box);
        return box;
    }

    // Fused functions of one kind that differ in attributes are numbered.
    [GeneratedRegex(@"_\d+$")]
    private static partial Regex Number();

    private string Category(Node node)
    {
        if (node.Domain == OnnxGraph.FusionDomain) return "Fused";
        if (_graph.FindFunction(node) is not null) return "Function";
        return OperatorCatalog.Find(node.Domain, node.OpType)?.Form switch
        {
            null => "Unknown",
            ComputeForm.Contraction => "Matrix and convolution",
            ComputeForm.Pointwise => "Pointwise",
            ComputeForm.Reduction or ComputeForm.Window or ComputeForm.Resample => "Reduction, pooling, resize",
            ComputeForm.Movement or ComputeForm.Gather or ComputeForm.Scatter or ComputeForm.Fill => "Shape and movement",
            ComputeForm.Composite => "Normalization and attention",
            ComputeForm.Control or ComputeForm.Recurrence => "Control and recurrence",
            _ => "Other",
        };
    }

    // Old models list their initializers among the inputs: they are weights all the same.
    private static TensorData? Constant(Value value) => value.Data ?? ConstantReader.Read(value);

    private DiagramTensor Describe(Value value)
    {
        TensorData? data = Constant(value);
        return new DiagramTensor(value.Name, AttributeDisplay.Type(value), data is null ? null : AttributeDisplay.Values(data), data is null ? null : Statistic(value.Name, data));
    }

    private TensorStatistic? Statistic(string name, TensorData data)
    {
        if (!_statistics || data.ElementCount is <= 1 or > MostElements || !TensorStatistics.Knows(data.Type)) return null;
        if (!_known.TryGetValue(data, out TensorStatistic? statistic)) _known[data] = statistic = TensorStatistics.Of(name, data, 24, "");
        return statistic;
    }

    private void Connect(Value? value, int to)
    {
        if (value is null || !_boxes.TryGetValue(value, out int from) || from == to) return;
        if (!_lines.TryGetValue((from, to), out DiagramLine? line))
        {
            _lines.Add((from, to), line = new DiagramLine { From = from, To = to });
            _diagram.Lines.Add(line);
        }
        if (!line.Tensors.Any(t => string.Equals(t.Name, value.Name, StringComparison.Ordinal))) line.Tensors.Add(new DiagramTensor(value.Name, AttributeDisplay.Type(value), null, null));
    }
}
