using Google.Protobuf;
using TrtTools.Files;
using TrtTools.Ir;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;

namespace TrtTools.Onnx;

/// <summary>Reads and writes ONNX models.</summary>
public static class OnnxFile
{
    /// <summary>Reads a model.</summary>
    /// <exception cref="TrtToolsException">ModelNotFound, ModelMalformed, ExternalDataInvalid.</exception>
    public static OnnxGraph Import(string path, Report report, CancellationToken stop) => ModelImport.FromFile(path, report, stop);

    /// <summary>Reads a model from memory.</summary>
    internal static OnnxGraph Parse(ReadOnlySpan<byte> bytes, string name) => ModelImport.FromBytes(bytes, name);

    /// <summary>Writes a model.</summary>
    /// <exception cref="TrtToolsException">OutputPathExists, OutputPathInvalid; OptionInvalid for a model over 2 GB without external data.</exception>
    public static void Export(OnnxGraph graph, string path, ExportOptions options, Report report, CancellationToken stop) => ModelExport.Export(graph, path, options, report, stop);

    /// <summary>Names of the main graph's tensors, for completion: fast, and nothing else is read.</summary>
    public static IReadOnlyList<string> ReadTensorNames(string path) => TensorNameReader.Read(Path.GetFullPath(path));

    /// <summary>One self-contained model, for ONNX Runtime. Initializers leave the graph's inputs.</summary>
    internal static byte[] Serialize(OnnxGraph graph)
    {
        GraphExporter exporter = new(graph, keepOverridable: false, inferredTypes: false);
        ModelProto model = exporter.Write();
        long size = ModelWriter.Size(model, exporter.Deferred);
        if (size > Array.MaxLength) throw ModelWriter.TooLarge(graph.Name, size);
        byte[] bytes = new byte[size];
        using MemoryStream stream = new(bytes);
        ModelWriter.Write(model, exporter.Deferred, stream, graph.Name);
        return bytes;
    }

    /// <summary>The same to a stream.</summary>
    internal static void WriteTo(OnnxGraph graph, Stream stream)
    {
        GraphExporter exporter = new(graph, keepOverridable: false, inferredTypes: false);
        ModelWriter.Write(exporter.Write(), exporter.Deferred, stream, graph.Name);
    }

    /// <summary>Reads a TensorProto on its own (.pb files of backend tests).</summary>
    internal static TensorData ReadTensor(ReadOnlySpan<byte> tensorProto, out string name)
    {
        TensorProto proto;
        try
        {
            proto = TensorProto.Parser.ParseFrom(tensorProto);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, "TensorProto", "the bytes are no ONNX tensor", "A TensorProto message", "Check the file", e);
        }
        name = proto.Name;
        return TensorCodec.Read(proto, name.Length > 0 ? $"Tensor '{name}'" : "Tensor", keepName: false);
    }

    internal static byte[] WriteTensor(string name, TensorData data) => TensorCodec.Write(data, name).ToByteArray();
}
