using System.Collections.Frozen;
using System.Reflection;
using System.Text.RegularExpressions;

namespace TrtTools.Kernels;

/// <summary>Our own .cuh files, which kernels include by their names alone.</summary>
internal static partial class KernelHeaders
{
    private const string Prefix = "TrtTools.Kernels.";

    private static readonly FrozenDictionary<string, string> s_all = Read();

    public static IReadOnlyDictionary<string, string> All => s_all;

    /// <summary>What a text includes, directly or not, by name. A name that is none of ours is left to the compiler to report.</summary>
    public static IReadOnlyDictionary<string, string> Of(string text)
    {
        SortedDictionary<string, string> found = new(StringComparer.Ordinal);
        Stack<string> pending = new([text]);
        while (pending.TryPop(out string? next))
        {
            foreach (Match include in Include().Matches(next))
            {
                string name = include.Groups[1].Value;
                if (s_all.TryGetValue(name, out string? header) && found.TryAdd(name, header)) pending.Push(header);
            }
        }
        return found;
    }

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
