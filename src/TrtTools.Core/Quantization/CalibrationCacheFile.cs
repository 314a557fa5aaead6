using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TrtTools.Data;
using TrtTools.Files;

namespace TrtTools.Quantization;

/// <summary>Calibration caches in files: TensorRT's text form, or JSON with all statistics for a name that ends with .json.</summary>
public static partial class CalibrationCacheFile
{
    // TensorRT 10.3; readers that check the version at all check that it is theirs, and users edit this line.
    private const string Version = "100300";

    // A line that is none of TensorRT's would make it refuse the file; one of a tensor that the network does not have is passed over.
    private const string FloatLayer = "trttools.float-layer.";

    public static CalibrationCache Read(string path)
    {
        string full = Path.GetFullPath(path);
        byte[] bytes = TensorFile.Reading(full, () => File.ReadAllBytes(full));
        return TensorFile.Extension(full) == ".json" ? CalibrationCacheJson.Read(bytes, full) : ParseText(bytes, full);
    }

    public static void Write(CalibrationCache cache, string path, bool force = false)
    {
        ArgumentNullException.ThrowIfNull(cache);
        byte[] content = TensorFile.Extension(path) == ".json" ? CalibrationCacheJson.Write(cache) : Encoding.UTF8.GetBytes(ToText(cache, path));
        AtomicFile.Write(path, force, stream => stream.Write(content));
    }

    internal static string ToText(CalibrationCache cache, string subject)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"TRT-{Version}-{(cache.Algorithm == CalibrationAlgorithm.MinMax ? "MinMaxCalibration" : "EntropyCalibration2")}\n");
        foreach (TensorCalibration tensor in cache.Tensors) Append(tensor.Name, tensor.Scale);
        foreach (string layer in cache.FloatLayers) Append(FloatLayer + layer, 0);
        return text.ToString();

        void Append(string name, float scale)
        {
            if (name.AsSpan().ContainsAny('\n', '\r'))
                throw new TrtToolsException(ErrorCode.CalibrationCacheInvalid, subject, $"the tensor name '{name.ReplaceLineEndings("\\n")}' holds a line break", "TensorRT's text form has one line per tensor", "Write a .json file");
            text.Append(name).Append(": ").Append(BitConverter.SingleToUInt32Bits(scale).ToString("x8", CultureInfo.InvariantCulture)).Append('\n');
        }
    }

    internal static CalibrationCache ParseText(byte[] bytes, string path)
    {
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new TrtToolsException(ErrorCode.CalibrationCacheInvalid, path, "the file is no text", "Expected TensorRT's calibration cache", "Check the path, or calibrate again", e);
        }
        // Only the line feed ends a line, so that a name may hold any other separator.
        string[] lines = text.Split('\n');
        Match header = HeaderPattern().Match(lines[0].TrimEnd('\r'));
        if (!header.Success) throw Damaged(path, 1, lines[0], "TRT-<version>-<EntropyCalibration2 or MinMaxCalibration>");
        Dictionary<string, float> scales = new(StringComparer.Ordinal);
        List<TensorCalibration> tensors = [];
        List<string> floats = [];
        for (int i = 1; i < lines.Length; i++)
        {
            string line = lines[i].TrimEnd('\r');
            if (line.Length == 0) continue;
            int split = line.LastIndexOf(": ", StringComparison.Ordinal);
            if (split < 1 || line.Length - split != 10 || !uint.TryParse(line.AsSpan(split + 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint bits))
                throw Damaged(path, i + 1, line, "<tensor name>: <8 hexadecimal digits>");
            float scale = BitConverter.UInt32BitsToSingle(bits);
            if (!float.IsFinite(scale) || scale < 0) throw Damaged(path, i + 1, line, "A scale that is finite and not negative");
            string name = line[..split];
            if (scale == 0 && name.StartsWith(FloatLayer, StringComparison.Ordinal))
            {
                floats.Add(name[FloatLayer.Length..]);
                continue;
            }
            if (scales.TryGetValue(name, out float earlier))
            {
                if (earlier != scale) throw Damaged(path, i + 1, line, "One scale per tensor, and the name stood above with another");
                continue;
            }
            scales.Add(name, scale);
            tensors.Add(new TensorCalibration { Name = name, Scale = scale });
        }
        return new CalibrationCache(tensors)
        {
            Algorithm = header.Groups[2].Value.StartsWith("MinMax", StringComparison.Ordinal) ? CalibrationAlgorithm.MinMax : CalibrationAlgorithm.Entropy,
            Model = Path.GetFileNameWithoutExtension(path), Path = path, FloatLayers = floats,
        };
    }

    private static TrtToolsException Damaged(string path, int line, string found, string expected)
    {
        string shown = new([.. found.Take(60).Select(c => char.IsControl(c) ? '?' : c)]);
        return new TrtToolsException(ErrorCode.CalibrationCacheInvalid, path, string.Create(CultureInfo.InvariantCulture, $"line {line} is '{shown}{(found.Length > 60 ? "…" : "")}'"),
            "Expected: " + expected, "Mend that line, or calibrate again");
    }

    [GeneratedRegex(@"^TRT-(\d+)-(\w+)\s*$", RegexOptions.CultureInvariant)]
    private static partial Regex HeaderPattern();
}
