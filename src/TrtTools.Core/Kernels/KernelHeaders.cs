using System.Collections.Frozen;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace TrtTools.Kernels;

/// <summary>Our own .cuh files, which kernels include by their names alone.</summary>
internal static partial class KernelHeaders
{
    private const string Prefix = "TrtTools.Kernels.";

    private static readonly FrozenDictionary<string, string> s_all = Read();

    public static IReadOnlyDictionary<string, string> All => s_all;

    private static readonly FrozenDictionary<string, string> s_digests = s_all.ToFrozenDictionary(h => h.Key, h => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(h.Value))), StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string[]> s_included = s_all.ToFrozenDictionary(h => h.Key, h => IncludedBy(h.Value).ToArray(), StringComparer.Ordinal);

    /// <summary>SHA-256 of a file's text.</summary>
    public static string DigestOf(string name) => s_digests[name];

    /// <summary>What a text includes, directly or not, by name. A name that is none of ours is left to the compiler to report.</summary>
    public static IReadOnlyDictionary<string, string> Of(string text)
    {
        SortedDictionary<string, string> found = new(StringComparer.Ordinal);
        Stack<string> pending = new(IncludedBy(text));
        while (pending.TryPop(out string? name))
        {
            if (!found.TryAdd(name, s_all[name])) continue;
            foreach (string next in s_included[name]) pending.Push(next);
        }
        return found;
    }

    private static IEnumerable<string> IncludedBy(string text) => Include().Matches(text).Select(m => m.Groups[1].Value).Where(s_all.ContainsKey);

    private static FrozenDictionary<string, string> Read()
    {
        Assembly assembly = typeof(KernelHeaders).Assembly;
        Dictionary<string, string> headers = new(StringComparer.Ordinal);
        foreach (string resource in assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && n.EndsWith(".cuh", StringComparison.Ordinal)))
        {
            using StreamReader reader = new(assembly.GetManifestResourceStream(resource)!);
            headers.Add(resource[Prefix.Length..], reader.ReadToEnd().ReplaceLineEndings("\n"));
        }
        return headers.ToFrozenDictionary(StringComparer.Ordinal);
    }

    [GeneratedRegex("^[ \\t]*#include \"([^\"]+)\"", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Include();
}
