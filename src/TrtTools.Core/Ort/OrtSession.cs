using System.Buffers;
using Microsoft.ML.OnnxRuntime;
using TrtTools.Tensors;

namespace TrtTools.Ort;

/// <summary>One ONNX Runtime session on the CPU. Runs may overlap on several threads.</summary>
internal sealed class OrtSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly HashSet<string> _inputs;
    private readonly HashSet<string> _outputs;
    private readonly string _subject;
    private string? _profile;

    private OrtSession(InferenceSession session, string subject, string? profile)
    {
        _session = session;
        _subject = subject;
        _profile = profile;
        Inputs = [.. session.InputNames.Select(n => Describe(n, session.InputMetadata[n]))];
        Outputs = [.. session.OutputNames.Select(n => Describe(n, session.OutputMetadata[n]))];
        InputNames = [.. session.InputNames];
        OutputNames = [.. session.OutputNames];
        _inputs = [.. InputNames.Concat(session.OverridableInitializerMetadata.Keys)];
        _outputs = [.. OutputNames];
    }

    public IReadOnlyList<OrtTensorInfo> Inputs { get; }

    public IReadOnlyList<OrtTensorInfo> Outputs { get; }

    public IReadOnlyList<string> InputNames { get; }

    public IReadOnlyList<string> OutputNames { get; }

    /// <summary>Loads a model of less than 2 GB from memory.</summary>
    public static OrtSession Create(byte[] model, OrtOptions options, CancellationToken stop = default) => Create(o => new InferenceSession(model, o), options, stop);

    /// <summary>Loads a model file with its external data.</summary>
    public static OrtSession FromFile(string path, OrtOptions options, CancellationToken stop = default) => Create(o => new InferenceSession(path, o), options, stop);

    private static OrtSession Create(Func<SessionOptions, InferenceSession> load, OrtOptions options, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        OrtEnvironment.Start();
        using SessionOptions native = new();
        native.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
        native.GraphOptimizationLevel = options.Optimization == OrtOptimization.Full ? GraphOptimizationLevel.ORT_ENABLE_ALL : GraphOptimizationLevel.ORT_DISABLE_ALL;
        native.ExecutionMode = ExecutionMode.ORT_SEQUENTIAL;
        native.IntraOpNumThreads = options.Threads > 0 ? options.Threads : Cuda.HostProcessor.PhysicalCores;
        native.InterOpNumThreads = 1;
        native.AddSessionConfigEntry("session.intra_op.allow_spinning", options.Spinning ? "1" : "0");
        if (options.ExternalDataFolder is { } folder) native.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", folder);
        foreach ((string key, string value) in options.Configuration) native.AddSessionConfigEntry(key, value);
        if (options.OptimizedModelPath is { } optimized) native.OptimizedModelFilePath = optimized;
        string? profile = options.Profile ? Path.Combine(Path.GetTempPath(), $"trttools-{Environment.ProcessId}-{Guid.NewGuid():N}") : null;
        if (profile is not null)
        {
            native.ProfileOutputPathPrefix = profile;
            native.EnableProfiling = true;
        }
        try
        {
            using CancellationTokenRegistration registration = stop.Register(static o => ((SessionOptions)o!).SetLoadCancellationFlag(true), native);
            InferenceSession session = load(native);
            try
            {
                stop.ThrowIfCancellationRequested();
                return new OrtSession(session, options.Subject, profile);
            }
            catch
            {
                session.Dispose();
                DeleteProfile(profile);
                throw;
            }
        }
        catch (OnnxRuntimeException e)
        {
            DeleteProfile(profile);
            stop.ThrowIfCancellationRequested();
            throw OrtErrors.Loading(e, options.Subject);
        }
        catch (Exception e) when (OrtErrors.IsMissingLibrary(e))
        {
            throw OrtErrors.MissingLibrary(e);
        }
    }

    /// <param name="outputs">Names wanted; all when null.</param>
    public IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, TensorData> inputs, IReadOnlyList<string>? outputs = null, CancellationToken stop = default)
    {
        outputs ??= OutputNames;
        foreach (string name in outputs)
        {
            if (!_outputs.Contains(name)) throw Unknown("output", name, OutputNames);
        }
        using OrtBinding binding = Bind(inputs);
        using IDisposableReadOnlyCollection<OrtValue> results = binding.Run(outputs, stop);
        OrderedDictionary<string, TensorData> named = new(StringComparer.Ordinal);
        for (int i = 0; i < outputs.Count; i++) named[outputs[i]] = OrtTensors.Copy(results[i], outputs[i], _subject);
        return named;
    }

    /// <summary>Prepares inputs for many runs.</summary>
    public OrtBinding Bind(IReadOnlyDictionary<string, TensorData> inputs)
    {
        foreach (string name in inputs.Keys)
        {
            if (!_inputs.Contains(name)) throw Unknown("input", name, InputNames);
        }
        foreach (string name in InputNames)
        {
            if (!inputs.ContainsKey(name)) throw new TrtToolsException(ErrorCode.InputNotFound, _subject, $"the input '{name}' was not given", $"Values for {Names(InputNames)}", "Add it to the input data");
        }
        return new OrtBinding(_session, _subject, inputs);
    }

    /// <summary>Ends profiling, and gives the profile as JSON. The temporary file is gone afterwards.</summary>
    public string EndProfiling()
    {
        string path = _session.EndProfiling();
        _profile = null;
        try
        {
            return File.ReadAllText(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private TrtToolsException Unknown(string what, string name, IReadOnlyList<string> known) =>
        new(ErrorCode.InputNotFound, _subject, $"there is no {what} '{name}'", $"One of {Names(known)}", $"Correct the {what}'s name");

    private static string Names(IReadOnlyList<string> names) => names.Count == 0 ? "(none)" : string.Join(", ", names.Take(20).Select(n => $"'{n}'")) + (names.Count > 20 ? ", …" : "");

    private static OrtTensorInfo Describe(string name, NodeMetadata metadata) => metadata.IsTensor
        ? new OrtTensorInfo(name, (DataType)(int)metadata.ElementDataType, [.. metadata.Dimensions.Select(d => d < 0 ? -1L : d)], metadata.SymbolicDimensions, true)
        : new OrtTensorInfo(name, DataType.Undefined, [], [], false);

    public void Dispose()
    {
        _session.Dispose();
        DeleteProfile(Interlocked.Exchange(ref _profile, null));
    }

    /// <summary>ONNX Runtime writes a profile that nobody ended when the session goes; it adds the time to the name.</summary>
    private static void DeleteProfile(string? prefix)
    {
        if (prefix is null) return;
        try
        {
            foreach (string file in Directory.GetFiles(Path.GetDirectoryName(prefix)!, Path.GetFileName(prefix) + "*")) File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}

/// <summary>Inputs made ready once for any number of runs.</summary>
internal sealed class OrtBinding : IDisposable
{
    private readonly InferenceSession _session;
    private readonly string _subject;
    private readonly List<string> _names = [];
    private readonly List<OrtValue> _values = [];
    private readonly List<MemoryHandle> _handles = [];
    private readonly List<TensorData> _borrowed = [];

    internal OrtBinding(InferenceSession session, string subject, IReadOnlyDictionary<string, TensorData> inputs)
    {
        _session = session;
        _subject = subject;
        try
        {
            foreach ((string name, TensorData tensor) in inputs)
            {
                OrtValue value = OrtTensors.Borrow(tensor, out MemoryHandle handle);
                _names.Add(name);
                _values.Add(value);
                _handles.Add(handle);
                _borrowed.Add(tensor);
            }
        }
        catch (OnnxRuntimeException e)
        {
            Dispose();
            throw OrtErrors.Running(e, subject);
        }
    }

    /// <summary>The outputs in the library's own memory; dispose them.</summary>
    public IDisposableReadOnlyCollection<OrtValue> Run(IReadOnlyList<string> outputs, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        using RunOptions options = new();
        options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
        using CancellationTokenRegistration registration = stop.Register(static o => ((RunOptions)o!).Terminate = true, options);
        try
        {
            return _session.Run(options, _names, _values, outputs);
        }
        catch (OnnxRuntimeException e)
        {
            stop.ThrowIfCancellationRequested();
            throw OrtErrors.Running(e, _subject);
        }
        finally
        {
            GC.KeepAlive(_borrowed);
        }
    }

    public void Dispose()
    {
        foreach (OrtValue value in _values) value.Dispose();
        foreach (MemoryHandle handle in _handles) handle.Dispose();
        _values.Clear();
        _handles.Clear();
    }
}
