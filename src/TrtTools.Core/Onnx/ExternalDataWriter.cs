using System.Globalization;
using System.Security.Cryptography;
using TrtTools.Files;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;

namespace TrtTools.Onnx;

/// <summary>Stores a model's large weights in a second file beside it.</summary>
/// <remarks>Two files can't be replaced in one step, so an existing data file is never replaced: the new one gets a name of its own ("m.onnx.data" where that
/// is free, else "m.onnx.HASH.data"), is complete before the model is moved into place, and only then is the old one deleted. Killed at any moment, the path
/// holds the old model with the old data or the new with the new; at worst a data file stays that no model names.</remarks>
internal sealed class ExternalDataWriter(string modelPath)
{
    /// <summary>Smaller tensors stay in the model, where shape inference of any reader sees them.</summary>
    public const int StoredFrom = 1024;

    private const int PageAligned = 1 << 16;
    private readonly List<(TensorProto Proto, TensorData Data, long Offset)> _stored = [];
    private string? _path;
    private bool _isNew;

    /// <summary>Moves tensors out of <paramref name="deferred"/> into the data file, and writes it.</summary>
    public void Write(Dictionary<TensorProto, TensorData> deferred, Action<TensorData, Stream> copy)
    {
        long offset = 0;
        foreach ((TensorProto proto, TensorData data) in deferred)
        {
            if (data.ByteCount < StoredFrom) continue;
            // Whole pages, so that readers can map large tensors; vector registers' width for others.
            long alignment = data.ByteCount >= PageAligned ? 4096 : 64;
            offset = (offset + alignment - 1) / alignment * alignment;
            _stored.Add((proto, data, offset));
            offset += data.ByteCount;
        }
        if (_stored.Count == 0) return;
        _path = ChoosePath();
        string location = Path.GetFileName(_path);
        foreach ((TensorProto proto, TensorData data, long start) in _stored)
        {
            deferred.Remove(proto);
            proto.DataLocation = TensorProto.Types.DataLocation.External;
            proto.ExternalData.Add(Entry("location", location));
            proto.ExternalData.Add(Entry("offset", start.ToString(CultureInfo.InvariantCulture)));
            proto.ExternalData.Add(Entry("length", data.ByteCount.ToString(CultureInfo.InvariantCulture)));
        }
        _isNew = !File.Exists(_path);
        AtomicFile.Write(_path, overwrite: true, stream =>
        {
            foreach ((_, TensorData data, long start) in _stored)
            {
                while (stream.Position < start) stream.WriteByte(0);
                copy(data, stream);
            }
        });
    }

    /// <summary>Deletes the data file again, after an export that failed.</summary>
    public void Abandon()
    {
        // One that was there before has the same content, since its name is a hash of it; the old model may need it.
        if (_path is not null && _isNew) TryDelete(_path);
    }

    /// <summary>Deletes the data files that the model replaced just now had to itself.</summary>
    public void DeleteReplaced(IEnumerable<string> oldLocations)
    {
        string name = Path.GetFileName(modelPath);
        foreach (string location in oldLocations)
        {
            bool ours = location == name + ".data"
                || (location.StartsWith(name + ".", StringComparison.Ordinal) && location.EndsWith(".data", StringComparison.Ordinal) && location.Length == name.Length + 22
                    && location.AsSpan(name.Length + 1, 16).IndexOfAnyExcept("0123456789abcdef") < 0);
            string path = Path.Combine(Path.GetDirectoryName(modelPath)!, location);
            if (ours && path != _path) TryDelete(path);
        }
    }

    /// <summary>Names of the data files that a model, if it is one, refers to.</summary>
    public static IReadOnlyList<string> Locations(string modelPath)
    {
        if (!File.Exists(modelPath)) return [];
        try
        {
            using MappedFile file = MappedFile.Open(modelPath);
            ModelProto model = new ModelReader(file, modelPath).Read();
            return [.. (model.Graph?.Initializer ?? []).SelectMany(i => i.ExternalData).Where(e => e.Key == "location").Select(e => e.Value).Distinct(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is TrtToolsException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private string ChoosePath()
    {
        string plain = modelPath + ".data";
        if (!File.Exists(plain)) return plain;
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((TensorProto proto, TensorData data, long offset) in _stored)
        {
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{proto.Name}\n{offset}\n{data.ByteCount}\n")));
            for (long at = 0; at < data.ByteCount; at += 1 << 24) hash.AppendData(data.Slice(at, (int)Math.Min(1 << 24, data.ByteCount - at)));
        }
        return $"{modelPath}.{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8))}.data";
    }

    private static StringStringEntryProto Entry(string key, string value) => new() { Key = key, Value = value };

    private static void TryDelete(string path)
    {
        // Windows keeps a mapped file; then it stays, named by no model.
        try { File.Delete(path); } catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }
}
