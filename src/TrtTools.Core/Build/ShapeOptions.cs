using TrtTools.Engines;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>Holds -InputShape and -OptimizationProfile against the model's inputs.</summary>
internal static class ShapeOptions
{
    /// <summary>The profiles as the engine stores them.</summary>
    public static IReadOnlyList<EngineProfile> Profiles(OnnxGraph graph, BuildOptions options)
    {
        List<EngineProfile> rows = [];
        for (int index = 0; index < options.OptimizationProfile.Count; index++)
        {
            IReadOnlyDictionary<string, ShapeRange> profile = options.OptimizationProfile[index];
            foreach ((string name, ShapeRange range) in profile.OrderBy(p => p.Key, StringComparer.Ordinal)) rows.Add(Check(graph, index, name, range));
            foreach (GraphTensor input in graph.Inputs)
            {
                if (profile.ContainsKey(input.Name) || !input.Shape.Contains(-1) || options.InputShape?.ContainsKey(input.Name) == true) continue;
                throw new TrtToolsException(ErrorCode.OptionInvalid, $"OptimizationProfile {index}", $"it says nothing of the input {input}", "A range for every input with dynamic dimensions", $"Add {input.Name} = min, opt, max");
            }
        }
        return rows;
    }

    private static EngineProfile Check(OnnxGraph graph, int index, string name, ShapeRange range)
    {
        string subject = $"OptimizationProfile {index}, input '{name}'";
        GraphTensor input = Find(graph, name, subject);
        foreach (long[] shape in new[] { range.Min, range.Opt, range.Max }) CheckShape(input, shape, subject);
        for (int d = 0; d < range.Min.Length; d++)
        {
            if (range.Min[d] > range.Opt[d] || range.Opt[d] > range.Max[d])
                throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"dimension {d} is {range.Min[d]}, {range.Opt[d]}, {range.Max[d]}", "min ≤ opt ≤ max", "Order the three shapes");
        }
        return new EngineProfile { Index = index, Input = name, Min = range.Min, Opt = range.Opt, Max = range.Max };
    }

    /// <summary>Fixes the shapes that -InputShape names. The graph is a copy.</summary>
    public static void Pin(OnnxGraph copy, IReadOnlyDictionary<string, long[]>? shapes)
    {
        if (shapes is null) return;
        foreach ((string name, long[] shape) in shapes)
        {
            Value value = copy.Body.Inputs.First(v => string.Equals(v.Name, name, StringComparison.Ordinal));
            value.Type = new TensorType(value.Type?.DataType ?? DataType.Undefined, SymbolicShape.Of(shape));
        }
    }

    public static void CheckInputShape(OnnxGraph graph, BuildOptions options)
    {
        if (options.InputShape is null) return;
        foreach ((string name, long[] shape) in options.InputShape)
        {
            string subject = $"InputShape '{name}'";
            CheckShape(Find(graph, name, subject), shape, subject);
            if (options.OptimizationProfile.Any(p => p.ContainsKey(name)))
                throw new TrtToolsException(ErrorCode.OptionInvalid, subject, "the input is in -OptimizationProfile too", "A fixed shape or a range of shapes", "Leave one of them out");
        }
    }

    private static void CheckShape(GraphTensor input, long[] shape, string subject)
    {
        bool fits = !input.HasRank || input.Shape.Length == shape.Length;
        for (int d = 0; fits && input.HasRank && d < shape.Length; d++) fits = input.Shape[d] < 0 || input.Shape[d] == shape[d];
        if (!fits) throw new TrtToolsException(ErrorCode.ShapeMismatch, subject, $"[{string.Join(',', shape)}] does not fit", $"{input}", "Give as many dimensions as the input has, and the model's own extent where it is fixed");
        if (shape.Any(d => d < 0)) throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"[{string.Join(',', shape)}] has a negative extent", "Extents of 0 or more", "Give numbers for all dimensions");
    }

    private static GraphTensor Find(OnnxGraph graph, string name, string subject) => graph.Inputs.FirstOrDefault(i => string.Equals(i.Name, name, StringComparison.Ordinal))
        ?? throw new TrtToolsException(ErrorCode.InputNotFound, subject, $"'{graph.Name}' has no such input", string.Join(", ", graph.Inputs.Select(i => i.ToString())),
            Data.NearestName.Find(name, [.. graph.Inputs.Select(i => i.Name)]) is { } near ? $"Did you mean '{near}'?" : "Correct the name");
}
