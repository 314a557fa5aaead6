using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Nodes that no kernel computes become steps of the host, as few as the order allows.</summary>
internal static class HostNodes
{
    public static void Add(LoweringScope scope, Node node)
    {
        Operation operation = new() { Kind = RegionKind.Nests, Operators = [node.OpType], HostNodes = [node], SourceNodes = new NodeLowering(scope, node).Sources };
        foreach (Value input in Needs(node))
        {
            if (OperatorView.Constant(input) is null && scope.IsLowered(input)) operation.HostInputs.Add((input, scope.ValueOf(input)));
        }
        foreach (Value output in node.Outputs.OfType<Value>())
        {
            // Sequences, and tensors of unknown rank, stay between host nodes.
            if (!output.HasUses || !LoweringScope.IsKnown(output)) continue;
            LoweredValue made = scope.Scratch(output.Name, output.Type!.DataType, LoweringScope.ShapeOf(output), [output.Name]);
            made.KeepsType = true;
            scope.Define(output, made);
            operation.HostOutputs.Add((output, made));
        }
        scope.Operations.Add(operation);
    }

    /// <summary>What a node reads, in its subgraphs too.</summary>
    public static IEnumerable<Value> Needs(Node node)
    {
        HashSet<Graph> inside = [.. node.Subgraphs.SelectMany(g => g.WithSubgraphs)];
        return node.Inputs.OfType<Value>().Concat(inside.SelectMany(g => g.Nodes.SelectMany(n => n.Inputs).OfType<Value>().Concat(g.Outputs)).Where(v => !inside.Contains(v.Graph))).Distinct();
    }

    /// <summary>Joins host operations where nothing between them stands in the way.</summary>
    public static void Merge(List<Operation> operations)
    {
        for (int at = 0; at < operations.Count; at++)
        {
            if (!operations[at].IsHost) continue;
            for (int earlier = at - 1; earlier >= 0; earlier--)
            {
                if (!operations[earlier].IsHost || !TryMerge(operations, earlier, at)) continue;
                at--;
                break;
            }
        }
    }

    private static bool TryMerge(List<Operation> operations, int first, int second)
    {
        Operation a = operations[first], b = operations[second];
        HashSet<Storage> after = [.. a.HostOutputs.Select(o => o.Lowered.Storage)];
        HashSet<Value> hidden = [.. a.HostNodes.SelectMany(n => n.Outputs).OfType<Value>()];
        List<Operation> before = [], behind = [];
        for (int i = first + 1; i < second; i++)
        {
            bool depends = Reads(operations[i]).Any(after.Contains) || operations[i].HostNodes.SelectMany(Needs).Any(hidden.Contains);
            (depends ? behind : before).Add(operations[i]);
            if (!depends) continue;
            after.UnionWith(Writes(operations[i]));
            hidden.UnionWith(operations[i].HostNodes.SelectMany(n => n.Outputs).OfType<Value>());
        }
        HashSet<Storage> own = [.. a.HostOutputs.Select(o => o.Lowered.Storage)];
        HashSet<Value> ownHidden = [.. a.HostNodes.SelectMany(n => n.Outputs).OfType<Value>()];
        if (Reads(b).Any(s => after.Contains(s) && !own.Contains(s)) || b.HostNodes.SelectMany(Needs).Any(v => hidden.Contains(v) && !ownHidden.Contains(v))) return false;
        Operation merged = new()
        {
            Kind = RegionKind.Nests, Operators = [.. a.Operators, .. b.Operators], HostNodes = [.. a.HostNodes, .. b.HostNodes], SourceNodes = [.. a.SourceNodes, .. b.SourceNodes],
            HostInputs = [.. a.HostInputs.Concat(b.HostInputs.Where(i => !own.Contains(i.Lowered.Storage))).DistinctBy(i => i.Value)],
            HostOutputs = [.. a.HostOutputs, .. b.HostOutputs],
        };
        operations.RemoveRange(first, second - first + 1);
        operations.InsertRange(first, [.. before, merged, .. behind]);
        return true;
    }

    public static IEnumerable<Storage> Reads(Operation operation) => operation.IsHost ? operation.HostInputs.Select(i => i.Lowered.Storage) : operation.Nests.SelectMany(Storages.ReadBy);

    public static IEnumerable<Storage> Writes(Operation operation) => operation.IsHost ? operation.HostOutputs.Select(o => o.Lowered.Storage) : operation.Nests.Select(n => n.Target.Storage);

    /// <summary>The model that the host runs.</summary>
    public static OnnxGraph ToGraph(OnnxGraph source, Operation operation)
    {
        Graph body = new("host");
        OnnxGraph model = new(body, source.Name, null, Math.Max(10, source.IrVersion), source.OpsetImports, source.Resources);
        Dictionary<Value, Value> map = [];
        foreach ((Value value, _) in operation.HostInputs) map[value] = body.AddInput(value.Name, value.Type);
        foreach (Node node in operation.HostNodes)
        {
            foreach (Value need in Needs(node))
            {
                if (!map.ContainsKey(need) && OperatorView.Constant(need) is { } data) map[need] = body.AddInitializer(need.Name, data);
            }
            Node copy = GraphCopier.CopyNode(node, body, map);
            foreach (Function function in source.FunctionTable.Values) model.FunctionTable.TryAdd(function.Key, function);
            copy.SourceNodes = node.SourceNodes;
        }
        foreach ((Value value, _) in operation.HostOutputs) body.AddOutput(map[value]);
        return model;
    }
}
