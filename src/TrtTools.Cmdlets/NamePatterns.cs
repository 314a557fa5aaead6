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
}
