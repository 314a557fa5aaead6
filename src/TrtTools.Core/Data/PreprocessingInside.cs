using System.Text.Json;
using System.Text.Json.Serialization;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>The preprocessing that a graph does itself, as the graph's metadata and an engine's input keep it: raw pixels of one camera in, the tensor out
/// that the model took before. What feeds such a graph, and what compares it with the model as it was, reads it from there.</summary>
internal sealed record PreprocessingInside
{
    private const string MetadataPrefix = "trttools.preprocessing.";

    /// <summary>The model's tensor that was its input.</summary>
    public required string Tensor { get; init; }

    public required DataType DataType { get; init; }

    /// <summary>Extents of the raw image.</summary>
    public required int ImageHeight { get; init; }

    public required int ImageWidth { get; init; }

    public required int Height { get; init; }

    public required int Width { get; init; }

    public required ImageFit Fit { get; init; }

    public required float PadValue { get; init; }

    public required ImageColorOrder ColorOrder { get; init; }

    public required ImageLayout Layout { get; init; }

    public required bool HasBatch { get; init; }

    public required double Scale { get; init; }

    public required double[] Mean { get; init; }

    public required double[] StandardDeviation { get; init; }

    public static PreprocessingInside From(ResolvedPreprocessing how, int imageHeight, int imageWidth) => new()
    {
        Tensor = how.Input, DataType = how.DataType, ImageHeight = imageHeight, ImageWidth = imageWidth, Height = how.Height, Width = how.Width, Fit = how.Fit, PadValue = how.PadValue,
        ColorOrder = how.ColorOrder, Layout = how.Layout, HasBatch = how.HasBatch, Scale = how.Scale, Mean = how.Mean, StandardDeviation = how.StandardDeviation,
    };

    /// <summary>What the graph says of the input, if it has its preprocessing inside.</summary>
    public static PreprocessingInside? Of(OnnxGraph graph, string input) => graph.Metadata.TryGetValue(MetadataPrefix + input, out string? text) ? Parse(text) : null;

    /// <summary>The model's tensors that preprocessing inside the graph computes.</summary>
    public static IEnumerable<string> TensorsOf(OnnxGraph graph) =>
        graph.Metadata.Where(m => m.Key.StartsWith(MetadataPrefix, StringComparison.Ordinal)).Select(m => Parse(m.Value)?.Tensor).OfType<string>();

    /// <summary>A text that is none of ours says nothing.</summary>
    public static PreprocessingInside? Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        try
        {
            PreprocessingInside? read = JsonSerializer.Deserialize(text, PreprocessingJson.Default.PreprocessingInside);
            return read is { ImageHeight: > 0, ImageWidth: > 0, Height: > 0, Width: > 0 } && read.Mean.Length == read.Resolved.Channels && read.StandardDeviation.Length == read.Mean.Length ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public IReadOnlyDictionary<string, string> AddTo(IReadOnlyDictionary<string, string> metadata, string input) =>
        new SortedDictionary<string, string>(metadata.ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal), StringComparer.Ordinal) { [MetadataPrefix + input] = ToString() };

    [JsonIgnore]
    public ResolvedPreprocessing Resolved => new(Tensor, DataType, Height, Width, Fit, PadValue, ColorOrder, Layout, HasBatch, Scale, Mean, StandardDeviation);

    /// <summary>How an image file becomes the raw input. A description that comes with it must be the one inside: it is not applied twice.</summary>
    public ResolvedPreprocessing Raw(Preprocessing? given)
    {
        if (given is not null)
        {
            ResolvedPreprocessing wanted = (given with { ImageSize = null }).Resolve(new InputInfo(Tensor, DataType, Resolved.Shape));
            PreprocessingInside other = From(wanted, given.ImageSize?.Height ?? ImageHeight, given.ImageSize?.Width ?? ImageWidth);
            if (!string.Equals(other.ToString(), ToString(), StringComparison.Ordinal))
            {
                throw new TrtToolsException(ErrorCode.OptionInvalid, "-Preprocessing", $"the graph has its preprocessing inside, and it is another: {ToString()}", $"The same, or none; given: {other}",
                    "Leave -Preprocessing out: raw images go in");
            }
        }
        return new ResolvedPreprocessing(Tensor, DataType.UInt8, ImageHeight, ImageWidth, ImageFit.Stretch, 0, ImageColorOrder.RGB, ImageLayout.NHWC, HasBatch, 1, [0, 0, 0], [1, 1, 1]) { ExactSize = true };
    }

    /// <summary>Computes on the CPU what the graph computes inside, from the raw pixels of one image or of a batch.</summary>
    public TensorData Apply(TensorData raw)
    {
        long pixels = (long)ImageHeight * ImageWidth * 3;
        if (raw.Type != DataType.UInt8 || pixels == 0 || raw.ElementCount % pixels != 0)
        {
            throw new TrtToolsException(ErrorCode.ShapeMismatch, $"Raw images for '{Tensor}'", $"a tensor of {raw} was given", $"UInt8[{(HasBatch ? "batch," : "")}{ImageHeight},{ImageWidth},3]", "Give pixels as the camera gives them");
        }
        long count = raw.ElementCount / pixels;
        ResolvedPreprocessing how = Resolved;
        TensorData[] images = [.. Enumerable.Range(0, (int)count).Select(i => ImagePixels.ToTensor(raw.Slice(i * pixels, (int)pixels), ImageHeight, ImageWidth, how).Content)];
        if (count == 1) return images[0];
        byte[] all = new byte[images.Sum(i => i.ByteCount)];
        int at = 0;
        foreach (TensorData image in images)
        {
            image.Bytes.CopyTo(all.AsSpan(at));
            at += (int)image.ByteCount;
        }
        return TensorData.FromBytes(DataType, [count, .. how.Shape.Skip(1)], all);
    }

    /// <summary>Inputs for a model that takes what the graphs or engines of <paramref name="inputs"/> make of raw images inside.</summary>
    public static IReadOnlyDictionary<string, Tensor> Outside(IReadOnlyDictionary<string, Tensor> given, IReadOnlyList<InputInfo> inputs, IReadOnlyCollection<string> wanted)
    {
        if (inputs.All(i => i.Inside is null)) return given;
        Dictionary<string, Tensor> result = new(given, StringComparer.Ordinal);
        foreach (InputInfo input in inputs)
        {
            if (input.Inside is not { } inside || wanted.Contains(input.Name) || !wanted.Contains(inside.Tensor) || !result.Remove(input.Name, out Tensor? raw)) continue;
            result[inside.Tensor] = new Tensor(inside.Tensor, inside.Apply(raw.Content));
        }
        return result;
    }

    public override string ToString() => JsonSerializer.Serialize(this, PreprocessingJson.Default.PreprocessingInside);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(PreprocessingInside))]
internal sealed partial class PreprocessingJson : JsonSerializerContext;
