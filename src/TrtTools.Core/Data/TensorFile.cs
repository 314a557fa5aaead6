using System.IO.Compression;
using TrtTools.Files;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>Tensors in files: NumPy's .npy and .npz, ONNX TensorProto in .pb, Polygraphy's .json, and bare elements.</summary>
public static class TensorFile
{
    /// <summary>All tensors of a file. One of an .npy file is named after it.</summary>
    public static IReadOnlyList<Tensor> Read(string path)
    {
        string full = Path.GetFullPath(path);
        return Reading(full, () => Extension(full) switch
        {
            ".npy" => [ReadNpy(full)],
            ".npz" => ReadNpz(full),
            ".pb" => [ReadProto(full)],
            ".json" => [.. PolygraphyJson.Read(full).SelectMany(s => s.Tensors)],
            _ => throw new TrtToolsException(ErrorCode.DataInvalid, full, $"the extension '{Path.GetExtension(full)}' is unknown", "Expected .npy, .npz, .pb or .json", "Save the data in one of these formats; Import-Tensor -DataType reads bare elements"),
        });
    }

    /// <summary>All samples of a file: one, except that JSON may hold many.</summary>
    public static IReadOnlyList<TensorSample> ReadSamples(string path)
    {
        string full = Path.GetFullPath(path);
        return Extension(full) == ".json" ? Reading(full, () => PolygraphyJson.Read(full)) : [new TensorSample(Read(full))];
    }

    /// <summary>Reads bare elements, whatever the file's extension.</summary>
    public static Tensor ReadRaw(string path, DataType type, long[]? shape, string? name = null)
    {
        string full = Path.GetFullPath(path);
        return Reading(full, () => RawTensor.Read(full, name ?? Path.GetFileNameWithoutExtension(full), type, shape));
    }

    /// <summary>Writes samples as Polygraphy's JSON: inputs, or results where they name a runner.</summary>
    public static void WriteSamples(string path, IReadOnlyList<TensorSample> samples, bool force = false) => AtomicFile.Write(path, force, stream => PolygraphyJson.Write(stream, samples));

    /// <summary>Writes the bare elements of a tensor.</summary>
    public static void WriteRaw(string path, Tensor tensor, bool force = false)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.DataType == DataType.String) throw new TrtToolsException(ErrorCode.DataInvalid, $"Tensor '{tensor.Name}'", "it holds text", "Numbers", "Write .npy or .npz instead");
        AtomicFile.Write(path, force, stream => tensor.Content.CopyTo(stream));
    }

    /// <summary>Writes one tensor (.npy, .pb) or several (.npz).</summary>
    public static void Write(string path, IReadOnlyList<Tensor> tensors, bool force = false)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        string extension = Extension(path);
        if (extension is not (".npy" or ".npz" or ".pb"))
            throw new TrtToolsException(ErrorCode.OutputPathInvalid, path, $"the extension '{Path.GetExtension(path)}' is unknown", "Expected .npy, .npz or .pb", "Give a path with one of these extensions");
        if (extension != ".npz" && tensors.Count != 1)
            throw new TrtToolsException(ErrorCode.OutputPathInvalid, path, $"{tensors.Count} tensors are to be written", $"A {extension} file holds one", "Give a path that ends with .npz");
        AtomicFile.Write(path, force, stream =>
        {
            switch (extension)
            {
                case ".npy":
                    NpyFormat.Write(stream, tensors[0].Content);
                    break;
                case ".pb":
                    stream.Write(OnnxFile.WriteTensor(tensors[0].Name, tensors[0].Content));
                    break;
                default:
                    using (ZipArchive archive = new(stream, ZipArchiveMode.Create, leaveOpen: true))
                    {
                        foreach (Tensor tensor in tensors)
                        {
                            ZipArchiveEntry entry = archive.CreateEntry(tensor.Name + ".npy", CompressionLevel.Fastest);
                            // A clock in the file would make equal results unequal.
                            entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
                            using Stream content = entry.Open();
                            NpyFormat.Write(content, tensor.Content);
                        }
                    }
                    break;
            }
        });
    }

    /// <summary>True for a file that <see cref="Read"/> reads.</summary>
    internal static bool IsTensorFile(string path) => Extension(path) is ".npy" or ".npz" or ".pb" or ".json";

    internal static string Extension(string path) => Path.GetExtension(path).ToLowerInvariant();

    /// <summary>Runs <paramref name="read"/> and turns what the system says of a bad file into our errors.</summary>
    internal static T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TrtToolsException(ErrorCode.DataNotFound, path, "there is no such file", "", "Check the path", e);
        }
        catch (InvalidDataException e)
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, path, $"the file is damaged ({e.Message.TrimEnd('.')})", "Expected a whole file of the kind its extension says", "Save it again", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new TrtToolsException(ErrorCode.FileNotReadable, path, $"the file could not be read ({e.Message.TrimEnd('.')})", "", "Check its permissions, and that no other program holds it", e);
        }
    }

    internal static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 16, FileOptions.SequentialScan);

    private static Tensor ReadNpy(string path)
    {
        using FileStream stream = Open(path);
        NpyHeader header = NpyFormat.ReadHeader(stream, path);
        return new Tensor(Path.GetFileNameWithoutExtension(path), NpyFormat.ReadElements(stream, header, path));
    }

    private static Tensor[] ReadNpz(string path)
    {
        using ZipArchive archive = new(Open(path), ZipArchiveMode.Read);
        List<Tensor> tensors = [];
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            if (!entry.FullName.EndsWith(".npy", StringComparison.Ordinal)) continue;
            string name = entry.FullName[..^4];
            using Stream stream = entry.Open();
            string subject = $"{path} ({entry.FullName})";
            tensors.Add(new Tensor(name, NpyFormat.ReadElements(stream, NpyFormat.ReadHeader(stream, subject), subject)));
        }
        return [.. tensors];
    }

    private static Tensor ReadProto(string path)
    {
        try
        {
            TensorData data = OnnxFile.ReadTensor(File.ReadAllBytes(path), out string name);
            if (data.Type == DataType.Undefined) throw new TrtToolsException(ErrorCode.DataInvalid, path, "the tensor has no type", "", "Write it again");
            return new Tensor(name.Length > 0 ? name : Path.GetFileNameWithoutExtension(path), data);
        }
        catch (TrtToolsException e)
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, path, "the file holds no whole tensor", e.Message, "Write it again", e);
        }
    }
}
