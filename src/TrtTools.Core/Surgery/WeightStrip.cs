using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Takes the weights out of a graph and puts them back: what Compress-OnnxWeight -Strip and -Restore run. A stripped graph is whole, with zeros that take no
/// room in a file, and its metadata say which weights were taken out and what their content hashed to.</summary>
public static class WeightStrip
{
    public const string Command = "Compress-OnnxWeight";

    private const string MetadataKey = OnnxGraph.StrippedKey;

    /// <param name="wanted">Which weights, by name.</param>
    /// <param name="smallest">Smaller ones, in bytes, stay: shapes, scales and the like.</param>
    public static OnnxGraph Strip(OnnxGraph graph, Func<string, bool> wanted, long smallest, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        ArgumentNullException.ThrowIfNull(report);
        GraphEdit edit = new(graph);
        SortedDictionary<string, string> hashes = new(Stripped(graph), StringComparer.Ordinal);
        int before = hashes.Count;
        long bytes = 0;
        foreach ((string key, Value value) in Weights(edit.Model))
        {
            stop.ThrowIfCancellationRequested();
            TensorData data = value.Data!;
            if (!IsWeight(data) || data.ByteCount < smallest || hashes.ContainsKey(key) || !wanted(value.Name)) continue;
            hashes.Add(key, Hash(data));
            bytes += data.ByteCount;
            value.Graph.SetData(value, SparseCodec.Zeros(data.Type, data.Shape));
            edit.Touch(value);
        }
        if (hashes.Count == before) throw new TrtToolsException(ErrorCode.ChangeRefused, graph.Name, string.Create(CultureInfo.InvariantCulture, $"no initializer of {smallest} bytes and more is to be taken out"), $"One of {string.Join(", ", Weights(edit.Model).Where(w => IsWeight(w.Value.Data!)).Select(w => $"'{w.Value.Name}'").Take(12))}", "Lower -MinimumSize, or correct -Name");
        // Sparse initializers came with version 5.
        edit.Model.IrVersion = Math.Max(edit.Model.IrVersion, 5);
        edit.Model.Metadata = With(edit.Model.Metadata, JsonSerializer.Serialize(hashes, StrippedJson.Default.SortedDictionaryStringString));
        report.Verbose(string.Create(CultureInfo.InvariantCulture, $"{graph.Name}: {hashes.Count - before} weights of {bytes:N0} bytes were taken out"));
        return edit.Finish(Command, string.Create(CultureInfo.InvariantCulture, $"-Strip ({hashes.Count - before} weights, {bytes} bytes)"));
    }

    /// <summary>The weights of the original: by name where the content is the one that was taken out, else whatever their names.</summary>
    public static OnnxGraph Restore(OnnxGraph graph, OnnxGraph original, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(original);
        SortedDictionary<string, string> hashes = new(Stripped(graph), StringComparer.Ordinal);
        if (hashes.Count == 0) throw new TrtToolsException(ErrorCode.ChangeRefused, graph.Name, "no weight was taken out of it", "It takes a graph that Compress-OnnxWeight -Strip gave", "Give the stripped graph, and the original with -Restore");
        Dictionary<string, TensorData> byName = new(StringComparer.Ordinal);
        Dictionary<string, TensorData> byHash = new(StringComparer.Ordinal);
        foreach ((string key, Value value) in Weights(original).Where(w => IsWeight(w.Value.Data!)))
        {
            stop.ThrowIfCancellationRequested();
            byName[key] = value.Data!;
            byHash.TryAdd(Hash(value.Data!), value.Data!);
        }
        GraphEdit edit = new(graph);
        Dictionary<string, Value> here = Weights(edit.Model).ToDictionary(w => w.Key, w => w.Value, StringComparer.Ordinal);
        List<string> missing = [];
        int restored = 0;
        foreach ((string key, string hash) in hashes)
        {
            // It may have gone since, or have got another content.
            if (!here.TryGetValue(key, out Value? value) && (value = ByOrigin(here.Values, key)) is null) continue;
            if (value.Data!.Remainder is not TensorRemainder { Form: TensorForm.Sparse }) continue;
            if (byHash.TryGetValue(hash, out TensorData? data) && data.Shape.SequenceEqual(value.Data.Shape))
            {
                value.Graph.SetData(value, data);
                edit.Touch(value);
                restored++;
            }
            else missing.Add($"'{key}'" + (byName.ContainsKey(key) ? " (there, with another content)" : ""));
        }
        if (missing.Count > 0)
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, graph.Name, string.Create(CultureInfo.InvariantCulture, $"{original.Name} has not the content of {missing.Count} of {hashes.Count} weights: {string.Join(", ", missing.Take(4))}{(missing.Count > 4 ? ", …" : "")}"),
                "It takes the model that it was stripped from; nothing was changed", "Give that model");
        }
        edit.Model.Metadata = With(edit.Model.Metadata, null);
        return edit.Finish(Command, string.Create(CultureInfo.InvariantCulture, $"-Restore {original.Name} ({restored} weights)"));
    }

    /// <summary>Weights that were taken out of the graph, with the SHA-256 of their content.</summary>
    public static IDictionary<string, string> Stripped(OnnxGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        if (!graph.Metadata.TryGetValue(MetadataKey, out string? text)) return new Dictionary<string, string>();
        try
        {
            return JsonSerializer.Deserialize(text, StrippedJson.Default.SortedDictionaryStringString) ?? [];
        }
        catch (JsonException)
        {
            return new Dictionary<string, string>();
        }
    }

    private static Value? ByOrigin(IEnumerable<Value> values, string key) => values.FirstOrDefault(v => v.Origin.TensorNames.Contains(key, StringComparer.Ordinal));

    private static IEnumerable<(string Key, Value Value)> Weights(OnnxGraph graph) =>
        graph.Body.WithSubgraphs.SelectMany(g => g.Initializers.Select(v => (GraphNode.ScopeOf(g) is { Length: > 0 } scope ? $"{scope}::{v.Name}" : v.Name, v)));

    // Zeros of whole numbers would be other shapes and indices; those of 8 bits are weights that were quantized.
    private static bool IsWeight(TensorData data) => data.Rank > 0 && data.ElementCount > 0 && (data.Type.IsFloatingPoint() && data.Type.BitSize() >= 8 || data.Type is DataType.Int8 or DataType.UInt8);

    private static string Hash(TensorData data)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        const int Chunk = 1 << 24;
        for (long at = 0; at < data.ByteCount; at += Chunk) hash.AppendData(data.Slice(at, (int)Math.Min(Chunk, data.ByteCount - at)));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static SortedDictionary<string, string> With(IReadOnlyDictionary<string, string> metadata, string? stripped)
    {
        SortedDictionary<string, string> changed = new(metadata.ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal), StringComparer.Ordinal);
        if (stripped is null) changed.Remove(MetadataKey);
        else changed[MetadataKey] = stripped;
        return changed;
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(SortedDictionary<string, string>))]
internal sealed partial class StrippedJson : System.Text.Json.Serialization.JsonSerializerContext;
