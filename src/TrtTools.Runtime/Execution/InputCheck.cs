using TrtTools.Engines;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>Holds inputs against what an engine takes.</summary>
internal static class InputCheck
{
    public static void Check(Engine engine, IReadOnlyDictionary<string, Tensor> inputs)
    {
        string subject = $"The engine '{engine.Name}'";
        List<string> unknown = [.. inputs.Keys.Where(k => !engine.Inputs.Any(i => string.Equals(i.Name, k, StringComparison.Ordinal)))];
        List<string> missing = [.. engine.Inputs.Select(i => i.Name).Where(n => !inputs.ContainsKey(n))];
        if (unknown.Count > 0)
        {
            string nearest = Nearest(unknown[0], [.. missing.Count > 0 ? missing : engine.Inputs.Select(i => i.Name)]);
            throw new TrtToolsException(ErrorCode.InputNotFound, subject, $"there is no input {Names(unknown)}", $"{(engine.Inputs.Count == 1 ? "Its input is" : "Its inputs are")} {Names(engine.Inputs.Select(i => i.Name))}",
                nearest.Length > 0 ? $"Did you mean '{nearest}'?" : "Correct the name");
        }
        if (missing.Count > 0)
        {
            throw new TrtToolsException(ErrorCode.InputNotFound, subject, $"no value was given for {Names(missing)}", $"Values for {Names(engine.Inputs.Select(i => i.Name))}", "Add what is missing to the input data");
        }
        foreach (EngineTensor expected in engine.Inputs) CheckInput(subject, expected, inputs[expected.Name]);
        if (engine.Profiles.Count > 0) CheckProfiles(engine, subject, inputs);
    }

    private static void CheckInput(string subject, EngineTensor expected, Tensor given)
    {
        if (given.DataType != expected.DataType)
        {
            throw new TrtToolsException(ErrorCode.InputInvalid, subject, $"the input '{expected.Name}' was given as {given.DataType}", $"{expected}", $"Convert the data to {expected.DataType}");
        }
        if (!expected.HasRank) return;
        bool fits = given.Shape.Length == expected.Shape.Length;
        for (int d = 0; fits && d < given.Shape.Length; d++) fits = expected.Shape[d] < 0 || expected.Shape[d] == given.Shape[d];
        if (fits) return;
        throw new TrtToolsException(ErrorCode.ShapeMismatch, subject, $"the input '{expected.Name}' has the shape [{string.Join(',', given.Shape)}]", $"{expected}", "Reshape or resize the data");
    }

    private static void CheckProfiles(Engine engine, string subject, IReadOnlyDictionary<string, Tensor> inputs)
    {
        if (ProfileFor(engine, inputs.ToDictionary(p => p.Key, p => p.Value.Shape, StringComparer.Ordinal)) >= 0) return;
        IEnumerable<string> given = engine.Profiles.Select(p => p.Input).Distinct(StringComparer.Ordinal).Select(n => $"'{n}' is [{string.Join(',', inputs[n].Shape)}]");
        IEnumerable<string> ranges = engine.Profiles.Select(p => $"profile {p.Index}: '{p.Input}' from [{string.Join(',', p.Min)}] to [{string.Join(',', p.Max)}]");
        throw new TrtToolsException(ErrorCode.ShapeOutOfProfile, subject, $"no optimization profile takes these shapes: {string.Join(", ", given)}", string.Join("; ", ranges),
            "Change the shape, or build the engine with a wider -OptimizationProfile");
    }

    /// <summary>The first profile that takes these shapes; -1 when none does.</summary>
    public static int ProfileFor(Engine engine, IReadOnlyDictionary<string, long[]> shapes)
    {
        foreach (IGrouping<int, EngineProfile> profile in engine.Profiles.GroupBy(p => p.Index))
        {
            if (profile.All(p => shapes.TryGetValue(p.Input, out long[]? shape) && Inside(shape, p))) return profile.Key;
        }
        return -1;
    }

    private static bool Inside(long[] shape, EngineProfile range)
    {
        if (shape.Length != range.Min.Length) return false;
        for (int d = 0; d < shape.Length; d++)
        {
            if (shape[d] < range.Min[d] || shape[d] > range.Max[d]) return false;
        }
        return true;
    }

    private static string Names(IEnumerable<string> names) => string.Join(", ", names.Select(n => $"'{n}'"));

    /// <summary>The candidate that differs in the fewest letters; empty when none is near.</summary>
    internal static string Nearest(string name, IReadOnlyList<string> candidates)
    {
        string best = "";
        int bestDistance = Math.Max(3, name.Length / 2) + 1;
        foreach (string candidate in candidates)
        {
            int distance = EditDistance.Of(name, candidate);
            if (distance < bestDistance) (best, bestDistance) = (candidate, distance);
        }
        return best;
    }
}
