using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Evaluation;
using TrtTools.Ir;

namespace TrtTools.Build;

/// <summary>Shapes to try a model with when nobody gave them: the first profile's optimum, or guesses for the dynamic dimensions.</summary>
internal static class SampleShapes
{
    /// <summary>Extents of dynamic dimensions, in the order to try: images first, since most models with several such dimensions take them.</summary>
    private static readonly long[] Extents = [32, 64, .. SyntheticInputs.ExtentsToTry];

    private const long TypicalExtent = 128;

    /// <summary>Shapes of the model's inputs, in the model's own layout.</summary>
    public static IEnumerable<IReadOnlyList<InputInfo>> Candidates(BuildContext context)
    {
        IReadOnlyList<EngineTensor> inputs = [.. context.Graph.Inputs.Select(EngineAssembler.Describe)];
        Dictionary<string, long[]> known = new(StringComparer.Ordinal);
        if (context.Options.OptimizationProfile.Count > 0)
        {
            foreach ((string name, ShapeRange range) in context.Options.OptimizationProfile[0]) known[name] = range.Opt;
        }
        bool free = inputs.Any(i => !known.ContainsKey(i.Name) && i.Shape.Contains(-1));
        foreach (long extent in free ? Extents : [1])
        {
            yield return [.. inputs.Select(i => new InputInfo(i.Name, i.DataType, known.GetValueOrDefault(i.Name) ?? Guess(i, inputs, extent)))];
        }
    }

    /// <summary>Shapes of the running graph's inputs to tune for: a profile's optimum, else a batch of 1 and middling extents.</summary>
    public static Dictionary<string, long[]> Typical(BuildContext context, int profile = 0)
    {
        IReadOnlyList<EngineTensor> inputs = [.. context.Form!.Graph.Inputs.Select(EngineAssembler.Describe)];
        return inputs.Where(i => i.HasRank).ToDictionary(i => i.Name, i => context.Profiles.FirstOrDefault(p => p.Index == profile && string.Equals(p.Input, i.Name, StringComparison.Ordinal))?.Opt ?? Guess(i, inputs, TypicalExtent), StringComparer.Ordinal);
    }

    /// <summary>Shapes of an engine's dynamic inputs; null stands for the engine's own profiles and fixed shapes.</summary>
    public static IEnumerable<Dictionary<string, long[]>?> Candidates(Execution.Engine engine)
    {
        if (engine.Profiles.Count > 0 || !engine.Inputs.Any(i => i.Shape.Contains(-1)))
        {
            yield return null;
            yield break;
        }
        foreach (long extent in Extents) yield return engine.Inputs.Where(i => i.Shape.Contains(-1)).ToDictionary(i => i.Name, i => Guess(i, engine.Inputs, extent), StringComparer.Ordinal);
    }

    /// <summary>The batch is 1 wherever its symbol stands, any other dynamic dimension <paramref name="extent"/>.</summary>
    private static long[] Guess(EngineTensor input, IReadOnlyList<EngineTensor> all, long extent)
    {
        HashSet<string> batch = [.. all.Where(i => i.Shape.Length > 1 && i.Shape[0] < 0).Select(i => i.SymbolicShape[0]).Where(s => s != "?")];
        return [.. input.Shape.Select((d, i) => d >= 0 ? d : i == 0 && input.Shape.Length > 1 || batch.Contains(input.SymbolicShape[i]) ? 1 : extent)];
    }
}
