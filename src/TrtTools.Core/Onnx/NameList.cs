using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf.Collections;
using TrtTools.Onnx.Proto;

namespace TrtTools.Onnx;

/// <summary>Names as the value of one metadata entry: a JSON array of strings.</summary>
internal static class NameList
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Takes an entry of ours out; null when there is none, or one that we did not write.</summary>
    public static string[]? Take(RepeatedField<StringStringEntryProto> entries, string key)
    {
        for (int i = 0; i < entries.Count; i++)
        {
            if (entries[i].Key != key || Parse(entries[i].Value) is not { Length: > 0 } names) continue;
            entries.RemoveAt(i);
            return names;
        }
        return null;
    }

    public static StringStringEntryProto Entry(string key, IReadOnlyList<string> names)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, s_options))
        {
            writer.WriteStartArray();
            foreach (string name in names) writer.WriteStringValue(name);
            writer.WriteEndArray();
        }
        return new StringStringEntryProto { Key = key, Value = Encoding.UTF8.GetString(stream.ToArray()) };
    }

    private static string[]? Parse(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Array ? [.. document.RootElement.EnumerateArray().Select(e => e.GetString() ?? throw new JsonException())] : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
