using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Audit;

/// <summary>Finds what a body holds in vain.</summary>
internal static class UsageLint
{
    private const string Optimize = "Optimize-OnnxGraph removes it";

    public static void Check(LintBody body, LintLog log)
    {
        CheckNames(body, log);
        CheckDead(body, log);
        CheckDuplicates(body, log);
        foreach (Value input in body.Graph.Inputs)
        {
            // A subgraph's inputs are given by its operator, a function's by its interface.
            if (body.IsMain && input is { HasUses: false, Data: null }) log.Warning("InputUnused", "", $"Input '{input.Name}' is read by nothing", "Leave it out where the model is exported, or check that a connection is not missing");
        }
        foreach (Value initializer in body.Graph.Initializers.Where(i => !i.HasUses))
        {
            log.Warning("InitializerUnused", "", $"Initializer '{initializer.Name}'{body.Where} ({initializer.Data}) is read by nothing", Optimize);
        }
        Value[] overridable = body.IsMain ? [.. body.Graph.Inputs.Where(i => i.Data is not null)] : [];
        if (overridable.Length > 0)
        {
            string names = string.Join(", ", overridable.Take(3).Select(v => $"'{v.Name}'")) + (overridable.Length > 3 ? ", …" : "");
            log.Info("InitializerOverridable", "", $"{overridable.Length} initializer(s) are also inputs, so a caller may replace them and optimizers must leave them alone ({names})", "Export-OnnxGraph takes them off the inputs");
        }
    }

    private static void CheckNames(LintBody body, LintLog log)
    {
        Dictionary<string, int> counts = new(StringComparer.Ordinal);
        foreach (Node node in body.Graph.Nodes)
        {
            if (node.Name.Length > 0) counts[node.Name] = counts.GetValueOrDefault(node.Name) + 1;
        }
        foreach ((string name, int count) in counts.Where(c => c.Value > 1)) log.Warning("NodeNameDuplicate", name, $"{count} nodes{body.Where} are called '{name}'", "Give each node a name of its own: reports and profiles go by it");
    }

    private static void CheckDead(LintBody body, LintLog log)
    {
        // A value lives when an output or a living node reads it; a node that reads from a subgraph counts as the one that holds it.
        HashSet<Node> alive = [];
        Stack<Node> pending = new(body.Graph.Outputs.Where(o => o.Graph == body.Graph && o.Producer is not null).Select(o => o.Producer!));
        while (pending.TryPop(out Node? node))
        {
            if (!alive.Add(node)) continue;
            IEnumerable<Value?> reads = node.Inputs.Concat(node.Subgraphs.SelectMany(g => g.NodesWithSubgraphs.SelectMany(n => n.Inputs).Concat(g.WithSubgraphs.SelectMany(s => s.Outputs))));
            foreach (Value? read in reads)
            {
                if (read is { Producer: { } producer } && read.Graph == body.Graph) pending.Push(producer);
            }
        }
        foreach (Node node in body.Graph.Nodes)
        {
            if (!alive.Contains(node)) log.Warning("NodeDead", node.DisplayName, $"Node '{node.DisplayName}' ({node.OpType}){body.Where} leads to no output", Optimize);
        }
    }

    private static void CheckDuplicates(LintBody body, LintLog log)
    {
        Dictionary<string, Node> first = new(StringComparer.Ordinal);
        foreach (Node node in body.Graph.Nodes)
        {
            if (node.Subgraphs.Any() || node.Domain.Length > 0 || node.OpType is "Constant" || IsRandom(node)) continue;
            string key = $"{node.OpType}({string.Join('\n', node.Inputs.Select(i => i is null ? "" : $"{i.Graph.GetHashCode()}:{i.Name}"))}){node.Outputs.Count}{string.Join('\n', node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal).Select(Text))}";
            if (!first.TryAdd(key, node)) log.Info("NodeDuplicate", node.DisplayName, $"Node '{node.DisplayName}' ({node.OpType}){body.Where} computes what '{first[key].DisplayName}' does", "Optimize-OnnxGraph merges them");
        }
    }

    private static bool IsRandom(Node node) => Ops.OperatorCatalog.Find(node.Domain, node.OpType) is not { } definition || definition.Is(Ops.OperatorTraits.Random);

    private static string Text(Ir.Attribute attribute) => $"{attribute.Name}={attribute.Kind}:{attribute.Reference}:" + attribute.Content switch
    {
        byte[] v => Convert.ToHexString(v),
        float[] v => string.Join(',', v.Select(BitConverter.SingleToInt32Bits)),
        long[] v => string.Join(',', v),
        byte[][] v => string.Join(',', v.Select(Convert.ToHexString)),
        float v => BitConverter.SingleToInt32Bits(v).ToString(System.Globalization.CultureInfo.InvariantCulture),
        TensorData v => v.Type == DataType.String ? string.Join('\n', v.Strings.ToArray()) : Convert.ToHexString(v.Slice(0, (int)Math.Min(v.ByteCount, 1 << 16))) + v,
        var other => other?.ToString(),
    };
}
