using System.Globalization;
using System.Text.Json;

namespace TrtTools.Quantization;

/// <summary>The JSON form of a calibration cache, with everything in it.</summary>
internal static class CalibrationCacheJson
{
    private const string Format = "trttools-calibration";

    public static byte[] Write(CalibrationCache cache)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteString("format", Format);
            json.WriteNumber("version", 1);
            json.WriteString("model", cache.Model);
            json.WriteString("algorithm", cache.Algorithm.ToString());
            json.WriteNumber("sampleCount", cache.SampleCount);
            json.WriteBoolean("isSynthetic", cache.IsSynthetic);
            json.WriteString("dataHash", cache.DataHash);
            json.WriteString("graphHash", cache.GraphHash);
            if (cache.OutputSqnr is { } outputSqnr) json.WriteNumber("outputSqnr", outputSqnr);
            json.WriteStartArray("floatLayers");
            foreach (string layer in cache.FloatLayers) json.WriteStringValue(layer);
            json.WriteEndArray();
            json.WriteStartArray("tensors");
            foreach (TensorCalibration tensor in cache.Tensors)
            {
                json.WriteStartObject();
                json.WriteString("name", tensor.Name);
                json.WriteNumber("scale", tensor.Scale);
                Optional("min", tensor.Min);
                Optional("max", tensor.Max);
                Optional("absoluteMax", tensor.AbsoluteMax);
                if (tensor.ClippedFraction is { } clipped) json.WriteNumber("clippedFraction", clipped);
                if (tensor.Sqnr is { } sqnr) json.WriteNumber("sqnr", sqnr);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();

            void Optional(string name, float? value)
            {
                if (value is { } number) json.WriteNumber(name, number);
            }
        }
        return stream.ToArray();
    }

    public static CalibrationCache Read(byte[] bytes, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("format", out JsonElement format) || format.GetString() != Format)
                throw Invalid(path, $"it has no \"format\": \"{Format}\"", null);
            if (root.GetProperty("version").GetInt32() != 1) throw Invalid(path, $"its version is {root.GetProperty("version")}; this TrtTools knows 1", null);
            List<TensorCalibration> tensors = [];
            foreach (JsonElement item in root.GetProperty("tensors").EnumerateArray())
            {
                float scale = item.GetProperty("scale").GetSingle();
                string name = item.GetProperty("name").GetString() ?? throw new FormatException("a tensor has no name");
                if (!float.IsFinite(scale) || scale < 0) throw Invalid(path, $"the scale of '{name}' is {scale.ToString(CultureInfo.InvariantCulture)}", null);
                tensors.Add(new TensorCalibration
                {
                    Name = name, Scale = scale, Min = Single(item, "min"), Max = Single(item, "max"), AbsoluteMax = Single(item, "absoluteMax"),
                    ClippedFraction = Double(item, "clippedFraction"), Sqnr = Double(item, "sqnr"),
                });
            }
            return new CalibrationCache(tensors)
            {
                Algorithm = Enum.TryParse(root.GetProperty("algorithm").GetString(), out CalibrationAlgorithm algorithm) ? algorithm : throw Invalid(path, $"the algorithm '{root.GetProperty("algorithm")}' is unknown", null),
                SampleCount = root.GetProperty("sampleCount").GetInt32(),
                IsSynthetic = root.TryGetProperty("isSynthetic", out JsonElement synthetic) && synthetic.GetBoolean(),
                DataHash = root.GetProperty("dataHash").GetString() ?? "", GraphHash = root.GetProperty("graphHash").GetString() ?? "",
                FloatLayers = root.TryGetProperty("floatLayers", out JsonElement layers) ? [.. layers.EnumerateArray().Select(l => l.GetString() ?? "")] : [],
                OutputSqnr = Double(root, "outputSqnr"),
                Model = root.GetProperty("model").GetString() ?? "", Path = path,
            };
        }
        catch (JsonException e)
        {
            throw Invalid(path, string.Create(CultureInfo.InvariantCulture, $"line {e.LineNumber + 1} is no JSON"), e);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw Invalid(path, $"a property is missing or of the wrong kind ({e.Message.TrimEnd('.')})", e);
        }
    }

    private static float? Single(JsonElement item, string name) => item.TryGetProperty(name, out JsonElement value) ? value.GetSingle() : null;

    private static double? Double(JsonElement item, string name) => item.TryGetProperty(name, out JsonElement value) ? value.GetDouble() : null;

    private static TrtToolsException Invalid(string path, string found, Exception? inner) =>
        new(ErrorCode.CalibrationCacheInvalid, path, found, "Expected a cache that Export-CalibrationCache wrote", "Export or calibrate again", inner);
}
