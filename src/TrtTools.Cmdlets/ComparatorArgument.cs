using System.Collections;
using System.Globalization;
using System.Management.Automation;
using TrtTools.Comparison;

namespace TrtTools.Cmdlets;

/// <summary>@{ logits = 'Cosine'; boxes = @{ Comparator = 'L2'; Threshold = 0.1 } } as comparators of single outputs.</summary>
internal static class ComparatorArgument
{
    private static readonly string[] s_keys = ["Comparator", "Threshold", "Quantile", "TopIndex"];

    public static IReadOnlyDictionary<string, OutputComparator> Read(IDictionary? map)
    {
        Dictionary<string, OutputComparator> comparators = new(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in map ?? new Hashtable())
        {
            string output = Arguments.Bare(entry.Key)?.ToString() ?? "";
            comparators[output] = Arguments.Bare(entry.Value) is IDictionary own ? One(output, own) : new OutputComparator(Kind(output, entry.Value));
        }
        return comparators;
    }

    private static OutputComparator One(string output, IDictionary map)
    {
        Dictionary<string, object?> given = new(StringComparer.OrdinalIgnoreCase);
        foreach (DictionaryEntry entry in map)
        {
            string key = Arguments.Bare(entry.Key)?.ToString() ?? "";
            if (!s_keys.Contains(key, StringComparer.OrdinalIgnoreCase)) throw Invalid(output, $"'{key}' says nothing about a comparator", $"One of {string.Join(", ", s_keys)}");
            given[key] = entry.Value;
        }
        return new OutputComparator(given.TryGetValue("Comparator", out object? kind) ? Kind(output, kind) : ComparatorKind.Scale, Number(output, given, "Threshold"), Number(output, given, "Quantile"), (int?)Number(output, given, "TopIndex"));
    }

    private static ComparatorKind Kind(string output, object? value) =>
        Arguments.Bare(value) is ComparatorKind kind ? kind : Enum.TryParse(Arguments.Bare(value)?.ToString(), ignoreCase: true, out ComparatorKind named) && Enum.IsDefined(named) ? named
            : throw Invalid(output, $"'{value}' is no comparator", $"One of {string.Join(", ", Enum.GetNames<ComparatorKind>())}");

    private static double? Number(string output, Dictionary<string, object?> given, string key) => !given.TryGetValue(key, out object? value) ? null
        : LanguagePrimitives.TryConvertTo(Arguments.Bare(value), CultureInfo.InvariantCulture, out double number) ? number : throw Invalid(output, $"{key} is '{value}'", "A number");

    private static TrtToolsException Invalid(string output, string found, string expected) =>
        new(ErrorCode.OptionInvalid, $"-OutputComparator '{output}'", found, expected, "Write it as @{ output = 'Cosine' } or @{ output = @{ Comparator = 'L2'; Threshold = 0.1 } }");
}
