using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>What an engine takes or gives instead of the model's own: "UInt8:Nhwc", "Float16", ":Nhwc".</summary>
/// <param name="DataType">Undefined: the model's own.</param>
/// <param name="ChannelsLast">The channels stand last instead of second.</param>
internal sealed record TensorFormat(DataType DataType, bool ChannelsLast)
{
    private static readonly DataType[] Types = [DataType.Float32, DataType.Float16, DataType.Float64, DataType.UInt8, DataType.Int8, DataType.UInt16, DataType.Int16, DataType.Int32, DataType.Int64];

    /// <summary>The formats that were asked for, held against the model.</summary>
    public static IReadOnlyDictionary<string, TensorFormat> ReadAll(OnnxGraph graph, IReadOnlyDictionary<string, string>? given, bool isInput)
    {
        Dictionary<string, TensorFormat> formats = new(StringComparer.Ordinal);
        foreach ((string name, string text) in given ?? new Dictionary<string, string>())
        {
            string subject = $"{(isInput ? "InputFormat" : "OutputFormat")} '{name}'";
            IReadOnlyList<GraphTensor> tensors = isInput ? graph.Inputs : graph.Outputs;
            GraphTensor tensor = tensors.FirstOrDefault(t => string.Equals(t.Name, name, StringComparison.Ordinal))
                ?? throw new TrtToolsException(ErrorCode.InputNotFound, subject, $"'{graph.Name}' has no such {(isInput ? "input" : "output")}",
                    Data.NearestName.Advice(name, [.. tensors.Select(t => t.Name)], isInput ? "input" : "output"), "Correct the name");
            TensorFormat format = Read(text, subject);
            if (format.ChannelsLast && (!tensor.HasRank || tensor.Shape.Length < 3))
                throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"{tensor} has no channels to move", "Three dimensions or more", "Leave the layout out");
            if (format.DataType != DataType.Undefined && !(tensor.DataType.IsFloatingPoint() || tensor.DataType.IsInteger()))
                throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"{tensor} holds no numbers", "", "Leave the type out");
            if (format.DataType != tensor.DataType || format.ChannelsLast) formats.Add(name, format);
        }
        return formats;
    }

    private static TensorFormat Read(string text, string subject)
    {
        string[] parts = text.Split(':');
        DataType type = DataType.Undefined;
        bool last = false;
        bool good = parts.Length <= 2;
        if (good && parts[0].Length > 0)
        {
            string name = parts[0].ToLowerInvariant() switch { "fp32" or "float" => "Float32", "fp16" or "half" => "Float16", "fp64" or "double" => "Float64", _ => parts[0] };
            type = Types.FirstOrDefault(t => string.Equals(t.ToString(), name, StringComparison.OrdinalIgnoreCase));
            good = type != DataType.Undefined;
        }
        if (good && parts.Length == 2)
        {
            last = string.Equals(parts[1], "Nhwc", StringComparison.OrdinalIgnoreCase);
            good = last || string.Equals(parts[1], "Nchw", StringComparison.OrdinalIgnoreCase);
        }
        return good ? new TensorFormat(type, last)
            : throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"'{text}' is no format", $"Type, Type:Layout or :Layout, with the types {string.Join(", ", Types)} and the layouts Nchw and Nhwc", "An example is 'UInt8:Nhwc'");
    }

    /// <summary>The engine's shape of a tensor that the model has as [N, C, …].</summary>
    public long[] ToEngine(long[] shape) => ChannelsLast ? [shape[0], .. shape[2..], shape[1]] : shape;

    /// <summary>The type that callers see.</summary>
    public TensorType ToEngine(TensorType type) => new(DataType == DataType.Undefined ? type.DataType : DataType,
        ChannelsLast && type.Shape is { } shape ? new SymbolicShape([shape[0], .. shape.Dimensions.Skip(2), shape[1]]) : type.Shape);

    /// <summary>The permutation that makes the model's layout of the engine's.</summary>
    public static long[] ToChannelsSecond(int rank) => [0, rank - 1, .. Enumerable.Range(1, rank - 2).Select(i => (long)i)];

    public static long[] ToChannelsLast(int rank) => [0, .. Enumerable.Range(2, rank - 2).Select(i => (long)i), 1];
}
