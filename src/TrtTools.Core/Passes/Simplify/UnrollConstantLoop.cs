using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>A Loop that runs a known, small number of times, its condition true throughout, is its body that many times. Values it collects are joined.</summary>
internal sealed class UnrollConstantLoop : NodePass
{
    /// <summary>A body of one round comes in place of the Loop; of several rounds only where they are few nodes.</summary>
    private const int MostNodes = 32;

    public override string Name => "unroll-constant-loop";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Loop"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Attributes.Subgraph("body") is not { } body || PassContext.Constant(node.Input(0)) is not { Type: DataType.Int64, ElementCount: 1 } count || context.Opset < 13) return false;
        long rounds = count.AsSpan<long>()[0];
        if (node.Input(1) is not null && PassContext.Constant(node.Input(1)) is not { Type: DataType.Bool, ElementCount: 1 }) return false;
        bool runs = PassContext.Constant(node.Input(1)) is not { } condition || condition.Bytes[0] != 0;
        int carried = node.Inputs.Count - 2, collected = body.Outputs.Count - 1 - carried;
        if (carried < 0 || collected < 0 || body.Inputs.Count != carried + 2 || node.Outputs.Count > carried + collected) return false;
        if (!runs) rounds = 0;
        if (rounds <= 0)
        {
            // What a Loop collects in no round is an empty tensor of unknown shape.
            if (node.Outputs.Skip(carried).Any(o => o is { HasUses: true })) return false;
            rounds = 0;
        }
        if (rounds > 1 && rounds > MostNodes / Math.Max(1, body.NodesWithSubgraphs.Count())) return false;
        if (rounds > 0 && !StaysTrue(body)) return false;
        Value?[] state = [.. node.Inputs.Skip(2)];
        if (state.Any(s => s is null)) return false;
        List<Value>[] parts = [.. Enumerable.Range(0, collected).Select(_ => new List<Value>())];
        // The copies belong to no graph, so that their names are free once the original is gone.
        List<Graph> copies = [.. Enumerable.Range(0, (int)rounds).Select(_ => GraphCopier.Copy(body))];
        foreach (Value captured in node.Subgraphs.SelectMany(Captures.Of).Distinct().ToList()) context.Touch(captured.Producer);
        node.Attributes.Remove("body");
        Graph graph = node.Graph;
        for (int round = 0; round < rounds; round++)
        {
            Dictionary<Value, Value> map = new()
            {
                [copies[round].Inputs[0]] = graph.AddConstant($"{node.DisplayName}_round", TensorData.From<long>([round], [])),
                [copies[round].Inputs[1]] = graph.AddConstant($"{node.DisplayName}_goes_on", TensorData.From<bool>([true], [])),
            };
            for (int i = 0; i < carried; i++) map[copies[round].Inputs[i + 2]] = state[i]!;
            BodyMover.MoveInto(node, copies[round], map, context, again: round > 0);
            state = [.. Enumerable.Range(0, carried).Select(i => Mapped(copies[round].Outputs[i + 1]))];
            for (int i = 0; i < collected; i++) parts[i].Add(Mapped(copies[round].Outputs[1 + carried + i]));
            copies[round].Detach();

            Value Mapped(Value value) => map.GetValueOrDefault(value, value);
        }
        for (int i = 0; i < node.Outputs.Count; i++)
        {
            if (node.Outputs[i] is not { HasUses: true } output) continue;
            BodyMover.Carry(output, i < carried ? state[i]! : Join(node, parts[i - carried], context), context);
        }
        if (node.IsAlive) context.Remove(node);
        return true;
    }

    private static Value Join(Node node, List<Value> parts, PassContext context)
    {
        Value axes = node.Graph.AddConstant(node.DisplayName + "_axis", TensorData.Vector<long>(0));
        List<Value?> rows = [.. parts.Select(p => (Value?)context.AddNode("Unsqueeze", [p, axes], p.Name + "_row", node, PassContext.SourcesOf(node)).Output())];
        Node concat = context.AddNode("Concat", rows, node.DisplayName + "_collected", node, PassContext.SourcesOf(node));
        concat.Attributes.Set(Ir.Attribute.Int("axis", 0));
        return concat.Output()!;
    }

    /// <summary>The condition that the body gives is its own input, or the constant true.</summary>
    private static bool StaysTrue(Graph body)
    {
        Value value = body.Outputs[0];
        while (value.Producer is { } producer && producer.Is("Identity") && producer.Input(0) is { } source) value = source;
        return ReferenceEquals(value, body.Inputs[1]) || PassContext.Constant(value) is { Type: DataType.Bool, ElementCount: 1 } data && data.Bytes[0] != 0;
    }
}
