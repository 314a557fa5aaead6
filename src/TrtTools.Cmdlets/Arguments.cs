using System.Collections;
using System.Globalization;
using System.Management.Automation;
using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

/// <summary>Turns what a script gives (hashtables, arrays, paths) into what Core takes.</summary>
internal static class Arguments
{
    /// <summary>The value without PowerShell's wrapper.</summary>
    public static object? Bare(object? value) => value is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : value;

    /// <summary>@{ x = 1,3,224,224 } as input → shape.</summary>
    public static IReadOnlyDictionary<string, long[]>? Shapes(IDictionary? map, string parameter) =>
        map is null ? null : Entries(map, parameter).ToDictionary(e => e.Key, e => Shape(e.Value, $"-{parameter} '{e.Key}'"), StringComparer.Ordinal);

    /// <summary>@{ Min = @{ input = … }; Opt = @{ … }; Max = @{ … } } or @{ input = min, opt, max }; several of the latter may come under names:
    /// @{ small = @{ input = … }; large = @{ … } }.</summary>
    public static IReadOnlyList<IReadOnlyDictionary<string, ShapeRange>> Profiles(IDictionary[]? maps)
    {
        List<IReadOnlyDictionary<string, ShapeRange>> profiles = [];
        foreach (IDictionary map in maps ?? [])
        {
            List<KeyValuePair<string, object?>> entries = [.. Entries(map, "OptimizationProfile")];
            if (entries.Count > 0 && entries.All(e => Bare(e.Value) is IDictionary && e.Key.ToUpperInvariant() is "MIN" or "OPT" or "MAX"))
            {
                profiles.Add(ByExtreme(entries));
            }
            else if (entries.Count > 0 && entries.All(e => Bare(e.Value) is IDictionary))
            {
                // A plain hashtable has no order of its own, so profiles go by name.
                if (map is not System.Collections.Specialized.OrderedDictionary) entries.Sort((a, b) => string.CompareOrdinal(a.Key, b.Key));
                profiles.AddRange(entries.Select(e => Profile((IDictionary)Bare(e.Value)!)));
            }
            else
            {
                profiles.Add(Profile(map));
            }
        }
        return profiles;
    }

    private static Dictionary<string, ShapeRange> Profile(IDictionary map) => Entries(map, "OptimizationProfile").ToDictionary(e => e.Key, e => Range(e.Key, e.Value), StringComparer.Ordinal);

    private static Dictionary<string, ShapeRange> ByExtreme(List<KeyValuePair<string, object?>> entries)
    {
        Dictionary<string, IReadOnlyDictionary<string, long[]>> parts = entries.ToDictionary(e => e.Key, e => Shapes((IDictionary)Bare(e.Value)!, $"OptimizationProfile {e.Key}")!, StringComparer.OrdinalIgnoreCase);
        long[] At(string part, string input) => parts.TryGetValue(part, out IReadOnlyDictionary<string, long[]>? shapes) && shapes.TryGetValue(input, out long[]? shape) ? shape
            : throw new TrtToolsException(ErrorCode.OptionInvalid, $"-OptimizationProfile '{input}'", $"its {part} is missing", "Min, Opt and Max for each input",
                "Write it as @{ Min = @{ x = 1,3,48,48 }; Opt = @{ x = 1,3,48,320 }; Max = @{ x = 1,3,48,960 } }");
        return parts.Values.SelectMany(p => p.Keys).Distinct(StringComparer.Ordinal).ToDictionary(i => i, i => new ShapeRange(At("Min", i), At("Opt", i), At("Max", i)), StringComparer.Ordinal);
    }

