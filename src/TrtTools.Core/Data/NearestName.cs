namespace TrtTools.Data;

/// <summary>Finds what a mistyped name probably meant.</summary>
internal static class NearestName
{
    /// <summary>The candidate with the smallest edit distance, if it is near enough to be worth naming; ties go to the ordinally first.</summary>
    public static string? Find(string name, IEnumerable<string> candidates)
    {
        string? best = null;
        int bestDistance = int.MaxValue;
        foreach (string candidate in candidates.Order(StringComparer.Ordinal))
        {
            int distance = EditDistance.Of(name, candidate);
            if (distance < bestDistance) (best, bestDistance) = (candidate, distance);
        }
        return best is not null && bestDistance <= Math.Max(2, Math.Max(name.Length, best.Length) / 3) ? best : null;
    }

    /// <summary>"Did you mean 'x'? " or nothing, and then the names there are.</summary>
    public static string Advice(string name, IReadOnlyCollection<string> candidates, string kind)
    {
        string all = candidates.Count == 0 ? $"There are no {kind}s" : $"The {kind}s are {string.Join(", ", candidates.Take(12).Select(c => $"'{c}'"))}{(candidates.Count > 12 ? ", …" : "")}";
        return Find(name, candidates) is { } near ? $"Did you mean '{near}'? {all}" : all;
    }
}
