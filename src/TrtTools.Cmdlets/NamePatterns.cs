using System.Management.Automation;

namespace TrtTools.Cmdlets;

/// <summary>Names with wildcards. A name that holds [ or * means itself first.</summary>
internal static class NamePatterns
{
    public static Func<string, bool> Matcher(string[]? names)
    {
        if (names is null || names.Length == 0) return static _ => true;
        HashSet<string> exact = new(names, StringComparer.Ordinal);
        WildcardPattern[] patterns = [.. names.Where(WildcardPattern.ContainsWildcardCharacters).Select(n => new WildcardPattern(n, WildcardOptions.CultureInvariant))];
        return name => exact.Contains(name) || patterns.Any(p => p.IsMatch(name));
    }

    /// <summary>A name without wildcards must be one of <paramref name="known"/>: a check of a mistyped name would pass.</summary>
    public static void Require(string[]? names, IReadOnlyCollection<string> known, string kind)
    {
        string? unknown = names?.FirstOrDefault(n => !WildcardPattern.ContainsWildcardCharacters(n) && !known.Contains(n));
        if (unknown is null) return;
        IReadOnlyList<string> near = InputPaths.Nearest(unknown, known);
        throw new TrtToolsException(ErrorCode.TensorNotFound, $"-Name '{unknown}'", $"there is no {kind} of this name", near.Count > 0 ? $"Did you mean {string.Join(" or ", near.Select(n => $"'{n}'"))}?" : "", "Leave -Name out to see all");
    }
}
