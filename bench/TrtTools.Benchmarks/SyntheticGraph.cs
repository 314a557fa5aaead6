using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Benchmarks;

/// <summary>Chains of nodes on tiny tensors, so that a measurement sees the work per node and not the arithmetic.</summary>
internal static class SyntheticGraph
{
    private static readonly long[] Shape = [1, 2, 4, 4];

    /// <summary>Blocks of Conv, BatchNormalization and Relu, with two more nodes in front and one behind.</summary>
    public static OnnxGraph ConvolutionChain(int blocks)
    {
        Graph body = new("conv-chain");
        Value current = Start(body);
        float[] weights = [.. Enumerable.Range(0, 36).Select(i => (i % 7 - 3) / 16f)];
        for (int i = 0; i < blocks; i++)
        {
            string name = i.ToString(CultureInfo.InvariantCulture);
            Value weight = body.AddInitializer($"w{name}", TensorData.From<float>(weights, 2, 2, 3, 3));
            Node convolution = body.AddNode("Conv", [current, weight], [$"conv{name}"]);
            convolution.Name = $"conv{name}_node";
            convolution.Attributes.Set(Ir.Attribute.Ints("kernel_shape", 3, 3));
            convolution.Attributes.Set(Ir.Attribute.Ints("pads", 1, 1, 1, 1));
            Value[] statistics = [.. new[] { "scale", "bias", "mean", "variance" }.Select((s, k) =>
                body.AddInitializer($"{s}{name}", TensorData.Vector<float>(k is 0 or 3 ? 1 : 0.125f, k is 0 or 3 ? 2 : 0.25f)))];
            Node normalization = body.AddNode("BatchNormalization", [convolution.Outputs[0], .. statistics], [$"bn{name}"]);
            normalization.Name = $"bn{name}_node";
            Node activation = body.AddNode("Relu", [normalization.Outputs[0]], [$"relu{name}"]);
            activation.Name = $"relu{name}_node";
            current = activation.Outputs[0]!;
        }
        return Finish(body, current);
    }

    /// <summary>Blocks of Add, Mul, Relu, Identity and two Transposes that cancel out.</summary>
    public static OnnxGraph PointwiseChain(int blocks)
    {
        Graph body = new("pointwise-chain");
        Value current = Start(body);
        for (int i = 0; i < blocks; i++)
        {
            string name = i.ToString(CultureInfo.InvariantCulture);
            Value addend = body.AddInitializer($"a{name}", TensorData.Vector<float>(0.125f, 0.25f, 0.5f, 1));
            Value factor = body.AddInitializer($"f{name}", TensorData.Vector<float>(0.5f, 0.75f, 1.25f, 1.5f));
            current = Append(body, "Add", $"add{name}", current, addend);
            current = Append(body, "Mul", $"mul{name}", current, factor);
            current = Append(body, "Relu", $"relu{name}", current);
            current = Append(body, "Identity", $"identity{name}", current);
            current = Append(body, "Transpose", $"there{name}", current);
            current = Append(body, "Transpose", $"back{name}", current);
        }
        return Finish(body, current);
    }

    private static Value Append(Graph body, string opType, string name, params Value[] inputs)
    {
        Node node = body.AddNode(opType, inputs, [name]);
        node.Name = name + "_node";
        if (opType == "Transpose") node.Attributes.Set(Ir.Attribute.Ints("perm", 0, 2, 3, 1));
        if (name.StartsWith("back", StringComparison.Ordinal)) node.Attributes.Set(Ir.Attribute.Ints("perm", 0, 3, 1, 2));
        return node.Outputs[0]!;
    }

    private static Value Start(Graph body)
    {
        Value input = body.AddInput("x", new TensorType(DataType.Float32, SymbolicShape.Of(Shape)));
        return Append(body, "Sigmoid", "start", Append(body, "Abs", "absolute", input));
    }

    private static OnnxGraph Finish(Graph body, Value last)
    {
        Value output = Append(body, "Tanh", "y", last);
        output.Type = new TensorType(DataType.Float32, SymbolicShape.Of(Shape));
        body.AddOutput(output);
        return new OnnxGraph(body, body.Name, path: null, irVersion: 8, [new KeyValuePair<string, long>("", 13)]);
    }
}
