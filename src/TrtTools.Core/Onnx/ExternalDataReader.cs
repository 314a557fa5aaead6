using System.Globalization;
using TrtTools.Files;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>Maps the files that hold a model's external data. They must lie in the model's folder or below: a model from elsewhere must not be able
/// to read other files of the machine.</summary>
/// <param name="modelPath">Full path of the model; null for one from memory, which can have no such data.</param>
internal sealed class ExternalDataReader(string? modelPath)
{
    private readonly Dictionary<string, MappedFile> _files = new(StringComparer.Ordinal);

    public IEnumerable<IDisposable> Files => _files.Values;

    public static bool IsExternal(TensorProto proto) => proto.DataLocation == TensorProto.Types.DataLocation.External;

    public TensorData Read(TensorProto proto, string subject, bool keepName)
    {
        DataType type = (DataType)proto.DataType;
        long[] shape = [.. proto.Dims];
        long expected = type.ByteCount(TensorCodec.CheckShape(type, shape, proto.DataType, subject));
        if (type == DataType.String) throw Invalid(subject, "strings can't lie in external data", "Numbers", Malformed.CheckExporter);
        string location = Entry(proto, "location") ?? throw Invalid(subject, "its external data names no file", "An entry 'location'", Malformed.CheckExporter);
        long offset = Number(proto, "offset", subject) ?? 0;
        long length = Number(proto, "length", subject) ?? expected;
        if (length != expected) throw Invalid(subject, Invariant($"{type}[{string.Join(',', shape)}] takes {expected:N0} bytes, but its external data has {length:N0}"), "As many bytes as type and shape need", Malformed.CheckExporter);
        MappedFile file = Open(location, subject);
        if (offset > file.Length - length)
        {
            throw Invalid(subject, Invariant($"its {length:N0} bytes from {offset:N0} on reach past the end of '{file.Path}' ({file.Length:N0} bytes)"), "A whole data file", "It is truncated or belongs to another model: copy or download it again");
        }
        if (!keepName) proto.ClearName();
        proto.ExternalData.Clear();
        proto.ClearDataLocation();
        return TensorData.FromFile(type, shape, file, offset, length, TensorCodec.Strip(proto, type, TensorForm.Raw));
    }

    private static string? Entry(TensorProto proto, string key) => proto.ExternalData.LastOrDefault(e => e.Key == key)?.Value;

    private static long? Number(TensorProto proto, string key, string subject)
    {
        if (Entry(proto, key) is not { } text) return null;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value)) return value;
        throw Invalid(subject, $"the {key} of its external data is '{text}'", "A number of bytes", Malformed.CheckExporter);
    }

    private MappedFile Open(string location, string subject)
    {
        if (_files.TryGetValue(location, out MappedFile? known)) return known;
        if (modelPath is null) throw Invalid(subject, $"its data lies in '{location}', but the model comes from memory", "A model file with its data file beside it", "Import the model from its file");
        string folder = Path.GetDirectoryName(modelPath)!;
        string[] parts = location.Split('/', '\\');
        if (location.Length == 0 || Path.IsPathRooted(location) || parts.Contains("..") || HasDrive(location) || location.Contains('\0'))
        {
            throw Invalid(subject, $"its data lies in '{location}'", "A relative path without '..', so that a model reads no file outside its folder", "Store the data file beside the model and export the model again");
        }
        string path = Path.Combine([folder, .. parts.Where(p => p is not ("" or "."))]);
        if (!File.Exists(path)) throw Invalid(subject, $"its data file '{path}' is not there", "The data file that came with the model", "Copy it beside the model, under this name");
        if (FileLinks.Resolve(path) is var real && !FileLinks.IsInside(real, FileLinks.Resolve(folder)) && !FileLinks.IsInside(real, Path.GetDirectoryName(FileLinks.Resolve(modelPath))!))
        {
            throw Invalid(subject, $"its data file '{path}' is a link to '{real}'", "A file inside the model's folder", "Copy the file itself beside the model");
        }
        if (FileLinks.HasSeveralNames(real))
        {
            throw Invalid(subject, $"its data file '{path}' is a hard link, which may be any file of this disk", "A file that has one name", "Copy the file (a copy has a content of its own) and put the copy in its place");
        }
        try
        {
            return _files[location] = MappedFile.Open(real);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrtToolsException(ErrorCode.FileNotReadable, path, $"it could not be read ({e.Message.TrimEnd('.')})", $"The data file of {subject}", "Check its permissions", e);
        }
    }

    private static bool HasDrive(string location) => OperatingSystem.IsWindows() ? location.Contains(':') : location.Length > 1 && location[1] == ':';

    private static TrtToolsException Invalid(string subject, string found, string expected, string next) => new(ErrorCode.ExternalDataInvalid, subject, found, expected, next);
}
