using TrtTools.Engines;
using TrtTools.Engines.Proto;

namespace TrtTools.Launch;

/// <summary>Values of the symbols that inputs bind.</summary>
internal static class ProfileSymbols
{
    /// <summary>For a profile's largest shapes; null where an input has no range and a symbol therefore no value.</summary>
    public static Dictionary<string, long>? Largest(Plan plan, PlanTables tables, Profile? profile) => Of(plan, tables, name => profile?.Inputs.FirstOrDefault(p => string.Equals(p.Name, name, StringComparison.Ordinal))?.Max);

    /// <summary>The first profile whose ranges hold the symbols' values; 0 where none does, and without profiles.</summary>
    public static int Find(Plan plan, IReadOnlyDictionary<string, long> symbols)
    {
        for (int p = 0; p < plan.Profiles.Count; p++)
        {
            bool fits = true;
            foreach (Symbol symbol in plan.Symbols)
            {
                if (plan.Buffers[(int)symbol.Buffer].Kind != BufferKind.Input || !symbols.TryGetValue(symbol.Name, out long value)) continue;
                string input = plan.Inputs[(int)plan.Buffers[(int)symbol.Buffer].Index].Name;
                foreach (ProfileInput range in plan.Profiles[p].Inputs)
                {
                    if (!string.Equals(range.Name, input, StringComparison.Ordinal) || symbol.Axis >= range.Min.Count) continue;
                    fits &= value >= range.Min[(int)symbol.Axis] && value <= range.Max[(int)symbol.Axis];
                }
            }
            if (fits) return p;
        }
        return 0;
    }

    /// <param name="shapeOf">An input's shape by its name; null: as far as the plan fixes it.</param>
    public static Dictionary<string, long>? Of(Plan plan, PlanTables tables, Func<string, IReadOnlyList<long>?> shapeOf)
    {
        Dictionary<string, long> symbols = new(StringComparer.Ordinal);
        foreach (Symbol symbol in tables.SymbolsOfEpoch[0])
        {
            TensorInfo input = plan.Inputs[(int)plan.Buffers[(int)symbol.Buffer].Index];
            IReadOnlyList<long> shape = shapeOf(input.Name) ?? input.Shape;
            if (symbol.Axis < shape.Count && shape[(int)symbol.Axis] >= 0) symbols[symbol.Name] = shape[(int)symbol.Axis];
        }
        return tables.SymbolsOfEpoch[0].All(s => symbols.ContainsKey(s.Name)) ? symbols : null;
    }
}
