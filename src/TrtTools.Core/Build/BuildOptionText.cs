using System.Globalization;

namespace TrtTools.Build;

/// <summary>The options that were given, as lines for the record.</summary>
internal static class BuildOptionText
{
    public static IEnumerable<string> Lines(BuildOptions options)
    {
        yield return $"Device={options.Device}";
        foreach ((string name, bool given) in new[]
        {
            (nameof(options.Fp16), options.Fp16), (nameof(options.Bf16), options.Bf16), (nameof(options.Tf32), options.Tf32), (nameof(options.Int8), options.Int8),
            (nameof(options.Best), options.Best), (nameof(options.NoLibrary), options.NoLibrary), (nameof(options.Strict), options.Strict),
        })
        {
            if (given) yield return name;
        }
        yield return string.Create(CultureInfo.InvariantCulture, $"OptimizationLevel={options.OptimizationLevel}");
        for (int i = 0; i < options.OptimizationProfile.Count; i++)
        {
            foreach ((string input, ShapeRange range) in options.OptimizationProfile[i].OrderBy(p => p.Key, StringComparer.Ordinal)) yield return $"OptimizationProfile[{i}] {input}={range}";
        }
        foreach ((string input, long[] shape) in Sorted(options.InputShape)) yield return $"InputShape {input}={string.Join(',', shape)}";
        foreach ((string pattern, Engines.EnginePrecision precision) in Sorted(options.LayerPrecision)) yield return $"LayerPrecision {pattern}={precision}";
        foreach ((string input, string format) in Sorted(options.InputFormat)) yield return $"InputFormat {input}={format}";
        foreach ((string output, string format) in Sorted(options.OutputFormat)) yield return $"OutputFormat {output}={format}";
        if (options.CalibrationData is { } data) yield return $"CalibrationData={data.Description}";
    }

    private static IEnumerable<KeyValuePair<string, T>> Sorted<T>(IReadOnlyDictionary<string, T>? map) => map is null ? [] : map.OrderBy(p => p.Key, StringComparer.Ordinal);
}
