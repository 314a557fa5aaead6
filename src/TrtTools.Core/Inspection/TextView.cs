using System.Globalization;
using System.Text;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Inspection;

/// <summary>A graph as lines to read.</summary>
internal static class TextView
{
    public static string Write(OnnxGraph graph, DisplayDetail detail)
    {
        using OnnxGraph copy = graph.Copy();
        ShapeInference.Infer(copy);
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"Model {graph.Name}: IR {graph.IrVersion}, {string.Join(", ", graph.Opset.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => string.Create(CultureInfo.InvariantCulture, $"{o.Key} {o.Value}")))}{(graph.Producer.Length > 0 ? $", by {graph.Producer}" : "")}\n");
        Tensors(text, "input", copy.Body.Inputs.Where(i => i.Data is null));
        Tensors(text, "output", copy.Body.Outputs);
        List<Value> initializers = [.. copy.Body.Initializers];
        text.Append(CultureInfo.InvariantCulture, $"{Count(initializers.Count, "initializer")}, {initializers.Sum(i => i.Data!.ByteCount):N0} bytes\n");
        if (detail >= DisplayDetail.Weights)
        {
            foreach (Value value in initializers) text.Append(CultureInfo.InvariantCulture, $"  {value.Name}: {Weight(value.Data!)}\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"{Count(copy.Body.NodesWithSubgraphs.Count(), "node")}\n");
        if (detail >= DisplayDetail.Layers) Nodes(text, copy.Body, detail, 2);
        if (detail < DisplayDetail.Layers) return text.ToString();
        foreach (Function function in copy.FunctionTable.Values.OrderBy(f => f.Domain, StringComparer.Ordinal).ThenBy(f => f.Name, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"function {function.Domain}::{function.Name}({string.Join(", ", function.Body.Inputs.Select(i => i.Name))}) -> {string.Join(", ", function.Body.Outputs.Select(o => o.Name))}\n");
            Nodes(text, function.Body, detail, 2);
        }
        return text.ToString();
    }

    private static void Tensors(StringBuilder text, string kind, IEnumerable<Value> values)
    {
        List<Value> all = [.. values];
        text.Append(CultureInfo.InvariantCulture, $"{Count(all.Count, kind)}\n");
        foreach (Value value in all) text.Append(CultureInfo.InvariantCulture, $"  {value.Name}: {AttributeDisplay.Type(value)}\n");
    }

    private static void Nodes(StringBuilder text, Graph body, DisplayDetail detail, int indent)
    {
        int number = 0, width = Math.Max(1, (body.NodeCount - 1).ToString(CultureInfo.InvariantCulture).Length);
        string margin = new(' ', indent), deeper = new(' ', indent + width + 3);
        foreach (Node node in body.Nodes)
        {
            string domain = node.Domain.Length > 0 ? node.Domain + "::" : "";
            text.Append(CultureInfo.InvariantCulture, $"{margin}{number++.ToString(CultureInfo.InvariantCulture).PadLeft(width)}  {domain}{node.OpType}  {node.Name}\n");
            text.Append(CultureInfo.InvariantCulture, $"{deeper}{string.Join(", ", node.Inputs.Select(i => i is null ? "_" : Named(i)))} -> {string.Join(", ", node.Outputs.Select(o => o is null ? "_" : Named(o)))}\n");
            if (detail >= DisplayDetail.Attributes)
            {
                foreach (Ir.Attribute attribute in node.Attributes)
                {
                    string shown = node.Is("Constant") && detail >= DisplayDetail.Weights && attribute.Content is TensorData data ? Weight(data) : AttributeDisplay.Of(attribute);
                    text.Append(CultureInfo.InvariantCulture, $"{deeper}{attribute.Name} = {shown}\n");
                }
            }
            foreach ((string name, Graph held) in node.Attributes.SelectMany(a => a.Graphs.Select(g => (a.Name, g))))
            {
                text.Append(CultureInfo.InvariantCulture, $"{deeper}{name}: ({string.Join(", ", held.Inputs.Select(Named))}) -> {string.Join(", ", held.Outputs.Select(Named))}\n");
                Nodes(text, held, detail, indent + width + 5);
            }
        }
    }

    private static string Named(Value value) => ConstantReader.Read(value) is { } data ? $"{value.Name}: {AttributeDisplay.Values(data)}" : $"{value.Name}: {AttributeDisplay.Type(value)}";

    private static string Weight(TensorData data)
    {
        if (data.ElementCount <= 16 || !Data.TensorStatistics.Knows(data.Type)) return AttributeDisplay.Values(data);
        double[] values = data.ToDouble();
        return string.Create(CultureInfo.InvariantCulture, $"{AttributeDisplay.Type(data.Type, data.Shape)} = [{string.Join(", ", values.Take(4).Select(AttributeDisplay.Number))}, …, {AttributeDisplay.Number(values[^1])}], {AttributeDisplay.Number(values.Min())} … {AttributeDisplay.Number(values.Max())}");
    }

    private static string Count(int number, string noun) => string.Create(CultureInfo.InvariantCulture, $"{number} {noun}{(number == 1 ? "" : "s")}");
}
