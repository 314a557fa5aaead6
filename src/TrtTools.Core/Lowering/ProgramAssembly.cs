using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operations become the program's steps.</summary>
internal static class ProgramAssembly
{
    public static LoweredProgram Assemble(LoweringScope scope, string name, IReadOnlyList<string> warnings)
    {
        List<LoweredStep> steps = [];
        List<TensorView> fromHost = [];
        foreach (Operation operation in scope.Operations)
        {
            string stepName = $"{steps.Count:D3} {operation}";
            if (operation.IsHost)
            {
                OnnxGraph graph = HostNodes.ToGraph(scope.Graph, operation);
                IReadOnlyList<TensorView> outputs = operation.OutputViews ?? [.. operation.HostOutputs.Select(o => o.Lowered.View)];
                steps.Add(new HostGraphStep(stepName, graph, operation.InputViews ?? [.. operation.HostInputs.Select(i => i.Lowered.View)], outputs) { SourceNodes = operation.SourceNodes });
                fromHost.AddRange(outputs);
                continue;
            }
            steps.Add(new RegionStep(new Region
            {
                Name = stepName, Kind = operation.Kind, Operators = operation.ToString(), Nests = operation.Nests, Facts = operation.Facts, Sequence = operation.Sequence, SourceNodes = operation.SourceNodes, Values = operation.Values,
            }));
        }
        return new LoweredProgram
        {
            Name = name, Inputs = [.. scope.Inputs.Select(i => i.View)], Outputs = [.. scope.Outputs.Select(o => o.View)], Symbols = Symbols([.. scope.Inputs.Select(i => i.View), .. fromHost]), Steps = steps, Warnings = warnings,
        };
    }

    private static List<SymbolSource> Symbols(IReadOnlyList<TensorView> sources)
    {
        List<SymbolSource> symbols = [];
        HashSet<string> known = new(StringComparer.Ordinal);
        foreach (TensorView source in sources)
        {
            for (int axis = 0; axis < source.Rank; axis++)
            {
                if (source.Shape[axis].SymbolName is { } symbol && known.Add(symbol)) symbols.Add(new SymbolSource(symbol, source.Storage, axis));
            }
        }
        return symbols;
    }
}
