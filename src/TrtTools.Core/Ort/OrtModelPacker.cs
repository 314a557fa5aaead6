using Google.Protobuf;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;

namespace TrtTools.Ort;

/// <summary>Takes a model apart into a small message and its weights, so that an engine file can share and map the weights, and puts it together again.</summary>
internal static class OrtModelPacker
{
    /// <summary>Stands for the location of weights that an engine holds.</summary>
    private const string Location = "*engine*";

    /// <summary>Smaller tensors stay in the message: each blob is padded to 256 bytes.</summary>
    private const int SmallestBlob = 1024;

    /// <summary>ONNX Runtime takes models up to 2 GB as bytes; more goes by a file of weights.</summary>
    private const long InlineLimit = 1_900_000_000;

    public static byte[] Pack(OnnxGraph graph, out IReadOnlyList<KeyValuePair<string, TensorData>> weights)
    {
        GraphExporter exporter = new(graph, keepOverridable: false, inferredTypes: false);
        ModelProto model = exporter.Write();
        List<KeyValuePair<string, TensorData>> found = [];
        foreach (TensorProto tensor in model.Graph.Initializer)
        {
            if (!exporter.Deferred.TryGetValue(tensor, out TensorData? data)) continue;
            if (data.ByteCount < SmallestBlob)
            {
                tensor.RawData = ByteString.CopyFrom(data.Bytes);
                continue;
            }
            found.Add(new(tensor.Name, data));
            tensor.DataLocation = TensorProto.Types.DataLocation.External;
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = Location });
        }
        weights = found;
        return model.ToByteArray();
    }

    /// <summary>The model with its weights inside, or, when <paramref name="folder"/> is given back, in a file of that new folder.</summary>
    public static byte[] Unpack(TensorData model, IReadOnlyDictionary<string, TensorData> weights, string subject, out string? folder)
    {
        ModelProto proto;
        try
        {
            proto = ModelProto.Parser.ParseFrom(model.Bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new TrtToolsException(ErrorCode.EngineCorrupt, subject, "the model inside cannot be read", "", "Build the engine again", e);
        }
        folder = null;
        if (weights.Count == 0) return model.Bytes.ToArray();
        Dictionary<TensorProto, TensorData> kept = [];
        foreach (TensorProto tensor in proto.Graph.Initializer)
        {
            if (tensor.DataLocation != TensorProto.Types.DataLocation.External) continue;
            if (!weights.TryGetValue(tensor.Name, out TensorData? data)) throw new TrtToolsException(ErrorCode.EngineCorrupt, subject, $"the weights '{tensor.Name}' are not in it", "", "Build the engine again");
            tensor.ExternalData.Clear();
            tensor.ClearDataLocation();
            kept.Add(tensor, data);
        }
        if (weights.Values.Sum(w => w.ByteCount) > InlineLimit) return ToFile(proto, kept, out folder);
        byte[] bytes = new byte[ModelWriter.Size(proto, kept)];
        using MemoryStream stream = new(bytes);
        ModelWriter.Write(proto, kept, stream, subject);
        return bytes;
    }

    private static byte[] ToFile(ModelProto proto, Dictionary<TensorProto, TensorData> weights, out string folder)
    {
        const string Name = "weights.bin";
        folder = Directory.CreateTempSubdirectory("trttools-").FullName;
        try
        {
            using FileStream stream = new(Path.Combine(folder, Name), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
            foreach ((TensorProto tensor, TensorData data) in weights)
            {
                stream.Position = (stream.Position + 4095) & ~4095L;
                tensor.DataLocation = TensorProto.Types.DataLocation.External;
                tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = Name });
                tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = stream.Position.ToString(System.Globalization.CultureInfo.InvariantCulture) });
                tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = data.ByteCount.ToString(System.Globalization.CultureInfo.InvariantCulture) });
                data.CopyTo(stream);
            }
            return proto.ToByteArray();
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }
}
