using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Quantization;

/// <summary>A layer with constant weights that is to run on integers.</summary>
internal sealed record QuantizedLayer(Node Node, int Axis, QuantizedWeight Weight, float[]? Bias, double? Sqnr);

/// <summary>Which tensors of a graph are quantized, with which scale.</summary>
/// <remarks>A tensor is quantized when a layer with weights, or an Add of two such tensors, reads or makes it; an activation right after a layer counts
/// as part of it. Operators that only move values around hand the wish on to their input and share its scale.</remarks>
internal sealed class QuantizationPlan
{
    // Beyond this ratio of ranges the smaller inputs of a Concat would lose two bits and more, so it keeps the scales apart.
    private const float ConcatLimit = 4;

    /// <summary>Images: integers want 16 channels at a time.</summary>
    private const int FewChannels = 4;

    /// <summary>Why a layer stays in floating point that calibration found to cost the outputs too much.</summary>
    public const string Sensitive = "the outputs are sensitive to it";

    private readonly OnnxGraph _graph;
    private readonly CalibrationCache _cache;
    private readonly QuantizeOptions _options;
    private readonly Dictionary<Value, TensorCalibration?> _statistics = [];
    private readonly Dictionary<Value, Value> _sameScale = [];
    private readonly Dictionary<Value, float> _scale = [];
    private readonly Dictionary<Value, bool> _nonNegative = [];
    private readonly SortedSet<string> _missing = new(StringComparer.Ordinal);
    // What layers make, after their activations, in the order of the layers.
    private readonly Dictionary<Value, int> _results = [];

    private QuantizationPlan(OnnxGraph graph, CalibrationCache cache, QuantizeOptions options)
    {
        _graph = graph;
        _cache = cache;
        _options = options;
    }

    public List<QuantizedLayer> Layers { get; } = [];

    /// <summary>Layers that stay in floating point, and why.</summary>
    public List<(string Layer, string Reason)> FloatLayers { get; } = [];

    /// <summary>The tensors to be quantized, in the order of the graph.</summary>
    public List<Value> Tensors { get; } = [];

    /// <summary>Those whose readers all get the quantized one, since a layer makes it in INT8.</summary>
    public HashSet<Value> LayerOutputs { get; } = [];

    /// <summary>Tensors that would be quantized if the cache knew them.</summary>
    public IReadOnlyCollection<string> Missing => _missing;

    public static QuantizationPlan Make(OnnxGraph graph, CalibrationCache cache, QuantizeOptions options)
    {
        QuantizationPlan plan = new(graph, cache, options);
        HashSet<Value> chosen = [];
        HashSet<Value> beforeLayer = BeforeLayer(graph.Body);
        foreach (Node node in graph.Body.Nodes)
        {
            if (node.Is("Conv") || node.Is("Gemm") || node.Is("MatMul")) plan.ConsiderLayer(node, chosen, beforeLayer);
        }
        plan.Spread(chosen);
        // On a GPU a layer may end in any type, so it ends in INT8 where that is what is read.
        if (options.ForDevice) plan.LayerOutputs.UnionWith(plan._results.Keys.Where(chosen.Contains));
        plan.Tensors.AddRange(graph.Body.Values.Where(chosen.Contains));
        plan.ShareScales(chosen);
        return plan;
    }

    /// <summary>The scale of a tensor's class.</summary>
    public float ScaleOf(Value value) => _scale[Root(value)];

    /// <summary>No tensor of the class can be negative, whatever the data.</summary>
    public bool IsNonNegative(Value value) => Tensors.Where(t => ReferenceEquals(Root(t), Root(value))).All(NonNegative);

