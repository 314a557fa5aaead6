using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Lowering;

/// <summary>A number that scales queries or keys scales their product instead: a product applies it as it writes.</summary>
internal static class SinkScales
{
    public static void Run(OnnxGraph graph)
    {
        foreach (Node node in graph.Body.Nodes.ToList())
        {
            if (!node.IsAlive || !node.Is("MatMul") || node.Inputs.Any(i => OperatorView.Constant(i) is not null) || node.Output()?.Type is not { DataType: DataType.Float32 } type) continue;
            double scale = 1;
            for (int i = 0; i < 2; i++)
            {
                if (Peel(graph, node.Input(i)!, node) is not { } peeled) continue;
                node.SetInput(i, peeled.Unscaled);
                scale *= peeled.Scale;
            }
            if (scale == 1) continue;
            Value output = node.Output()!;
            Node scaled = graph.Body.AddNode("Mul", [], [], before: node.Next);
            graph.Body.MoveOutput(output, scaled, 0);
            Value product = graph.Body.AddOutputTo(node, 0, graph.Body.FreshName(output.Name + "_unscaled"));
            product.Type = type;
            scaled.SetInputs(product, graph.Body.AddConstant(output.Name + "_scale", TensorData.Scalar((float)scale)));
            scaled.SourceNodes = PassContext.SourcesOf(node);
        }
    }

    private static (Value Unscaled, double Scale)? Peel(OnnxGraph graph, Value value, Node reader)
    {
        if (value.Producer is not { } producer || producer.Graph != graph.Body) return null;
        if (producer.Is("Mul") || producer.Is("Div"))
        {
            for (int i = producer.Is("Mul") ? 0 : 1; i < 2; i++)
            {
                // More axes than the value's own would change its shape.
                if (OperatorView.Constant(producer.Input(i)) is { ElementCount: 1, Rank: 0 or 1, Type: DataType.Float32 } factor && OperatorView.Constant(producer.Input(1 - i)) is null && factor.AsSpan<float>()[0] is not 0 and var number)
                {
                    return (producer.Input(1 - i)!, producer.Is("Mul") ? number : 1.0 / number);
                }
            }
        }
        if (producer.Is("Transpose") && Peel(graph, producer.Input(0)!, reader) is { } inner)
        {
            Node twin = graph.Body.AddNode("Transpose", [inner.Unscaled], [graph.Body.FreshName(value.Name)], before: reader);
            foreach (Attribute attribute in producer.Attributes) twin.Attributes.Set(attribute);
            twin.Output()!.Type = value.Type;
            twin.SourceNodes = PassContext.SourcesOf(producer);
            return (twin.Output()!, inner.Scale);
        }
        return null;
    }
}
