using System.Collections.Immutable;
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
    public static OnnxGraph Import(string path, Report report, CancellationToken stop)
    {
        string full = Path.GetFullPath(path);
        if (!File.Exists(full)) throw new TrtToolsException(ErrorCode.ModelNotFound, full, "there is no such file", "An ONNX model", "Check the path");
        MappedFile file = MappedFile.Open(full);
        ModelProto model = ParseModel(file.Span(0, checked((int)file.Length)), full);
        return Build(model, Path.GetFileNameWithoutExtension(full), full, full, [file]);
    }

    /// <summary>Reads a model from memory.</summary>
    internal static OnnxGraph Parse(ReadOnlySpan<byte> bytes, string name) => Build(ParseModel(bytes, name), name, null, name, []);

    private static ModelProto ParseModel(ReadOnlySpan<byte> bytes, string subject)
    {
        try
        {
            return ModelProto.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Malformed.Model(subject, "it is no ONNX model, or a damaged one", "A file in ONNX's protobuf format", Malformed.CheckExporter, e);
        }
    }

    private static OnnxGraph Build(ModelProto model, string name, string? path, string subject, ImmutableArray<IDisposable> resources)
    {
        if (model.Graph is null) throw Malformed.Model(subject, "it holds no graph", "A file in ONNX's protobuf format");
        StructureCheck.Run(model, subject);
        GraphImporter importer = new(subject, TensorCodec.Read);
        Graph body = importer.ReadGraph(model.Graph, subject);
        Dictionary<string, long> opset = new(StringComparer.Ordinal);
        foreach (OperatorSetIdProto import in model.OpsetImport) opset[GraphImporter.Domain(import.Domain)] = import.Version;
        Dictionary<string, string> metadata = new(StringComparer.Ordinal);
        foreach (StringStringEntryProto entry in model.MetadataProps) metadata[entry.Key] = entry.Value;
        OnnxGraph graph = new(body, name, path, model.IrVersion, opset, resources) { Producer = model.ProducerName, Metadata = metadata };
        foreach (FunctionProto proto in model.Functions)
        {
            Function function = importer.ReadFunction(proto);
            graph.FunctionTable.Add(function.Key, function);
        }
        model.Graph = null;
        model.Functions.Clear();
        if (model.IrVersion != 0) model.ClearIrVersion();
        if (model.ProducerName.Length > 0) model.ClearProducerName();
        graph.Remainder = model;
        return graph;
    }

    /// <summary>Writes a model.</summary>
    public static void Export(OnnxGraph graph, string path, ExportOptions options, Report report, CancellationToken stop)
    {
        GraphExporter exporter = new(graph, options.KeepOverridableInput, inferredTypes: true);
        ModelProto model = exporter.Write();
        if (exporter.DroppedInputs.Count > 0)
        {
            report.Warning($"{graph.Name}: {exporter.DroppedInputs.Count} initializers left the graph's inputs, so callers can no longer replace them ({Shorten(exporter.DroppedInputs)}). -KeepOverridableInput keeps them.");
        }
        AtomicFile.Write(path, options.Force, stream => ModelWriter.Write(model, exporter.Deferred, stream, graph.Name));
    }

    private static string Shorten(List<string> names) => names.Count <= 3 ? string.Join(", ", names) : string.Join(", ", names.Take(3)) + ", …";

    /// <summary>Names of every tensor of a model, for completion.</summary>
    public static IReadOnlyList<string> ReadTensorNames(string path)
    {
        using OnnxGraph graph = Import(path, Report.None, CancellationToken.None);
        return [.. graph.Body.Values.Select(v => v.Name)];
    }

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