    private void ConsiderLayer(Node node, HashSet<Value> chosen, HashSet<Value> beforeLayer)
    {
        if (WeightOf(node) is not { } weight || node.Input(0) is not { } input || input.IsConstant || input.Type is { DataType: not DataType.Float32 }) return;
        if (_options.OnlyLayer?.Invoke(node) == false) return;
        string name = node.DisplayName;
        Value output = LayerOutput(node);
        bool isRead = beforeLayer.Contains(output);
        if (_options.ForDevice && DeviceReason(node, weight.Data, isRead) is { } reason)
        {
            FloatLayers.Add((name, reason));
            if (!output.IsGraphOutput) _results.TryAdd(output, _results.Count);
            return;
        }
        if (CanonicalGraph.OriginalNames(node.Output()!).Any(_cache.FloatLayers.Contains))
        {
            FloatLayers.Add((name, Sensitive));
            return;
        }
        if (_options.FloatLayer(name) || node.SourceNodes.Any(_options.FloatLayer))
        {
            FloatLayers.Add((name, "as asked"));
            return;
        }
        // ONNX Runtime's integer convolution also ends in INT8. What no further layer reads is a result: there the last bits decide
        // (which of two neighbours is the maximum), so it keeps them.
        bool endsInteger = node.Is("Conv") && !output.IsGraphOutput && isRead && !_options.ForDevice;
        if (!HasScale(input) || endsInteger && !HasScale(output))
        {
            FloatLayers.Add((name, "the cache holds no scale for its tensors"));
            return;
        }
        float[]? bias = node.Input(2)?.Data is { Type: DataType.Float32 } b && node.Input(2)!.IsConstant ? b.AsSpan<float>().ToArray() : null;
        if (node.Input(2) is not null && bias is null)
        {
            FloatLayers.Add((name, "its bias is computed"));
            return;
        }
        QuantizedWeight quantized = QuantizedWeight.Of(weight.Data, weight.Axis, bias, Statistics(input)!.Scale);
        double? sqnr = Combine(quantized.Sqnr, Statistics(input)!.Sqnr, endsInteger ? Statistics(output)?.Sqnr : null);
        if (sqnr < _options.SqnrThreshold)
        {
            FloatLayers.Add((name, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"SQNR {sqnr:F1} dB")));
            return;
        }
        Layers.Add(new QuantizedLayer(node, weight.Axis, quantized, bias, sqnr));
        chosen.Add(input);
        if (_options.ForDevice && !output.IsGraphOutput) _results.TryAdd(output, _results.Count);
        if (!endsInteger) return;
        chosen.Add(output);
        LayerOutputs.Add(output);
    }

    /// <summary>Why a layer is better left in floating point on a GPU; null where INT8 is worth a try.</summary>
    private string? DeviceReason(Node node, TensorData weight, bool isRead)
    {
        if (node.Is("Conv") && node.Attributes.Int("group", 1) > 1) return "tensor cores take no channels of their own";
        if (node.Is("Conv") && weight.Shape[1] <= FewChannels) return "its input has few channels";
        // What makes the results keeps its last bits where that costs next to nothing.
        return _options.FloatResults && !isRead ? "it makes the results" : null;
    }

    /// <summary>The values from which a path leads to a layer with weights.</summary>
    private static HashSet<Value> BeforeLayer(Graph body)
    {
        HashSet<Value> result = [];
        for (Node? node = body.Last; node is not null; node = node.Previous)
        {
            if (WeightOf(node) is not null) result.Add(node.Input(0)!);
            else if (node.Outputs.Any(o => o is not null && result.Contains(o)))
            {
                foreach (Value input in node.Inputs.OfType<Value>()) result.Add(input);
            }
        }
        return result;
    }

    /// <summary>Noise adds up: weights, input, output.</summary>
    private static double? Combine(params double?[] decibels)
    {
        double noise = decibels.Sum(d => d is { } known ? Math.Pow(10, -known / 10) : 0);
        return noise > 0 ? -10 * Math.Log10(noise) : null;
    }

    private static (TensorData Data, int Axis)? WeightOf(Node node)
    {
        if (node.Input(1) is not { IsConstant: true, Data: { Type: DataType.Float32 } data }) return null;
        if (node.Domain.Length > 0 || node.Input(0) is null) return null;
        switch (node.OpType)
        {
            case "Conv" when data.Rank is >= 3 and <= 5:
                return (data, 0);
            case "Gemm" when data.Rank == 2 && node.Attributes.Float("alpha", 1) == 1 && node.Attributes.Float("beta", 1) == 1 && node.Attributes.Int("transA", 0) == 0
                && (node.Input(2) is null || node.Input(2)!.Data is { Rank: 1 } bias && bias.Shape[0] == data.Shape[node.Attributes.Int("transB", 0) != 0 ? 0 : 1]):
                return (data, node.Attributes.Int("transB", 0) != 0 ? 0 : 1);
            case "MatMul" when data.Rank == 2:
                return (data, 1);
            default:
                return null;
        }
    }

    /// <summary>The layer's output, after the activation that runs as part of it.</summary>
    public static Value LayerOutput(Node node)
    {
        Value output = node.Output()!;
        return output.HasSingleUse && output.Uses[0].Node is { } next && ReferenceEquals(next.Graph, node.Graph) && IsRectifier(next) && next.Output() is { } activated ? activated : output;
    }

    /// <summary>Relu, or a Clip that starts at 0.</summary>
    private static bool IsRectifier(Node node) => node.Is("Relu") || node.Is("Clip") && ClipMin(node) == 0;

    /// <summary>Upper end of a Clip that is a constant.</summary>
    public static float? ClipMax(Node node) => node.Attributes["max"]?.Content is float attribute ? attribute
        : node.Input(2) is { IsConstant: true, Data: { Type: DataType.Float32, ElementCount: 1 } data } ? data.AsSpan<float>()[0] : null;

    private static float? ClipMin(Node node) => node.Attributes["min"]?.Content is float attribute ? attribute
        : node.Input(1) is { IsConstant: true, Data: { Type: DataType.Float32, ElementCount: 1 } data } ? data.AsSpan<float>()[0] : null;

    private TensorCalibration? Statistics(Value value)
    {
        if (!_statistics.TryGetValue(value, out TensorCalibration? found))
        {
            found = CanonicalGraph.OriginalNames(value).Select(_cache.Find).FirstOrDefault(t => t is not null);
            _statistics.Add(value, found);
        }
        return found;
    }

    private bool HasScale(Value value)
    {
        if (Statistics(value) is { } found) return found.Scale > 0;
        _missing.Add(value.Name);
        return false;
    }

    /// <summary>Adds residual sums, and what lies before operators that only move values, until nothing changes.</summary>
    private void Spread(HashSet<Value> chosen)
    {
        for (bool changed = true; changed;)
        {
            changed = false;
            foreach (Node node in _graph.Body.Nodes)
            {
                if (node.Is("Add") && IsResidual(node, chosen))
                {
                    Value output = LayerOutput(node);
                    foreach (Value term in new[] { node.Input(0)!, node.Input(1)! }) changed |= !ReferenceEquals(term, JoinedTerm(node)) && chosen.Add(term);
                    if (!output.IsGraphOutput) changed |= chosen.Add(output) | LayerOutputs.Add(output);
                }
                else if (MovesValues(node) && node.Outputs.Any(o => o is not null && chosen.Contains(o)))
                {
                    foreach (Value source in MovedInputs(node))
                    {
                        if (!source.IsConstant && !chosen.Contains(source) && HasScale(source)) changed |= chosen.Add(source);
                    }
                }
            }
        }
    }

    private bool IsResidual(Node node, HashSet<Value> chosen)
    {
        if (node.Input(0) is not { IsConstant: false } a || node.Input(1) is not { IsConstant: false } b || ReferenceEquals(a, b)) return false;
        if (a.Type is { DataType: not DataType.Float32 } || b.Type is { DataType: not DataType.Float32 }) return false;
        if (!MadeByLayer(a) && !MadeByLayer(b)) return false;
        Value output = LayerOutput(node);
        if (output.IsGraphOutput || LayerOutputs.Contains(output)) return false;
        return (chosen.Contains(a) || HasScale(a)) && (chosen.Contains(b) || HasScale(b)) && HasScale(output);
    }

    private bool MadeByLayer(Value value) => _options.ForDevice ? _results.ContainsKey(value) : LayerOutputs.Contains(value);

    /// <summary>The term of a sum that its layer adds before anything is rounded: on a GPU the layer that is computed last adds the other term to its own sums.</summary>
    private Value? JoinedTerm(Node sum)
    {
        return !_options.ForDevice ? null : sum.Inputs.OfType<Value>().Where(t => t.HasSingleUse && _results.ContainsKey(t)).MaxBy(t => _results[t]);
    }

    /// <summary>Operators whose output holds values of their input.</summary>
    private static bool MovesValues(Node node) => node.Domain.Length == 0 && node.OpType is "MaxPool" or "Concat" or "Reshape" or "Transpose" or "Flatten" or "Squeeze" or "Unsqueeze"
        or "Slice" or "Split" or "DepthToSpace" or "SpaceToDepth" or "Identity" or "Expand" || node.Is("Resize") && node.Attributes.String("mode", "nearest") == "nearest";

    /// <summary>Operators that run on integers when their input and output are quantized.</summary>
    public static bool KeepsIntegers(Node node) => MovesValues(node) || node.Is("Add") || node.Is("AveragePool") || node.Is("GlobalAveragePool");

    private static IEnumerable<Value> MovedInputs(Node node) => node.Is("Concat") ? node.Inputs.OfType<Value>() : node.Inputs.Take(1).OfType<Value>();

    private void ShareScales(HashSet<Value> chosen)
    {
        foreach (Node node in _graph.Body.Nodes)
        {
            if (!MovesValues(node)) continue;
            List<Value> sources = [.. MovedInputs(node).Where(chosen.Contains)];
            List<Value> outputs = [.. node.Outputs.OfType<Value>().Where(chosen.Contains)];
            if (sources.Count == 0 || outputs.Count == 0) continue;
            if (node.Is("Concat") && sources.Max(s => Statistics(s)!.Scale) > ConcatLimit * sources.Min(s => Statistics(s)!.Scale)) continue;
            foreach (Value other in sources.Skip(1).Concat(outputs)) Join(sources[0], other);
        }
        foreach (Value value in Tensors)
        {
            Value root = Root(value);
            _scale[root] = MathF.Max(_scale.GetValueOrDefault(root), Statistics(value)!.Scale);
        }
    }

    private Value Root(Value value)
    {
        while (_sameScale.TryGetValue(value, out Value? parent)) value = parent;
        return value;
    }

    private void Join(Value a, Value b)
    {
        (a, b) = (Root(a), Root(b));
        if (!ReferenceEquals(a, b)) _sameScale[b] = a;
    }

    private bool NonNegative(Value value)
    {
        if (_nonNegative.TryGetValue(value, out bool known)) return known;
        bool result = value.Producer is { Domain.Length: 0 } node && node.OpType switch
        {
            "Relu" or "Sigmoid" or "HardSigmoid" or "Softmax" or "Abs" or "Exp" or "Sqrt" => true,
            "Clip" => ClipMin(node) >= 0,
            "AveragePool" or "GlobalAveragePool" or "GlobalMaxPool" => NonNegative(node.Input(0)!),
            "Add" => node.Inputs.All(i => i is { IsConstant: false } && NonNegative(i)),
            _ => MovesValues(node) && MovedInputs(node).All(NonNegative),
        };
        _nonNegative[value] = result;
        return result;
    }
}
