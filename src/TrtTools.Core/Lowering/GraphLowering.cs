using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Turns a graph into loop nests over storages. Pure: the same graph and options give the same program, on any machine.</summary>
internal static class GraphLowering
{
    public static LoweredProgram Lower(OnnxGraph graph, LoweringOptions options, Report report, CancellationToken stop)
    {
        OnnxGraph simple = GraphPreparation.Run(graph, report, stop);
        ShapeResult shapes = UnknownExtents.Resolve(simple);
        LoweringScope scope = new(simple, shapes, options);
        CheckBindings(simple, simple.Body.Inputs.Where(i => i.Data is null), "input");
        CheckBindings(simple, simple.Body.Outputs, "output");
        foreach (Value input in simple.Body.Inputs.Where(i => i.Data is null)) scope.Define(input, scope.Binding(input, StorageKind.Input, scope.Inputs.Count));
        List<string> left = [];
        foreach (Node node in simple.Body.Nodes)
        {
            stop.ThrowIfCancellationRequested();
            if (NodeDispatch.Lower(scope, node) is { } reason) left.Add($"{node.OpType} '{node.DisplayName}': {reason}");
        }
        foreach (Value output in simple.Body.Outputs) CopyOut(scope, output);
        HostNodes.Merge(scope.Operations);
        DeadOperations.Remove(scope);
        if (options.Fuse) RegionForming.Run(scope, stop);
        List<string> warnings = Warn(graph.Name, left, options, report);
        return ProgramAssembly.Assemble(scope, graph.Name, warnings);
    }

    /// <summary>Inputs and outputs are tensors of a known type and rank: sequences and optionals can stand only between nodes of the host.</summary>
    private static void CheckBindings(OnnxGraph graph, IEnumerable<Value> values, string kind)
    {
        foreach (Value value in values)
        {
            if (LoweringScope.IsKnown(value)) continue;
            string found = value.Type is null ? "it is a sequence, an optional or a map, or nothing is known of it" : $"its type is {value.Type}";
            throw new TrtToolsException(ErrorCode.UnsupportedOperator, $"{graph.Name}, {kind} '{value.Name}'", found, "A tensor of a known type and rank",
                kind == "input" ? "Give it a type and shape with Set-GraphInput, or build for the CPU" : "Choose other outputs with Set-GraphOutput, or build for the CPU");
        }
    }

    /// <summary>Each output of the model is a storage of its own; what wrote a value writes there at once, where that can be, once regions are formed.</summary>
    private static void CopyOut(LoweringScope scope, Value output)
    {
        LoweredValue source = scope.ValueOf(output), target = scope.Binding(output, StorageKind.Output, scope.Outputs.Count);
        scope.Operations.Add(new Operation { Kind = RegionKind.Map, Operators = ["Identity"], Nests = [NodeLowering.Map(target, index => NodeLowering.LoadAt(source, index))] });
    }

    private static List<string> Warn(string name, List<string> left, LoweringOptions options, Report report)
    {
        if (left.Count == 0) return [];
        string text = string.Join("; ", left);
        if (options.Strict)
        {
            throw new TrtToolsException(ErrorCode.UnsupportedOperator, name, $"{left.Count} nodes have no kernel: {text}", "With -Strict every operator runs on the device", "Build without -Strict to leave them to the CPU");
        }
        string warning = $"{name}: {left.Count} nodes run on the CPU inside the engine: {text}.";
        report.Warning(warning);
        return [warning];
    }
}