    private static ShapeRange Range(string input, object? value)
    {
        string subject = $"-OptimizationProfile '{input}'";
        object?[] parts = Bare(value) is IEnumerable items and not string ? [.. items.Cast<object?>()] : [value];
        if (parts.Length > 0 && parts.All(p => Bare(p) is not IEnumerable or string))
        {
            long[] one = Shape(parts, subject);
            return new ShapeRange(one, one, one);
        }
        if (parts.Length != 3)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"{parts.Length} shapes were given", "Three: min, opt, max", "Write it as @{ x = (1,3,224,224), (8,3,224,224), (32,3,224,224) }");
        }
        return new ShapeRange(Shape(parts[0], subject), Shape(parts[1], subject), Shape(parts[2], subject));
    }

    public static long[] Shape(object? value, string subject)
    {
        object?[] items = Bare(value) switch { string text => text.Split('x', ',', '×'), IEnumerable many => [.. many.Cast<object?>()], var single => [single] };
        long[] shape = new long[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            object? item = Bare(items[i]);
            bool whole = item is string text ? long.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out shape[i])
                : item is not null && LanguagePrimitives.TryConvertTo(item, CultureInfo.InvariantCulture, out shape[i]) && (item is not (double or float or decimal) || Convert.ToDouble(item, CultureInfo.InvariantCulture) == shape[i]);
            if (!whole || shape[i] < 0)
            {
                throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"'{item}' is no extent", "Whole numbers of 0 or more", "Write a shape as 1,3,224,224");
            }
        }
        return shape;
    }

    public static IReadOnlyDictionary<string, string>? Texts(IDictionary? map, string parameter) =>
        map is null ? null : Entries(map, parameter).ToDictionary(e => e.Key, e => Bare(e.Value)?.ToString() ?? "", StringComparer.Ordinal);

    /// <summary>@{ 'conv*' = 'Fp32' } as pattern → precision.</summary>
    public static IReadOnlyDictionary<string, EnginePrecision>? Precisions(IDictionary? map, string parameter) =>
        map is null ? null : Entries(map, parameter).ToDictionary(e => e.Key, e => Precision(e.Key, e.Value, parameter), StringComparer.Ordinal);

    private static EnginePrecision Precision(string key, object? value, string parameter) =>
        Enum.TryParse(Bare(value)?.ToString(), ignoreCase: true, out EnginePrecision precision) && Enum.IsDefined(precision) ? precision
            : throw new TrtToolsException(ErrorCode.OptionInvalid, $"-{parameter} '{key}'", $"'{value}' is no precision", string.Join(", ", Enum.GetNames<EnginePrecision>()), "Give one of these names");

    /// <summary>@{ sr = 16000 } as constants of the types that the graph's inputs have.</summary>
    public static IReadOnlyDictionary<string, Tensor>? Values(IDictionary? map, Ir.OnnxGraph graph, string parameter)
    {
        if (map is null) return null;
        Dictionary<string, Tensor> values = new(StringComparer.Ordinal);
        // Initializers that old models list among their inputs can be replaced too.
        IReadOnlyList<InputInfo> inputs = [.. graph.Inputs.Concat(graph.Initializers).Select(i => new InputInfo(i.Name, i.DataType, i.HasRank ? i.Shape : null))];
        foreach ((string name, object? value) in Entries(map, parameter))
        {
            InputInfo input = inputs.FirstOrDefault(i => string.Equals(i.Name, name, StringComparison.Ordinal)) ?? throw UnknownInput(name, InputInfo.Of(graph), parameter);
            // One number does for any shape of one element, [1] included.
            values[name] = TensorConversion.From(value!, name, input.DataType, value is IEnumerable and not string or Tensor ? input.Shape : null);
        }
        return values;
    }

    private static TrtToolsException UnknownInput(string name, IReadOnlyList<InputInfo> inputs, string parameter)
    {
        IReadOnlyList<string> near = InputPaths.Nearest(name, inputs.Select(i => i.Name));
        return new TrtToolsException(ErrorCode.InputNotFound, $"-{parameter} '{name}'", "the graph has no such input", $"One of {string.Join(", ", inputs.Select(i => $"'{i.Name}'"))}",
            near.Count > 0 ? $"Did you mean '{near[0]}'?" : "Correct the name");
    }

    /// <summary>A copy with bare keys and values.</summary>
    public static IDictionary Unwrapped(IDictionary map)
    {
        Hashtable copy = new(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in map) copy[Bare(entry.Key)?.ToString() ?? ""] = Bare(entry.Value);
        return copy;
    }

    private static IEnumerable<KeyValuePair<string, object?>> Entries(IDictionary map, string parameter)
    {
        foreach (DictionaryEntry entry in map)
        {
            string key = Bare(entry.Key)?.ToString() ?? "";
            yield return new KeyValuePair<string, object?>(key, Bare(entry.Value) ?? throw new TrtToolsException(ErrorCode.OptionInvalid, $"-{parameter} '{key}'", "the value is null", "", "Give a value"));
        }
    }
}
