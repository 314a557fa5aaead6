using Google.Protobuf;
using TrtTools.Files;
using TrtTools.Ir;
using TrtTools.Onnx.Proto;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>From a file or bytes to a model.</summary>
internal static class ModelImport
{
    public static OnnxGraph FromFile(string path, Report report, CancellationToken stop)
    {
        string full = Path.GetFullPath(path);
        MappedFile file = Open(full);
        report.Verbose(Invariant($"Importing {full} ({file.Length:N0} bytes)"));
        ModelFormat.Check(file, full);
        ModelReader reader = new(file, full);
        ModelProto model = reader.Read();
        stop.ThrowIfCancellationRequested();
        ExternalDataReader external = new(full);
        OnnxGraph graph = Build(model, Path.GetFileNameWithoutExtension(full), full, full,
            (proto, where, keepName) => ExternalDataReader.IsExternal(proto) ? external.Read(proto, where, keepName) : reader.ReadTensor(proto, where, keepName), [file], external, stop);
        return graph;
    }

    public static OnnxGraph FromBytes(ReadOnlySpan<byte> bytes, string name)
    {
        byte[] copy = bytes.ToArray();
        ModelProto model = new();
        ModelReader.Parse(() => model.MergeFrom(copy), name);
        ExternalDataReader external = new(null);
        return Build(model, name, null, name,
            (proto, where, keepName) => ExternalDataReader.IsExternal(proto) ? external.Read(proto, where, keepName) : TensorCodec.Read(proto, where, keepName), [], external, CancellationToken.None);
    }

    public static MappedFile Open(string full)
    {
        if (!File.Exists(full)) throw NotFound(full);
        try
        {
            return MappedFile.Open(full);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrtToolsException(ErrorCode.FileNotReadable, full, $"the file could not be read ({e.Message.TrimEnd('.')})", "A readable ONNX model", "Check the file's permissions", e);
        }
    }

    private static OnnxGraph Build(ModelProto model, string name, string? path, string subject, TensorReader readTensor, IEnumerable<IDisposable> resources, ExternalDataReader external, CancellationToken stop)
    {
        if (model.Graph is null)
        {
            throw Malformed.Model(subject, "it holds no graph", "A model in ONNX's protobuf format (.onnx)", "Check that the file is an ONNX model, and whole");
        }
        StructureCheck.Run(model, subject);
        GraphImporter importer = new(subject, readTensor, stop);
        Graph body = importer.ReadGraph(model.Graph, subject);
        Function[] functions = [.. model.Functions.Select(importer.ReadFunction)];
        Dictionary<string, long> opset = new(StringComparer.Ordinal);
        foreach (OperatorSetIdProto import in model.OpsetImport) opset[GraphImporter.Domain(import.Domain)] = import.Version;
        Dictionary<string, string> metadata = new(StringComparer.Ordinal);
        foreach (StringStringEntryProto entry in model.MetadataProps) metadata[entry.Key] = entry.Value;
        OnnxGraph graph = new(body, name, path, model.IrVersion, opset, [.. resources, .. external.Files]) { Producer = model.ProducerName, Metadata = metadata };
        foreach (Function function in functions) graph.FunctionTable.Add(function.Key, function);
        model.Graph = null;
        model.Functions.Clear();
        if (model.IrVersion != 0) model.ClearIrVersion();
        if (model.ProducerName.Length > 0) model.ClearProducerName();
        graph.Remainder = model;
        return graph;
    }

    private static TrtToolsException NotFound(string full)
    {
        if (Directory.Exists(full)) return new TrtToolsException(ErrorCode.ModelNotFound, full, "this is a folder", "An ONNX model", $"Give a file's path, such as '{Path.Combine(full, "*.onnx")}' for all models in it");
        string? folder = Path.GetDirectoryName(full);
        if (folder is null || !Directory.Exists(folder)) return new TrtToolsException(ErrorCode.ModelNotFound, full, $"there is no folder '{folder}'", "An ONNX model", "Check the path");
        string[] near = Nearest(folder, Path.GetFileName(full));
        string next = near.Length > 0 ? $"In that folder there is {string.Join(", ", near.Select(n => $"'{n}'"))}" : "There is no .onnx file in that folder: check the path";
        return new TrtToolsException(ErrorCode.ModelNotFound, full, "there is no such file", "An ONNX model", next);
    }

    /// <summary>Up to three models of a folder, the ones with the most similar names first.</summary>
    private static string[] Nearest(string folder, string wanted)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder, "*.onnx").Take(1000).Select(f => Path.GetFileName(f)!).OrderBy(n => EditDistance.Of(n, wanted)).ThenBy(n => n, StringComparer.Ordinal).Take(3)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
