using System.Diagnostics;
using System.Globalization;
using TrtTools.Data;
using TrtTools.Evaluation;
using TrtTools.Engines;
using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Debugging;

/// <summary>How much a model's outputs suffer when one layer alone is rounded to a lower precision. It orders a search; it decides nothing.</summary>
internal sealed class LayerSensitivity
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);

    private readonly OnnxGraph _graph;
    private readonly ValueCapture _capture;
    private readonly IReadOnlyDictionary<string, TensorData> _expected;
    private readonly CancellationToken _stop;

    private LayerSensitivity(OnnxGraph graph, ValueCapture capture, CancellationToken stop)
    {
        (_graph, _capture, _stop) = (graph, capture, stop);
        _expected = capture.Get(graph.Body.Outputs, stop);
    }

    /// <summary>Signal to noise in dB of the worst output; null where it is not known, because ONNX Runtime does not run the model or it takes too long.</summary>
    public static double?[] Measure(OnnxGraph graph, IReadOnlyList<EngineLayer> layers, InputSource? data, Report report, CancellationToken stop)
    {
        double?[] found = new double?[layers.Count];
        OnnxGraph copy = graph.Copy();
        ShapeInference.Infer(copy);
        IReadOnlyDictionary<string, TensorData>? inputs = data?.Read(stop).FirstOrDefault()?.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
        using ValueCapture? capture = copy.OnnxOpset < 10 ? null : ValueCapture.Open(copy, inputs, out _, stop);
        if (capture is null)
        {
            report.Verbose($"{graph.Name}: how sensitive layers are could not be measured; they are tried in the order they run.");
            return found;
        }
        LayerSensitivity measure = new(copy, capture, stop);
        ILookup<string, Node> nodes = copy.Body.Nodes.SelectMany(n => n.SourceNodes.Append(n.DisplayName).Distinct(StringComparer.Ordinal).Select(name => (name, n))).ToLookup(p => p.name, p => p.n, StringComparer.Ordinal);
        Stopwatch clock = Stopwatch.StartNew();
        for (int i = 0; i < layers.Count && clock.Elapsed < s_limit; i++)
        {
            stop.ThrowIfCancellationRequested();
            report.Progress("Measuring layers", string.Create(CultureInfo.InvariantCulture, $"{graph.Name}: layer {i + 1} of {layers.Count}"), i / (double)layers.Count);
            HashSet<Node> layer = [.. layers[i].SourceNode.SelectMany(n => nodes[n])];
            if (layer.Count > 0 && Enum.TryParse(layers[i].Precision, out EnginePrecision precision)) found[i] = measure.Of(layer, precision);
        }
        return found;
    }

    private double? Of(HashSet<Node> layer, EnginePrecision precision)
    {
        OnnxGraph copy = _graph.Copy();
        foreach ((Node original, Node twin) in _graph.Body.Nodes.Zip(copy.Body.Nodes))
        {
            if (!layer.Contains(original)) continue;
            foreach (Value value in Rounded(original, layer, precision)) RoundInput(copy.Body, twin, original, value, precision);
        }
        try
        {
            return Noise(ModelRunner.Run(copy, _capture.Inputs, _stop));
        }
        catch (TrtToolsException e) when (e.Code is not ErrorCode.Cancelled)
        {
            return null;
        }
    }

    /// <summary>What a layer reads from others, and in floats also what it gives them: in INT8 that is the next layer's affair.</summary>
    private static IEnumerable<Value> Rounded(Node node, HashSet<Node> layer, EnginePrecision precision)
    {
        foreach (Value input in node.Inputs.OfType<Value>().Distinct())
        {
            if (IsFloat(input) && (input.Producer is null || !layer.Contains(input.Producer))) yield return input;
        }
        if (precision == EnginePrecision.Int8) yield break;
        foreach (Value output in node.Outputs.OfType<Value>())
        {
            if (IsFloat(output) && (output.IsGraphOutput || output.Uses.Any(u => !layer.Contains(u.Node)))) yield return output;
        }
    }

    private static bool IsFloat(Value value) => value.Type is { DataType: DataType.Float32 };

    private void RoundInput(Graph body, Node twin, Node original, Value value, EnginePrecision precision)
    {
        bool isOutput = value.Producer == original;
        Value source = isOutput ? twin.Outputs[value.OutputIndex]! : twin.Inputs[IndexOf(original, value)]!;
        // In INT8 a bias is a sum's: it stays exact.
        if (precision == EnginePrecision.Int8 && !isOutput && IndexOf(original, value) > 1) return;
        Node? before = isOutput ? twin.Next : twin;
        Node last;
        if (precision == EnginePrecision.Int8)
        {
            if (!_capture.Get([value], _stop).TryGetValue(value.Name, out TensorData? data) || data.ElementCount == 0) return;
            float largest = System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(data.AsSpan<float>());
            Value scale = body.AddConstant("scale", TensorData.Scalar(MathF.Max(MathF.Abs(largest), 1e-12f) / 127)), zero = body.AddConstant("zero", TensorData.Scalar<sbyte>(0));
            Node narrow = body.AddNode("QuantizeLinear", [source, scale, zero], [body.FreshName("narrow")], before: before);
            last = body.AddNode("DequantizeLinear", [narrow.Outputs[0], scale, zero], [body.FreshName("rounded")], before: before);
        }
        else
        {
            Node narrow = body.AddNode("Cast", [source], [body.FreshName("narrow")], before: before);
            narrow.Attributes.Set(Ir.Attribute.Int("to", (long)(precision == EnginePrecision.Bf16 ? DataType.BFloat16 : DataType.Float16)));
            last = body.AddNode("Cast", [narrow.Outputs[0]], [body.FreshName("rounded")], before: before);
            last.Attributes.Set(Ir.Attribute.Int("to", (long)DataType.Float32));
        }
        if (!isOutput)
        {
            for (int i = 0; i < original.Inputs.Count; i++)
            {
                if (original.Inputs[i] == value) twin.SetInput(i, last.Outputs[0]);
            }
            return;
        }
        Node first = last.Inputs[0]!.Producer!;
        body.ReplaceUses(source, last.Outputs[0]!);
        first.SetInput(0, source);
    }

    private static int IndexOf(Node node, Value value) => Enumerable.Range(0, node.Inputs.Count).First(i => node.Inputs[i] == value);

    private double? Noise(IReadOnlyDictionary<string, TensorData> actual)
    {
        double worst = double.PositiveInfinity;
        foreach ((string name, TensorData expected) in _expected)
        {
            if (expected.Type != DataType.Float32 || !actual.TryGetValue(name, out TensorData? found) || !found.Shape.SequenceEqual(expected.Shape)) continue;
            double signal = 0, noise = 0;
            ReadOnlySpan<float> x = expected.AsSpan<float>(), y = found.AsSpan<float>();
            for (int i = 0; i < x.Length; i++)
            {
                double difference = (double)x[i] - y[i];
                signal += (double)x[i] * x[i];
                noise += difference * difference;
            }
            double ratio = double.IsNaN(noise) ? double.NegativeInfinity : noise == 0 ? double.PositiveInfinity : signal == 0 ? 0 : 10 * Math.Log10(signal / noise);
            worst = Math.Min(worst, ratio);
        }
        return Math.Round(worst, 2);
    }
}
