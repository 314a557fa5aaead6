using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>A built engine: immutable, safe to use from several threads. Dispose it to give its memory back at once.</summary>
public sealed class Engine : IDisposable
{
    private readonly SharedHostStep _step;
    private readonly HostStepRequest? _hostRequest;
    private IReadOnlyList<EngineLayer>? _layers;
    private bool _disposed;

    internal Engine(EngineHeader header, EngineContent content, string? path, long sizeBytes)
    {
        OpenDevice = () => CudaContext.Open(DeviceProgram.FindDevice(content.Plan));
        Header = header;
        Content = content;
        Path = path;
        SizeBytes = sizeBytes;
        if (!string.Equals(content.Plan.Device, nameof(DeviceKind.Cuda), StringComparison.Ordinal)) _hostRequest = RequestOf(SingleStep(content.Plan, path ?? header.Name), header, content, path ?? header.Name);
        _step = new SharedHostStep(CreateStep, ThrowGone);
    }

    internal EngineHeader Header { get; }

    internal EngineContent Content { get; }

    /// <summary>What the host step of a CPU engine is made from.</summary>
    internal HostStepRequest StepRequest => _hostRequest ?? throw new InvalidOperationException($"'{Name}' is no CPU engine.");

    /// <summary>Opens the device that a CUDA engine runs on; by itself the first one whose code the engine has.</summary>
    internal Func<IDevice> OpenDevice { get; init; }

    /// <summary>Makes the adapters of libraries that its launches call.</summary>
    internal Func<string, string, ILibraryAdapter> CreateLibrary { get; init; } = LibraryAdapters.Create;

    public string Name => Header.Name;

    /// <summary>SHA-256 of the content: the same graph, options and device give the same id.</summary>
    public string Id => Header.Id;

    /// <summary>Cpu or Cuda.</summary>
    public string Device => Header.Device;

    /// <summary>Of the GPU it was built for; empty for the CPU.</summary>
    public string ComputeCapability => Header.ComputeCapability;

    /// <summary>The lowest precision that layers run in.</summary>
    public string Precision => Header.Precision;

    public IReadOnlyList<EngineTensor> Inputs => Header.Inputs;

    public IReadOnlyList<EngineTensor> Outputs => Header.Outputs;

    /// <summary>The ranges of input shapes it runs; empty when it runs any.</summary>
    public IReadOnlyList<EngineProfile> Profiles => Header.Profiles;

    /// <summary>Bytes of the engine file.</summary>
    public long SizeBytes { get; private set; }

    public double BuildSeconds => Header.BuildSeconds;

    public DateTimeOffset BuiltAt => Header.Provenance.BuiltAt;

    /// <summary>What is worse than was asked, and why.</summary>
    public IReadOnlyList<string> Warnings => Header.Warnings;

    public EngineProvenance Provenance => Header.Provenance;

    /// <summary>The model's name.</summary>
    public string Model => Header.Provenance.Model;

    /// <summary>Full path of the engine's file; null while it was not saved.</summary>
    public string? Path { get; private set; }

    /// <summary>The steps as the device runs them, with their times where they were measured.</summary>
    public IReadOnlyList<EngineLayer> Layers => _layers ??= EngineLayers.From(this);

    /// <summary>What it takes of the device's memory, for each profile's largest shapes; empty for a CPU engine, and where shapes are open.</summary>
    public IReadOnlyList<EngineMemory> DeviceMemory => EngineMemory.Of(this);

    /// <summary>A context runs the engine; several may run at once.</summary>
    public ExecutionContext CreateContext()
    {
        if (Volatile.Read(ref _disposed)) ThrowGone("it was disposed");
        return new ExecutionContext(this);
    }

    /// <summary>A small object for ConvertTo-Json.</summary>
    public EngineSummary ToSummary() => new()
    {
        Name = Name, Id = Id, Path = Path, Model = Model, Device = Device, ComputeCapability = ComputeCapability, Precision = Precision,
        Inputs = [.. Inputs.Select(i => i.ToString())], Outputs = [.. Outputs.Select(o => o.ToString())], Profiles = [.. Profiles.Select(p => p.ToString())],
        SizeBytes = SizeBytes, BuildSeconds = BuildSeconds, BuiltAt = BuiltAt, LayerCount = Layers.Count, Warnings = [.. Warnings], Provenance = Provenance,
    };

