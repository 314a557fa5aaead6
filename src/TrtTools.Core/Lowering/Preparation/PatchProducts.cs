using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Lowering;

/// <summary>A convolution whose windows neither overlap nor leave gaps, over channels too few for tensor cores (the patches of an image), becomes a product: each patch is a row.</summary>
internal static class PatchProducts
{
    /// <summary>Tensor cores take channels by eight.</summary>
    private const int ChannelGroup = 8;

    private const int LeastPatch = 16;

    public static void Run(OnnxGraph graph)
    {
        foreach (Node node in graph.Body.Nodes.ToList())
        {
            if (node.IsAlive && node.Is("Conv")) Rewrite(graph, node);
        }
    }

    private static void Rewrite(OnnxGraph graph, Node node)
    {
        if (node.Input(0) is not { Type: { Shape: { Rank: 4 } shape, DataType: DataType.Float32 } } x || node.Output() is not { Type.Shape: { Rank: 4 } result } output) return;
        if (OperatorView.Constant(node.Input(1)) is not { Type: DataType.Float32 } weight || (node.Input(2) is { } shift && OperatorView.Constant(shift) is null)) return;
        OperatorView view = OperatorView.Of(graph, node);
        long outputs = weight.Shape[0], channels = weight.Shape[1], height = weight.Shape[2], width = weight.Shape[3];
        if (channels % ChannelGroup == 0 || height * width < LeastPatch || view.Int("group", 1) != 1 || view.String("auto_pad", "NOTSET") is not ("NOTSET" or "VALID")) return;
        if (view.Ints("strides") is not [var down, var across] || down != height || across != width || (view.Ints("pads") ?? []).Any(p => p != 0) || (view.Ints("dilations") ?? []).Any(d => d != 1)) return;
        if (shape.Dimensions.Concat(result.Dimensions).Any(d => d is null) || !(result[2]! * height).Equals(shape[2]!) || !(result[3]! * width).Equals(shape[3]!)) return;
        DimExpr batch = shape[0]!, rows = result[2]!, columns = result[3]!, patch = channels * height * width;
        Value cut = Add("Reshape", [x], [batch, channels, rows, height, columns, width]), turned = Add("Transpose", [cut], [batch, rows, columns, channels, height, width]);
        turned.Producer!.Attributes.Set(Attribute.Ints("perm", 0, 2, 4, 1, 3, 5));
        Value matrix = graph.Body.AddConstant(output.Name + "_matrix", WeightLayout.Reorder(TensorData.FromBytes(weight.Type, [outputs, channels * height * width], weight.Bytes.ToArray()), [1, 0]));
        Value product = Add("MatMul", [Add("Reshape", [turned], [batch, rows * columns, patch]), matrix], [batch, rows * columns, outputs]);
        if (node.Input(2) is { } bias) product = Add("Add", [product, bias], [batch, rows * columns, outputs]);
        Value swapped = Add("Transpose", [product], [batch, outputs, rows * columns]);
        swapped.Producer!.Attributes.Set(Attribute.Ints("perm", 0, 2, 1));
        Node last = graph.Body.AddNode("Reshape", [swapped], [], before: node);
        last.SourceNodes = PassContext.SourcesOf(node);
        graph.Body.MoveOutput(output, last, 0);
        graph.Body.Remove(node);

        Value Add(string opType, Value?[] inputs, DimExpr[] dimensions)
        {
            Node made = graph.Body.AddNode(opType, inputs, [graph.Body.FreshName(output.Name)], before: node);
            made.SourceNodes = PassContext.SourcesOf(node);
            made.Output()!.Type = new TensorType(DataType.Float32, new SymbolicShape(dimensions));
            return made.Output()!;
        }
    }
}
