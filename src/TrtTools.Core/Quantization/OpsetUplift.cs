using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Quantization;

/// <summary>Rewrites a model of opset 7 to 12 as one of opset 13 that computes the same. DequantizeLinear has scales per channel only from 13 on.</summary>
internal static class OpsetUplift
{
    public const long Target = 13;

    /// <summary>In place; functions must be expanded. False when the model has opset 13 or more.</summary>
    public static bool Apply(OnnxGraph model)
    {
        long from = model.OnnxOpset;
        if (from >= Target) return false;
        if (from < 7)
        {
            throw new TrtToolsException(ErrorCode.UnsupportedOperator, model.Name, $"its opset is {from.ToString(CultureInfo.InvariantCulture)}", "INT8 needs opset 7 or later",
                "Export the model again with a newer opset, or convert it with onnx.version_converter");
        }
        foreach (Graph graph in model.Body.WithSubgraphs.ToList())
        {
            foreach (Node node in graph.Nodes.ToList())
            {
                if (node.IsAlive && node.Domain.Length == 0) Lift(node, from);
            }
        }
        model.OpsetImports[""] = Target;
        return true;
    }

    private static void Lift(Node node, long from)
    {
        switch (node.OpType)
        {
            case "Softmax" or "LogSoftmax" or "Hardmax": LiftSoftmax(node); break;
            case "Squeeze" or "ReduceSum" or "Unsqueeze": AttributeToInput(node, "axes", 1); break;
            case "Split": AttributeToInput(node, "split", 1); break;
            case "Clip" when from < 11: LiftClip(node); break;
            case "Dropout" when from < 12: LiftDropout(node); break;
            case "BatchNormalization" when from < 9: node.Attributes.Remove("spatial"); break;
            case "Upsample" or "Resize" when from < 11: LiftResize(node); break;
            case "Pad" when from < 11: LiftPad(node); break;
            case "Slice" when from < 10: LiftSlice(node); break;
            case "TopK" when from < 10: LiftTopK(node); break;
            case "Scatter": node.OpType = "ScatterElements"; break;
        }
    }

    private static Value Vector(Node node, string hint, long[] values) => node.Graph.AddConstant($"{node.DisplayName}_{hint}", TensorData.Vector<long>(values));

    private static void AttributeToInput(Node node, string attribute, int index)
    {
        if (node.Attributes.Ints(attribute) is not { } values) return;
        node.Attributes.Remove(attribute);
        node.SetInput(index, Vector(node, attribute, values));
    }

    /// <summary>Before 13 the input counted as a matrix, rows ending before the axis.</summary>
    private static void LiftSoftmax(Node node)
    {
        long axis = node.Attributes.Int("axis", 1);
        int? rank = node.Input(0)?.Type?.Shape?.Rank;
        if (rank is { } known && (axis == known - 1 || axis == -1) || rank is null && axis == -1)
        {
            node.Attributes.Set(Attribute.Int("axis", -1));
            return;
        }
        Graph graph = node.Graph;
        Value input = node.Input(0)!, output = node.Output()!;
        Node shape = graph.AddNode("Shape", [input], [graph.FreshName(output.Name + "_shape")], before: node);
        Node flatten = graph.AddNode("Flatten", [input], [graph.FreshName(output.Name + "_matrix")], before: node);
        flatten.Attributes.Set(Attribute.Int("axis", axis));
        Node softmax = graph.AddNode(node.OpType, [flatten.Output()], [graph.FreshName(output.Name + "_rows")], before: node);
        softmax.Attributes.Set(Attribute.Int("axis", -1));
        softmax.Name = node.Name;
        softmax.SourceNodes = node.SourceNodes;
        Node reshape = graph.AddNode("Reshape", [softmax.Output(), shape.Output()], [], before: node);
        reshape.Name = graph.FreshName(node.DisplayName + "_reshape");
        graph.MoveOutput(output, reshape, 0);
        graph.Remove(node);
    }

    private static void LiftClip(Node node)
    {
        Attribute? min = node.Attributes["min"], max = node.Attributes["max"];
        node.Attributes.Remove("min");
        node.Attributes.Remove("max");
        if (min?.Content is float low) node.SetInput(1, node.Graph.AddConstant(node.DisplayName + "_min", Scalar(node, low)));
        if (max?.Content is float high) node.SetInput(2, node.Graph.AddConstant(node.DisplayName + "_max", Scalar(node, high)));
    }

    private static TensorData Scalar(Node node, float value) =>
        node.Input(0)?.Type?.DataType == DataType.Float16 ? TensorData.Scalar((Half)value) : node.Input(0)?.Type?.DataType == DataType.Float64 ? TensorData.Scalar((double)value) : TensorData.Scalar(value);

    private static void LiftDropout(Node node)
    {
        node.Attributes.Remove("ratio");
        node.Attributes.Remove("seed");
    }

    private static void LiftResize(Node node)
    {
        node.OpType = "Resize";
        Value? scales = node.Input(1);
        if (node.Attributes.Floats("scales") is { } attribute)
        {
            scales = node.Graph.AddConstant(node.DisplayName + "_scales", TensorData.Vector<float>(attribute));
            node.Attributes.Remove("scales");
        }
        Value roi = node.Graph.AddConstant(node.DisplayName + "_roi", TensorData.Vector<float>());
        node.SetInputs(node.Input(0), roi, scales);
        if (node.Attributes.String("mode", "nearest") is "bilinear" or "trilinear") node.Attributes.Set(Attribute.String("mode", "linear"));
        node.Attributes.Set(Attribute.String("coordinate_transformation_mode", "asymmetric"));
        if (node.Attributes.String("mode", "nearest") == "nearest") node.Attributes.Set(Attribute.String("nearest_mode", "floor"));
    }

    private static void LiftPad(Node node)
    {
        AttributeToInput(node, "pads", 1);
        if (node.Attributes.String("mode", "constant") == "constant") node.SetInput(2, node.Graph.AddConstant(node.DisplayName + "_value", Scalar(node, node.Attributes.Float("value", 0))));
        node.Attributes.Remove("value");
    }

    private static void LiftSlice(Node node)
    {
        AttributeToInput(node, "starts", 1);
        AttributeToInput(node, "ends", 2);
        AttributeToInput(node, "axes", 3);
    }

    private static void LiftTopK(Node node)
    {
        long k = node.Attributes.Int("k", 1);
        node.Attributes.Remove("k");
        node.SetInput(1, Vector(node, "k", [k]));
    }
}