    /// <summary>The header's facts.</summary>
    public EngineInfo ToInfo() => Header.ToInfo(Path, SizeBytes);

    internal IHostRun Bind(IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop) => _step.Bind(inputs, stop);

    /// <summary>Makes the engine ready to run now instead of on the first run.</summary>
    internal void Prepare(CancellationToken stop) => _step.Prepare(stop);

    /// <summary>A step of its own that writes a profile.</summary>
    internal IHostStep CreateProfilingStep(CancellationToken stop) => _hostRequest is null
        ? _step.Use<IHostStep>(s => new DeviceStep(((DeviceStep)s).Program.Share(), profile: true), stop)
        : HostSteps.Find(StepKind, Path ?? Name).Create(_hostRequest with { Profile = true }, stop);

    /// <summary>A context of a CUDA engine; another thread's runs do not wait for it.</summary>
    internal DeviceContext CreateDeviceContext(CancellationToken stop) => _hostRequest is null
        ? _step.Use(s => ((DeviceStep)s).Program.CreateContext(), stop)
        : throw new TrtToolsException(ErrorCode.DeviceUnsupported, $"The engine '{Name}'", "it runs on the CPU", "An engine built with -Device Cuda", "Call Run, which takes values from the host");

    /// <summary>What the device that runs it says of its clocks; null on the CPU, and where that can't be read.</summary>
    internal DeviceState? ReadDeviceState(CancellationToken stop) => _hostRequest is null ? _step.Use(s => ((DeviceStep)s).Program.Device.ReadState(), stop) : null;

    internal void SetLayers(IReadOnlyList<EngineLayer> layers) => _layers = layers;

    /// <summary>Gives back what runs need, until the next one.</summary>
    internal void Release() => _step.Release();

    internal void SetSize(long sizeBytes) => SizeBytes = sizeBytes;

    internal void SetSaved(string path, long sizeBytes)
    {
        Path = path;
        SizeBytes = sizeBytes;
        _layers = null;
    }

    private string StepKind => Content.Plan.Body.Steps[0].Host.Kind;

    private IHostStep CreateStep(CancellationToken stop)
    {
        if (_hostRequest is not null) return HostSteps.Find(StepKind, Path ?? Name).Create(_hostRequest, stop);
        IDevice device = OpenDevice();
        return new DeviceStep(new DeviceProgram(device, Content.Plan, Content.Blobs, Content.Details.Layers, Name) { CreateLibrary = CreateLibrary }, profile: false);
    }

    private void ThrowGone(string why) => throw new TrtToolsException(ErrorCode.ObjectNotLive, $"The engine '{Name}'", why, "An engine that is still loaded", "Import it again with Import-Engine, or pass its path");

    private static HostStep SingleStep(Plan plan, string subject)
    {
        if (plan.Body is { Steps: [{ Host: { } host }] }) return host;
        throw EngineReader.Incompatible(subject, "its plan holds steps other than one host step", "A CPU engine");
    }

    private static HostStepRequest RequestOf(HostStep step, EngineHeader header, EngineContent content, string subject)
    {
        TensorData Blob(uint index) => index < content.Blobs.Count ? content.Blobs[(int)index] : throw EngineReader.Corrupt(subject, "a step names a blob that is not there");
        Dictionary<string, TensorData> weights = new(StringComparer.Ordinal);
        foreach (Weight weight in step.Weights) weights[weight.Name] = Blob(weight.Blob);
        Dictionary<string, string> settings = new(StringComparer.Ordinal);
        foreach (Setting setting in step.Settings)
        {
            if (!settings.TryAdd(setting.Key, setting.Value)) throw EngineReader.Corrupt(subject, $"a step has the setting '{setting.Key}' twice");
        }
        return new HostStepRequest
        {
            Name = header.Name, Model = Blob(step.Model), Weights = weights, Outputs = [.. step.Outputs],
            Settings = settings,
        };
    }

    public void Dispose()
    {
        Volatile.Write(ref _disposed, true);
        _step.Close();
        GC.SuppressFinalize(this);
    }

    ~Engine() => _step?.Close();

    public override string ToString() => $"{Name} ({Device}, {Precision})";
}
