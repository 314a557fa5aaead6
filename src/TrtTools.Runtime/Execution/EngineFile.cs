using TrtTools.Cuda;
using TrtTools.Engines;

namespace TrtTools.Execution;

/// <summary>Engines from and to files.</summary>
public static class EngineFile
{
    /// <summary>The file's usual extension.</summary>
    public const string Extension = ".engine";

    /// <summary>Maps an engine file after checking every byte of it.</summary>
    /// <param name="deviceId">The CUDA device to run on; null: the first whose code the engine has.</param>
    public static Engine Load(string path, Report report, CancellationToken stop = default, int? deviceId = null)
    {
        string full = Path.GetFullPath(path);
        (EngineHeader header, EngineContent content, long length) = EngineReader.Read(full, stop);
        report.Verbose($"Read {full}: {length:N0} bytes, {content.Blobs.Count} blobs.");
        return deviceId is { } device ? new Engine(header, content, full, length) { OpenDevice = () => CudaContext.Open(device) } : new Engine(header, content, full, length);
    }

    /// <summary>Reads the header alone.</summary>
    public static EngineInfo ReadInfo(string path)
    {
        string full = Path.GetFullPath(path);
        EngineHeader header = EngineReader.ReadHeader(full, out long length);
        return header.ToInfo(full, length);
    }

    /// <summary>Writes the engine; the target is absent, old or whole at every moment.</summary>
    /// <param name="force">Replaces an existing file.</param>
    public static void Save(Engine engine, string path, bool force)
    {
        string full = Path.GetFullPath(path);
        EngineWriter.Write(engine.Header, engine.Content, full, force);
        engine.SetSaved(full, new FileInfo(full).Length);
    }
}
