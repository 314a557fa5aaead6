namespace TrtTools.Passes;

/// <summary>Names of passes and patterns as users type them.</summary>
internal static class NameMatcher
{
    /// <summary>The known name, in its own spelling; an error with the nearest ones when there is none.</summary>
    public static string Find(string wanted, IReadOnlyList<string> known, ErrorCode code, string kind)
    {
        foreach (string name in known)
        {
            if (string.Equals(name, wanted, StringComparison.OrdinalIgnoreCase)) return name;
        }
        List<string> nearest = [.. known.OrderBy(n => Distance(n, wanted)).ThenBy(n => n, StringComparer.Ordinal).Take(3)];
        throw new TrtToolsException(code, $"{kind} '{wanted}'", $"There is no {kind.ToLowerInvariant()} of this name",
            $"The nearest are {string.Join(", ", nearest.Select(n => $"'{n}'"))}", "Press Tab after the parameter to see all names");
    }

    public static HashSet<string>? FindAll(IReadOnlyList<string>? wanted, IReadOnlyList<string> known, ErrorCode code, string kind) =>
        wanted is null ? null : new HashSet<string>(wanted.Select(w => Find(w, known, code, kind)), StringComparer.Ordinal);

    /// <summary>Edit distance; a part of the name in place of the whole is near.</summary>
    private static int Distance(string name, string wanted)
    {
        string typed = wanted.ToLowerInvariant();
        string lower = name.ToLowerInvariant();
        if (typed.Length > 2 && lower.Contains(typed, StringComparison.Ordinal)) return 1;
        return EditDistance.Of(lower, typed) * 2;
    }
}
