using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Quantization;

/// <summary>Writes a plan into its graph.</summary>
internal sealed class QuantizationWriter(OnnxGraph graph, QuantizationPlan plan, bool cpuEncoding)
{
    private readonly Graph _body = graph.Body;
    private readonly Dictionary<Value, Value> _original = [];
    private readonly HashSet<Node> _layerNodes = [.. plan.Layers.Select(l => l.Node)];
    private readonly HashSet<Value> _tensors = [.. plan.Tensors];

    public void Write()
    {
        HashSet<Value> weights = [];
        foreach (QuantizedLayer layer in plan.Layers)
        {
            weights.Add(layer.Node.Input(1)!);
            if (layer.Node.Input(2) is { } bias) weights.Add(bias);
        }
        foreach (Value value in plan.Tensors) WriteActivation(value);
        foreach (QuantizedLayer layer in plan.Layers) WriteWeight(layer);
        foreach (Value weight in weights.Where(w => !w.HasUses && w.Data is not null)) _body.RemoveInitializer(weight);
    }

    private void WriteActivation(Value value)
    {
        float scale = plan.ScaleOf(value);
        List<Use> uses = [.. value.Uses.Where(u => plan.LayerOutputs.Contains(value) || ReadsInteger(u))];
        if (uses.Count == 0) return;
        Value scaleValue = _body.AddConstant(value.Name + "_scale", TensorData.Scalar(scale));
        Value zeroPoint = !cpuEncoding ? _body.AddConstant(value.Name + "_zero_point", TensorData.Scalar((sbyte)0))
            : _body.AddConstant(value.Name + "_zero_point", TensorData.Scalar(plan.IsNonNegative(value) ? (byte)0 : (byte)128));
        Node? before = value.Producer is { } producer ? producer.Next : _body.First;
        Node quantize = _body.AddNode("QuantizeLinear", [value, scaleValue, zeroPoint], [_body.FreshName(value.Name + "_quantized")], before: before);
        Node dequantize = _body.AddNode("DequantizeLinear", [LimitedOutput(value, quantize, scale, before), scaleValue, zeroPoint], [_body.FreshName(value.Name + "_dequantized")], before: before);
        quantize.Name = _body.FreshName(value.Name + "_QuantizeLinear");
        dequantize.Name = _body.FreshName(value.Name + "_DequantizeLinear");
        quantize.Output()!.Type = value.Type is { } type ? type with { DataType = cpuEncoding ? DataType.UInt8 : DataType.Int8 } : null;
        dequantize.Output()!.Type = value.Type;
        _original.Add(dequantize.Output()!, value);
        foreach (Use use in uses) use.Node.SetInput(use.Index, dequantize.Output());
        if (value is { HasUses: false, Producer: { } unread } && unread.Is("Clip")) _body.Remove(unread);
    }

    /// <summary>ONNX Runtime takes Relu into an integer layer, but a Clip only when the type itself ends there. So the Clip goes:
    /// unsigned numbers end at 0 as it does, and their upper end is cut where signed ones have theirs.</summary>
    private Value LimitedOutput(Value value, Node quantize, float scale, Node? before)
    {
        Value quantized = quantize.Output()!;
        if (!cpuEncoding || !plan.LayerOutputs.Contains(value) || value.IsGraphOutput || value.Producer is not { } clip || !clip.Is("Clip") || !plan.IsNonNegative(value)) return quantized;
        float max = QuantizationPlan.ClipMax(clip) ?? float.PositiveInfinity;
        byte limit = (byte)Math.Clamp(MathF.Round(max / scale), 0, 127);
        quantize.SetInput(0, clip.Input(0));
        Node cut = _body.AddNode("Clip", [quantized, null, _body.AddConstant(value.Name + "_limit", TensorData.Scalar(limit))], [_body.FreshName(value.Name + "_limited")], before: before);
        cut.Name = clip.Name;
        cut.SourceNodes = clip.SourceNodes;
        cut.Output()!.Type = quantized.Type;
        return cut.Output()!;
    }

    /// <summary>A reader that works on integers, or hands values on to one.</summary>
    private bool ReadsInteger(Use use) => _layerNodes.Contains(use.Node) ? use.Index == 0
        : QuantizationPlan.KeepsIntegers(use.Node) && use.Node.Outputs.OfType<Value>().Any(o => _tensors.Contains(o) || _tensors.Contains(QuantizationPlan.LayerOutput(use.Node)));

    private void WriteWeight(QuantizedLayer layer)
    {
        Node node = layer.Node;
        Value weight = node.Input(1)!;
        Value content = _body.AddConstant(weight.Name + "_quantized", layer.Weight.Content);
        Value scale = _body.AddConstant(weight.Name + "_scale", TensorData.Vector<float>(layer.Weight.Scale));
        Value zeroPoint = _body.AddConstant(weight.Name + "_zero_point", TensorData.Vector<sbyte>(new sbyte[layer.Weight.Scale.Length]));
        Node dequantize = Dequantize(weight.Name, [content, scale, zeroPoint], layer.Axis, node);
        node.SetInput(1, dequantize.Output());
        if (!cpuEncoding || layer.Bias is not { } bias) return;
        // ONNX Runtime wants the bias in the units of its integer sums.
        float inputScale = plan.ScaleOf(_original[node.Input(0)!]);
        float[] biasScale = [.. layer.Weight.Scale.Select(s => s * inputScale)];
        int[] whole = [.. bias.Select((b, c) => (int)Math.Clamp(Math.Round(b / (double)biasScale[c]), int.MinValue, int.MaxValue))];
        Value biasValue = node.Input(2)!;
        Node dequantizeBias = Dequantize(biasValue.Name, [_body.AddConstant(biasValue.Name + "_quantized", TensorData.Vector<int>(whole)),
            _body.AddConstant(biasValue.Name + "_scale", TensorData.Vector<float>(biasScale)), _body.AddConstant(biasValue.Name + "_zero_point", TensorData.Vector<int>(new int[whole.Length]))], 0, node);
        node.SetInput(2, dequantizeBias.Output());
    }

    private Node Dequantize(string name, Value[] inputs, int axis, Node before)
    {
        Node node = _body.AddNode("DequantizeLinear", inputs, [_body.FreshName(name + "_dequantized")], before: before);
        node.Name = _body.FreshName(name + "_DequantizeLinear");
        node.Attributes.Set(Attribute.Int("axis", axis));
        return node;
    }
}
