using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operations become the program's steps.</summary>
internal static class ProgramAssembly
{
    public static LoweredProgram Assemble(LoweringScope scope, string name, IReadOnlyList<string> warnings)
    {
        List<LoweredStep> steps = [];
        foreach (Operation operation in scope.Operations)
        {
            steps.Add(new RegionStep(new Region
            {
                Name = $"{steps.Count:D3} {operation}", Kind = operation.Kind, Operators = operation.ToString(), Nests = operation.Nests, Facts = operation.Facts, SourceNodes = operation.SourceNodes,
            }));
        }
        return new LoweredProgram
        {
            Name = name, Inputs = [.. scope.Inputs.Select(i => i.View)], Outputs = [.. scope.Outputs.Select(o => o.View)], Symbols = Symbols(scope), Steps = steps, Warnings = warnings,
        };
    }

    private static List<SymbolSource> Symbols(LoweringScope scope)
    {
        List<SymbolSource> symbols = [];
        HashSet<string> known = new(StringComparer.Ordinal);
        foreach (LoweredValue input in scope.Inputs)
        {
            for (int axis = 0; axis < input.Rank; axis++)
            {
                if (input.Shape[axis].SymbolName is { } symbol && known.Add(symbol)) symbols.Add(new SymbolSource(symbol, input.Storage, axis));
            }
        }
        return symbols;
    }
}
