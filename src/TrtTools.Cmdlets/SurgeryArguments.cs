using System.Collections;
using System.Globalization;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

/// <summary>Turns what a script gives for graph surgery into what Core takes.</summary>
internal static class SurgeryArguments
{
    /// <summary>'batch',3,224,224 as texts.</summary>
    public static IReadOnlyList<string>? Shape(object? shape) => shape is null ? null : [.. Items(shape).Select(Text)];

    /// <summary>@{ x = 'batch',3,224,224 } as name → texts.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Shapes(IDictionary? map) =>
        map is null ? new Dictionary<string, IReadOnlyList<string>>() : Entries(map).ToDictionary(e => e.Key, e => Shape(e.Value ?? Array.Empty<object>())!, StringComparer.Ordinal);

    public static IReadOnlyDictionary<string, string> Texts(IDictionary? map) =>
        map is null ? new Dictionary<string, string>() : Entries(map).ToDictionary(e => e.Key, e => Text(e.Value), StringComparer.Ordinal);

    /// <summary>@{ a = 'b'; c = 'd', 'e' } as pairs, in the order of the names.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>>? Pairs(IDictionary? map)
    {
        if (map is null) return null;
        IEnumerable<KeyValuePair<string, object?>> entries = Entries(map);
        // A plain hashtable has no order of its own.
        if (map is not System.Collections.Specialized.OrderedDictionary) entries = entries.OrderBy(e => e.Key, StringComparer.Ordinal);
        return [.. entries.SelectMany(e => Items(e.Value!).Select(v => KeyValuePair.Create(e.Key, Text(v))))];
    }

    public static IReadOnlyDictionary<string, DataType> Types(IDictionary? map, string parameter) =>
        map is null ? new Dictionary<string, DataType>() : Entries(map).ToDictionary(e => e.Key, e => Enum.TryParse(Text(e.Value), ignoreCase: true, out DataType type) && Enum.IsDefined(type) ? type
            : throw new TrtToolsException(ErrorCode.OptionInvalid, $"-{parameter} '{e.Key}'", $"'{e.Value}' is no element type", "A name such as Float32, Float16 or Int64", "Correct it"), StringComparer.Ordinal);

    /// <summary>@{ axis = 1; pads = 0,0,1,1; old = $null } with bare values.</summary>
    public static IReadOnlyDictionary<string, object?> Attributes(IDictionary? map) =>
        map is null ? new Dictionary<string, object?>() : Entries(map).ToDictionary(e => e.Key, e => e.Value, StringComparer.Ordinal);

    public static IReadOnlyDictionary<string, object> GivenAttributes(IDictionary? map, string parameter)
    {
        Dictionary<string, object> given = new(StringComparer.Ordinal);
        foreach ((string name, object? value) in Attributes(map)) given.Add(name, value ?? throw new TrtToolsException(ErrorCode.OptionInvalid, $"-{parameter} '{name}'", "the value is null", "A value", "Leave the attribute out"));
        return given;
    }

    /// <summary>@{ scale = 2.0; bias = './bias.npy' } as tensors, in the order of the names.</summary>
    public static IReadOnlyList<Tensor> Initializers(PSCmdlet cmdlet, IDictionary? map) =>
        map is null ? [] : [.. Entries(map).OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => TensorValues.From(e.Key, Content(cmdlet, e.Value, $"-Initializer '{e.Key}'"), null))];

    /// <summary>A value, or the one tensor of the file that a text names.</summary>
    public static object Content(PSCmdlet cmdlet, object? value, string subject)
    {
        object bare = Arguments.Bare(value) ?? throw new TrtToolsException(ErrorCode.OptionInvalid, subject, "the value is null", "It takes numbers, a tensor, or a file", "Give a value");
        return bare is FileInfo or string && (bare is FileInfo || IsTensorFile((string)bare)) ? FromFile(cmdlet, bare is FileInfo file ? file.FullName : (string)bare) : bare;
    }

    public static Tensor FromFile(PSCmdlet cmdlet, string path)
    {
        string full = InputPaths.Resolve(cmdlet, path, literal: true, ErrorCode.DataNotFound)[0];
        IReadOnlyList<Tensor> tensors = TensorFile.Read(full);
        return tensors.Count == 1 ? tensors[0] : throw new TrtToolsException(ErrorCode.DataInvalid, full, string.Create(CultureInfo.InvariantCulture, $"it holds {tensors.Count} tensors"), "One", "Give an .npy file, or the tensor itself");
    }

    private static bool IsTensorFile(string path) => Path.GetExtension(path).ToLowerInvariant() is ".npy" or ".npz" or ".pb";

    /// <summary>@{ OpType = 'Gelu'; InputTensor = 'x'; Attribute = @{ approximate = 'tanh' } }</summary>
    public static NodeSpec Node(PSCmdlet cmdlet, IDictionary map, string subject)
    {
        string[] known = ["OpType", "Name", "InputTensor", "Attribute", "Initializer", "DomainVersion"];
        Dictionary<string, object?> entries = new(StringComparer.OrdinalIgnoreCase);
        foreach ((string key, object? value) in Entries(map))
        {
            if (!known.Contains(key, StringComparer.OrdinalIgnoreCase)) throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"'{key}' says nothing about a node", $"One of {string.Join(", ", known)}", "Correct the key");
            entries[key] = value;
        }
        return new NodeSpec
        {
            OpType = Text(entries.GetValueOrDefault("OpType")) is { Length: > 0 } op ? op : throw new TrtToolsException(ErrorCode.OptionInvalid, subject, "OpType is missing", "It must name an operator", "Write @{ OpType = 'Gelu'; InputTensor = 'x' }"),
            Name = entries.TryGetValue("Name", out object? name) ? Text(name) : null,
            Inputs = entries.TryGetValue("InputTensor", out object? inputs) && inputs is not null ? [.. Items(inputs).Select(Text)] : [],
            Attributes = GivenAttributes(entries.GetValueOrDefault("Attribute") as IDictionary, "Attribute"),
            Initializers = Initializers(cmdlet, entries.GetValueOrDefault("Initializer") as IDictionary),
            DomainVersion = entries.TryGetValue("DomainVersion", out object? version) ? Convert.ToInt64(version, CultureInfo.InvariantCulture) : null,
        };
    }

    /// <summary>What the block gives for one item, which is $_ and its argument.</summary>
    public static object? Call(ScriptBlock block, object item, string subject)
    {
        try
        {
            List<object> results = [.. block.InvokeWithContext(null, [new PSVariable("_", item)], item).Where(o => o is not null).Select(o => o.BaseObject)];
            return results.Count <= 1 ? results.FirstOrDefault() : throw new TrtToolsException(ErrorCode.OptionInvalid, subject, string.Create(CultureInfo.InvariantCulture, $"the script block gave {results.Count} things"), "One, or nothing", "Let it return one value");
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"the script block failed ({e.Message.TrimEnd('.')})", "", "Mend the script block", e);
        }
    }

    public static IEnumerable<object> Items(object value) => Arguments.Bare(value) is IEnumerable many and not string and not IDictionary ? many.Cast<object?>().Select(i => Arguments.Bare(i) ?? "") : [Arguments.Bare(value) ?? ""];

    public static string Text(object? value) => Convert.ToString(Arguments.Bare(value), CultureInfo.InvariantCulture) ?? "";

    private static IEnumerable<KeyValuePair<string, object?>> Entries(IDictionary map)
    {
        foreach (DictionaryEntry entry in map) yield return new KeyValuePair<string, object?>(Text(entry.Key), Arguments.Bare(entry.Value));
    }
}
