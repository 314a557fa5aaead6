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
        if (engine.Profiles.Count > 0) CheckProfiles(engine, inputs);
    }

    private static void CheckInput(string subject, EngineTensor expected, Tensor given)
    {
        if (given.DataType != expected.DataType)
        {
            throw new TrtToolsException(ErrorCode.InputInvalid, subject, $"the input '{expected.Name}' was given as {given.DataType}", $"{expected}", $"Convert the data to {expected.DataType}");
        }
        if (!Fits(expected, given.Shape)) throw WrongShape(subject, expected, given.Shape);
    }

    /// <summary>Holds one input's shape against what the engine takes, and against its profiles.</summary>
    public static void CheckShape(Engine engine, EngineTensor expected, ReadOnlySpan<long> shape)
    {
        if (!Fits(expected, shape)) throw WrongShape($"The engine '{engine.Name}'", expected, shape);
        if (engine.Profiles.Count == 0) return;
        bool ranged = false;
        // By number: an enumerator would be an allocation, and this runs before every enqueue.
        for (int i = 0; i < engine.Profiles.Count; i++)
        {
            EngineProfile profile = engine.Profiles[i];
            if (!string.Equals(profile.Input, expected.Name, StringComparison.Ordinal)) continue;
            if (Inside(shape, profile)) return;
            ranged = true;
        }
        if (!ranged) return;
        throw OutOfProfile(engine, $"'{expected.Name}' is [{string.Join(',', shape.ToArray())}]", ProfilesOf(engine, expected.Name));
    }

    private static bool Fits(EngineTensor expected, ReadOnlySpan<long> shape)
    {
        if (!expected.HasRank) return true;
        bool fits = shape.Length == expected.Shape.Length;
        for (int d = 0; fits && d < shape.Length; d++) fits = expected.Shape[d] < 0 ? shape[d] >= 0 : expected.Shape[d] == shape[d];
        return fits;
    }

    private static TrtToolsException WrongShape(string subject, EngineTensor expected, ReadOnlySpan<long> shape) =>
        new(ErrorCode.ShapeMismatch, subject, $"the input '{expected.Name}' has the shape [{string.Join(',', shape.ToArray())}]", $"{expected}", "Reshape or resize the data");

    // By itself: what the lambda captures is an allocation for whoever holds it.
    private static IEnumerable<EngineProfile> ProfilesOf(Engine engine, string input) => engine.Profiles.Where(p => string.Equals(p.Input, input, StringComparison.Ordinal));

    private static TrtToolsException OutOfProfile(Engine engine, string given, IEnumerable<EngineProfile> profiles) =>
        new(ErrorCode.ShapeOutOfProfile, $"The engine '{engine.Name}'", $"no optimization profile takes these shapes: {given}",
            string.Join("; ", profiles.Select(p => $"profile {p.Index}: '{p.Input}' from [{string.Join(',', p.Min)}] to [{string.Join(',', p.Max)}]")),
            "Change the shape, or build the engine with a wider -OptimizationProfile");

    private static void CheckProfiles(Engine engine, IReadOnlyDictionary<string, Tensor> inputs)
    {
        if (ProfileFor(engine, inputs.ToDictionary(p => p.Key, p => p.Value.Shape, StringComparer.Ordinal)) >= 0) return;
        IEnumerable<string> given = engine.Profiles.Select(p => p.Input).Distinct(StringComparer.Ordinal).Select(n => $"'{n}' is [{string.Join(',', inputs[n].Shape)}]");
        throw OutOfProfile(engine, string.Join(", ", given), engine.Profiles);
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

    private static bool Inside(ReadOnlySpan<long> shape, EngineProfile range)
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
