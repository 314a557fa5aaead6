using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Tests.Surgery;

/// <summary>Random graphs that run: pointwise, matrix, shape and multi-output nodes, branches, shared weights, outputs that are inputs, absent inputs, node names that
/// come again in another body, names with wildcard characters.</summary>
internal static class RandomGraph
{
    private static readonly string[] s_unary = ["Relu", "Neg", "Exp", "Sigmoid", "Identity", "Tanh", "Abs"];
    private static readonly string[] s_binary = ["Add", "Mul", "Sub", "Max"];

    public static OnnxGraph Next(Random random)
    {
        Graph body = new("random");
        List<Value> values = [];
        for (int i = 0; i < random.Next(1, 4); i++) values.Add(body.AddInput($"in{i}", Type(random.Next(4) == 0 ? DimExpr.Symbol("N") : 2)));
        Value? condition = random.Next(2) == 0 ? body.AddInput("cond", new TensorType(DataType.Bool, SymbolicShape.Scalar)) : null;
        List<Value> weights = [.. Enumerable.Range(0, 3).Select(i => body.AddInitializer(i == 0 ? "w[0]" : $"w{i}", GraphText.Random(DataType.Float32, i == 2 ? [] : [3], (ulong)i)))];
        Nodes(body, values, weights, condition, random, random.Next(2, 12), 0);
        // Every output of a node that nobody reads, and now and then others, an input among them.
        foreach (Value value in body.Values.ToList())
        {
            if (value is { HasUses: false, Producer: not null }) body.AddOutput(value);
            else if (random.Next(8) == 0 && value.Data is null && value != condition) body.AddOutput(value);
        }
        if (body.Outputs.Count == 0) body.AddOutput(body.AddNode("Identity", [values[0]], ["out"]).Outputs[0]!);
        return new OnnxGraph(body, "random", null, 9, [new KeyValuePair<string, long>("", 18), new KeyValuePair<string, long>("com.microsoft", 1)]);
    }

    private static TensorType Type(DimExpr first) => new(DataType.Float32, new SymbolicShape(first, 3));

    private static void Nodes(Graph body, List<Value> values, List<Value> weights, Value? condition, Random random, int count, int depth)
    {
        for (int i = 0; i < count; i++)
        {
            string name = body.FreshName(random.Next(10) == 0 ? $"t*{depth}" : $"t{depth}_{i}");
            Value Pick() => values[random.Next(values.Count)];
            Node node;
            switch (random.Next(depth == 0 && condition is not null ? 9 : 8))
            {
                case 0 or 1:
                    node = body.AddNode(s_unary[random.Next(s_unary.Length)], [Pick()], [name]);
                    break;
                case 2 or 3:
                    node = body.AddNode(s_binary[random.Next(s_binary.Length)], [Pick(), random.Next(2) == 0 ? weights[random.Next(weights.Count)] : values[0]], [name]);
                    break;
                case 4:
                    node = body.AddNode("Clip", [Pick(), null, weights[2]], [name]);
                    break;
                case 5:
                    node = body.AddNode("Split", [Pick()], [name, body.FreshName(name + "b"), body.FreshName(name + "c")]);
                    node.Attributes.Set(Attribute.Int("axis", 1));
                    node.Attributes.Set(Attribute.Int("num_outputs", 3));
                    node = body.AddNode("Concat", [.. node.Outputs], [body.FreshName(name + "d")]);
                    node.Attributes.Set(Attribute.Int("axis", -1));
                    break;
                case 6:
                    node = body.AddNode("Transpose", [Pick()], [name]);
                    node = body.AddNode("Transpose", [node.Outputs[0]], [body.FreshName(name + "b")]);
                    break;
                case 7:
                    node = body.AddNode("ReduceMean", [Pick()], [name]);
                    break;
                default:
                    node = body.AddNode("If", [condition], [name]);
                    foreach (string branch in new[] { "then_branch", "else_branch" })
                    {
                        Graph inner = new(branch);
                        node.Attributes.Set(Attribute.Subgraph(branch, inner));
                        List<Value> visible = [.. values];
                        Nodes(inner, visible, weights, null, random, random.Next(1, 4), depth + 1);
                        inner.AddOutput(inner.Values.Last(v => v.Producer is not null));
                    }
                    break;
            }
            // A name twice in one body is more than ONNX Runtime takes; one in several bodies is not.
            node.Name = random.Next(6) switch { 0 when body.Nodes.All(n => n.Name != "same") => "same", 1 => "", _ => node.Outputs[0]!.Name };
            // Only what has the shape of the inputs can meet them again.
            if (node.OpType is not ("If" or "ReduceMean")) values.Add(node.Outputs[0]!);
        }
    }
}
