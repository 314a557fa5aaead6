using System.Text.Json;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>The JSON in which Polygraphy saves inputs (a list of dictionaries) and results of runs (a list of runners with their iterations). An array is
/// the base64 of an .npy file.</summary>
internal static class PolygraphyJson
{
    private const string Marker = "polygraphy_class";

    public static IReadOnlyList<TensorSample> Read(string path)
    {
        using FileStream stream = TensorFile.Open(path);
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(stream);
        }
        catch (JsonException e)
        {
            throw Invalid(path, $"the text is no JSON ({e.Message.TrimEnd('.')})", e);
        }
        using (document)
        {
            JsonElement root = document.RootElement;
            try
            {
                return Samples(root, path);
            }
            catch (InvalidOperationException e)
            {
                // The parser checks strings only when they are read.
                throw Invalid(path, $"a text in it is no UTF-8 ({e.Message.TrimEnd('.')})", e);
            }
        }
    }

    private static IReadOnlyList<TensorSample> Samples(JsonElement root, string path)
    {
        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("lst", out JsonElement runners)) return Results(runners, path);
        if (root.ValueKind == JsonValueKind.Array) return [.. root.EnumerateArray().Select((sample, i) => new TensorSample(Tensors(sample, path, FormattableString.Invariant($"sample {i}"))))];
        if (IsArray(root)) return [new TensorSample([new Tensor(Path.GetFileNameWithoutExtension(path), Array(root, path, "the array"))])];
        throw Invalid(path, "it holds neither a list of inputs nor results of runs");
    }

    private static List<TensorSample> Results(JsonElement runners, string path)
    {
        List<TensorSample> samples = [];
        foreach (JsonElement pair in List(runners, path))
        {
            JsonElement[] parts = [.. List(pair, path)];
            if (parts.Length != 2 || parts[0].ValueKind != JsonValueKind.String) throw Invalid(path, "a runner is no pair of a name and iterations");
            string runner = parts[0].GetString()!;
            foreach (JsonElement iteration in List(parts[1], path))
            {
                if (iteration.ValueKind != JsonValueKind.Object || !iteration.TryGetProperty("outputs", out JsonElement outputs)) throw Invalid(path, $"an iteration of '{runner}' has no outputs");
                double? seconds = iteration.TryGetProperty("runtime", out JsonElement time) && time.ValueKind == JsonValueKind.Number ? time.GetDouble() : null;
                samples.Add(new TensorSample(Tensors(outputs, path, runner), runner, seconds));
            }
        }
        return samples;
    }

    private static IEnumerable<JsonElement> List(JsonElement element, string path) => element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : throw Invalid(path, $"a list was expected, and a {element.ValueKind} is there");

    private static Tensor[] Tensors(JsonElement map, string path, string where)
    {
        if (map.ValueKind != JsonValueKind.Object) throw Invalid(path, $"{where} is no dictionary of arrays");
        return [.. map.EnumerateObject().Where(p => p.Name != Marker).Select(p => new Tensor(p.Name, Array(p.Value, path, $"'{p.Name}' of {where}")))];
    }

    private static bool IsArray(JsonElement element) => element.ValueKind == JsonValueKind.Object && element.TryGetProperty("array", out JsonElement text) && text.ValueKind == JsonValueKind.String;

    private static TensorData Array(JsonElement element, string path, string where)
    {
        // Results hold their arrays in one more object.
        while (element.ValueKind == JsonValueKind.Object && element.TryGetProperty("values", out JsonElement inner)) element = inner;
        if (!IsArray(element)) throw Invalid(path, $"{where} is no array");
        byte[] bytes;
        try
        {
            bytes = element.GetProperty("array").GetBytesFromBase64();
        }
        catch (FormatException e)
        {
            throw Invalid(path, $"{where} is no base64", e);
        }
        using MemoryStream stream = new(bytes, writable: false);
        string subject = $"{path} ({where})";
        return NpyFormat.ReadElements(stream, NpyFormat.ReadHeader(stream, subject), subject);
    }

    /// <summary>Samples without a runner as inputs, samples of runners as results.</summary>
    public static void Write(Stream stream, IReadOnlyList<TensorSample> samples)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        if (samples.All(s => s.Runner is null))
        {
            json.WriteStartArray();
            foreach (TensorSample sample in samples) Map(json, sample.Tensors, wrap: false);
            json.WriteEndArray();
            return;
        }
        json.WriteStartObject();
        json.WriteStartArray("lst");
        foreach (IGrouping<string, TensorSample> runner in samples.GroupBy(s => s.Runner ?? "", StringComparer.Ordinal))
        {
            json.WriteStartArray();
            json.WriteStringValue(runner.Key);
            json.WriteStartArray();
            foreach (TensorSample sample in runner)
            {
                json.WriteStartObject();
                json.WritePropertyName("outputs");
                Map(json, sample.Tensors, wrap: true);
                if (sample.RuntimeSeconds is { } seconds) json.WriteNumber("runtime", seconds);
                else json.WriteNull("runtime");
                json.WriteString("runner_name", runner.Key);
                json.WriteString(Marker, "IterationResult");
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteString(Marker, "RunResults");
        json.WriteEndObject();
    }

    private static void Map(Utf8JsonWriter json, IReadOnlyList<Tensor> tensors, bool wrap)
    {
        json.WriteStartObject();
        foreach (Tensor tensor in tensors)
        {
            using MemoryStream npy = new();
            NpyFormat.Write(npy, tensor.Content);
            json.WriteStartObject(tensor.Name);
            if (wrap) json.WriteStartObject("values");
            json.WriteBase64String("array", npy.GetBuffer().AsSpan(0, (int)npy.Length));
            json.WriteString(Marker, "ndarray");
            if (wrap)
            {
                json.WriteEndObject();
                // The name that old and new versions know.
                json.WriteString(Marker, "LazyNumpyArray");
            }
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static TrtToolsException Invalid(string path, string found, Exception? inner = null) =>
        new(ErrorCode.DataInvalid, path, found, "Expected JSON as Polygraphy's --save-inputs and --save-outputs write it", "Save it again, or convert it to .npz", inner);
}
