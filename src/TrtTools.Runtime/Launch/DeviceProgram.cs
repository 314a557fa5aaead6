using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Tensors;
using Buffer = TrtTools.Engines.Proto.Buffer;
using PlanLaunch = TrtTools.Engines.Proto.Launch;

namespace TrtTools.Launch;

/// <summary>A plan made ready on one device: kernels are loaded, weights are uploaded once. Contexts run it, several at a time. Whoever made it, shares it or runs it holds it; it goes with the last of them.</summary>
internal sealed class DeviceProgram
{
    /// <summary>Of a weight's content that is copied at once.</summary>
    private const int UploadBytes = 64 << 20;

    private readonly List<IDisposable> _modules = [];
    private readonly IReadOnlyList<Layer> _layers;
    private readonly Dictionary<PlanStep, SharedHostStep> _hostSteps = [];
    private readonly IDeviceKernel[] _kernels;
    private readonly IDeviceMemory? _weights;
    private readonly ulong[] _weightAddresses;
    private readonly Dictionary<int, long> _reservedBytes = [];
    private readonly List<ShapeLayout> _largest = [];
    private readonly Dictionary<PlanStep, uint[][]> _extentsOfLaunches = [];
    private readonly Lock _gate = new();
    private int _users = 1;

    /// <param name="device">The program disposes it with itself.</param>
    /// <param name="layers">What the launches' layer numbers stand for.</param>
    /// <param name="name">The engine's, for messages.</param>
    public DeviceProgram(IDevice device, Plan plan, IReadOnlyList<TensorData> blobs, IReadOnlyList<Layer> layers, string name)
    {
        Device = device;
        Plan = plan;
        Blobs = blobs;
        Name = name;
        _layers = layers;
        _kernels = new IDeviceKernel[plan.Images.Count];
        _weightAddresses = new ulong[plan.Buffers.Count];
        SymbolNames = [];
        try
        {
            Tables = PlanTables.Read(plan, blobs, name);
            SymbolNames = CollectSymbols();
            device.MakeCurrent();
            foreach (KernelImage image in plan.Images) CheckArchitecture(image.Architecture);
            LoadKernels();
            _weights = UploadWeights();
            foreach (PlanStep step in Tables.Steps)
            {
                if (step.Host is { } host) _hostSteps.Add(step, new SharedHostStep(stop => CreateHostStep(host, stop), why => throw new ObjectDisposedException(name, why)));
            }
            Reserve();
        }
        catch
        {
            Release();
            throw;
        }
    }

    public IDevice Device { get; }

    public Plan Plan { get; }

    public PlanTables Tables { get; }

    public IReadOnlyList<TensorData> Blobs { get; }

    public string Name { get; }

    /// <summary>The distinct symbols that each epoch knows; each list begins with the one before.</summary>
    public string[][] SymbolNames { get; }

    /// <summary>Makes the adapters of libraries that launches call; each context has its own.</summary>
    public Func<string, string, ILibraryAdapter> CreateLibrary { get; init; } = LibraryAdapters.Create;

    /// <summary>Bytes of weights on the device.</summary>
    public long WeightBytes => _weights?.ByteCount ?? 0;

    /// <summary>Of epoch 0, for the profiles' largest shapes; 0 without profiles.</summary>
    public long ReservedArenaBytes { get; private set; }

    public long ReservedBytes(int buffer) => _reservedBytes.GetValueOrDefault(buffer);

    public IDeviceKernel KernelOf(uint image) => _kernels[image];

    /// <summary>Where a weight lies; 0 where the buffer is no weight.</summary>
    public ulong WeightAddress(int buffer) => _weightAddresses[buffer];

    public SharedHostStep HostStepOf(PlanStep step) => _hostSteps[step];

    /// <summary>The layer a launch belongs to, with the nodes of the model that it stands for.</summary>
    public string Describe(PlanLaunch launch)
    {
        if (launch.Layer >= _layers.Count) return $"'{Name}', launch '{launch.Name}'";
        Layer layer = _layers[(int)launch.Layer];
        string nodes = layer.SourceNodes.Count == 0 ? "" : $", nodes {string.Join(", ", layer.SourceNodes.Take(8).Select(n => $"'{n}'"))}{(layer.SourceNodes.Count > 8 ? " …" : "")}";
        return $"'{Name}', layer '{layer.Name}' ({layer.Kind}{(layer.Tactic.Length > 0 ? $", {layer.Tactic}" : "")}{nodes})";
    }

    /// <summary>The name that profiles know a layer by.</summary>
    public string RuntimeName(uint layer) => layer < _layers.Count ? _layers[(int)layer].RuntimeName : "";

    public string LayerKind(uint layer) => layer < _layers.Count ? _layers[(int)layer].Kind : "";

    public Buffer BufferAt(int index) => Plan.Buffers[index];

    /// <summary>One more holder, who calls <see cref="Leave"/> in the end.</summary>
    public DeviceProgram Share()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_users == 0, this);
            _users++;
        }
        return this;
    }

    public DeviceContext CreateContext()
    {
        Share();
        try
        {
            return new DeviceContext(this);
        }
        catch
        {
            Leave();
            throw;
        }
    }

    public void Leave()
    {
        lock (_gate)
        {
            if (--_users > 0) return;
        }
        Release();
    }

    private void Release()
    {
        foreach (SharedHostStep step in _hostSteps.Values) step.Close();
        _weights?.Dispose();
        foreach (IDisposable module in _modules) module.Dispose();
        Device.Dispose();
    }

    /// <summary>What the largest shapes of the profiles need: contexts take it at once, so that no later shape makes them grow.</summary>
    private void Reserve()
    {
        foreach (Profile profile in Plan.Profiles)
        {
            if (ProfileSymbols.Largest(Plan, Tables, profile) is not { } symbols) continue;
            ShapeLayout largest = new(Plan, Tables, Blobs, Name, 0, symbols);
            _largest.Add(largest);
            ReservedArenaBytes = Math.Max(ReservedArenaBytes, largest.ArenaBytes);
            foreach (int b in Tables.Inputs.Concat(Tables.Outputs))
            {
                if (b >= 0 && Tables.Buffers[b].Epoch == 0) _reservedBytes[b] = Math.Max(_reservedBytes.GetValueOrDefault(b), largest.ByteCountOf(b));
            }
        }
        _largest.Sort((a, b) => a.ArenaBytes.CompareTo(b.ArenaBytes));
    }

    /// <summary>What an epoch's extents, sizes and places are for given symbols. Within a profile every shape has the places of the largest one.</summary>
    public ShapeLayout LayoutOf(int epoch, IReadOnlyDictionary<string, long> symbols) => new(Plan, Tables, Blobs, Name, epoch, symbols, epoch == 0 ? _largest : null);

    /// <summary>Numbers of the extents that each launch of a step depends on.</summary>
    public uint[][] ExtentsOf(PlanStep step)
    {
        lock (_extentsOfLaunches)
        {
            if (!_extentsOfLaunches.TryGetValue(step, out uint[][]? extents)) _extentsOfLaunches.Add(step, extents = [.. step.Device!.Launches.Select(l => ExtentsOf(l).Distinct().ToArray())]);
            return extents;
        }
    }

    private static IEnumerable<uint> ExtentsOf(PlanLaunch launch) => launch.CallCase switch
    {
        PlanLaunch.CallOneofCase.Kernel => launch.Kernel.Grid.Concat(launch.Kernel.Arguments.SelectMany(a => a.ValueCase switch
        {
            Argument.ValueOneofCase.Address => [a.Address.Offset],
            Argument.ValueOneofCase.Extent32 => [a.Extent32],
            Argument.ValueOneofCase.Extent64 => [a.Extent64],
            Argument.ValueOneofCase.Map => a.Map.Extents.Concat(a.Map.Strides).Append(a.Map.Address.Offset),
            _ => Enumerable.Empty<uint>(),
        })),
        PlanLaunch.CallOneofCase.Library => launch.Library.Extents.Concat(launch.Library.Operands.Select(o => o.Offset)),
        PlanLaunch.CallOneofCase.Copy => [launch.Copy.Bytes, launch.Copy.From.Offset, launch.Copy.To.Offset],
        _ => [launch.Fill.Bytes, launch.Fill.To.Offset],
    };

    private string[][] CollectSymbols()
    {
        List<string> names = [];
        List<string[]> result = [];
        foreach (Symbol[] symbols in Tables.SymbolsOfEpoch)
        {
            foreach (Symbol symbol in symbols) if (!names.Contains(symbol.Name)) names.Add(symbol.Name);
            result.Add([.. names]);
        }
        return [.. result];
    }

    private void CheckArchitecture(string architecture)
    {
        if (IsCompatible(architecture, Device.ComputeCapability)) return;
        string built = Plan.ComputeCapability.Length > 0 ? $"compute capability {Plan.ComputeCapability} ({architecture})" : architecture;
        throw new TrtToolsException(ErrorCode.EngineIncompatible, $"The engine '{Name}'", $"it was built for {built}, and this device is {Device.Name} (compute capability {Device.ComputeCapability / 10}.{Device.ComputeCapability % 10})",
            "", "Build the engine again on this machine");
    }

    /// <summary>Code for sm_90 runs on 9.x from 9.0 on; code for sm_90a on 9.0 alone.</summary>
    internal static bool IsCompatible(string architecture, int capability)
    {
        if (!architecture.StartsWith("sm_", StringComparison.Ordinal)) return false;
        ReadOnlySpan<char> rest = architecture.AsSpan(3);
        bool exact = rest.EndsWith("a"), family = rest.EndsWith("f");
        if (!int.TryParse(exact || family ? rest[..^1] : rest, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number)) return false;
        return exact ? number == capability : number / 10 == capability / 10 && number <= capability;
    }

    /// <summary>The first CUDA device of this machine that runs all of the plan's code; the first device where none does, so that its error names it.</summary>
    public static int FindDevice(Plan plan)
    {
        CudaDriver driver = CudaDriver.Current;
        for (int device = 0; device < driver.DeviceCount; device++)
        {
            string[] capability = driver.Describe(device).ComputeCapability.Split('.');
            int number = 10 * int.Parse(capability[0], System.Globalization.CultureInfo.InvariantCulture) + int.Parse(capability[1], System.Globalization.CultureInfo.InvariantCulture);
            if (plan.Images.All(i => IsCompatible(i.Architecture, number))) return device;
        }
        return 0;
    }

    private void LoadKernels()
    {
        int[] shared = new int[_kernels.Length], clusters = new int[_kernels.Length];
        foreach (PlanLaunch launch in Tables.Steps.SelectMany(s => s.Device?.Launches ?? []))
        {
            if (launch.Kernel is not { } call) continue;
            shared[call.Image] = Math.Max(shared[call.Image], (int)call.SharedBytes);
            clusters[call.Image] = Math.Max(clusters[call.Image], (int)call.Cluster.Aggregate(1u, (a, n) => a * n));
        }
        for (int i = 0; i < _kernels.Length; i++)
        {
            KernelImage image = Plan.Images[i];
            _kernels[i] = Device.LoadKernel(Blobs[(int)image.Blob].Bytes, image.Function, out IDisposable module);
            _modules.Add(module);
            _kernels[i].Allow(shared[i], clusters[i]);
        }
    }

    private IDeviceMemory? UploadWeights()
    {
        Dictionary<uint, long> offsets = [];
        long end = 0;
        for (int b = 0; b < Plan.Buffers.Count; b++)
        {
            Buffer buffer = Plan.Buffers[b];
            if (buffer.Kind != BufferKind.Weight || !Tables.Buffers[b].OnDevice || !offsets.TryAdd(buffer.Index, end)) continue;
            end = ArenaPlanner.Align(end + Blobs[(int)buffer.Index].ByteCount);
        }
        if (offsets.Count == 0) return null;
        IDeviceMemory memory = Device.Allocate(end);
        try
        {
            foreach ((uint blob, long offset) in offsets)
            {
                TensorData content = Blobs[(int)blob];
                for (long at = 0; at < content.ByteCount; at += UploadBytes) memory.CopyFromHost(content.Slice(at, (int)Math.Min(UploadBytes, content.ByteCount - at)), offset + at);
                GC.KeepAlive(content);
            }
        }
        catch
        {
            memory.Dispose();
            throw;
        }
        for (int b = 0; b < Plan.Buffers.Count; b++)
        {
            if (Plan.Buffers[b].Kind == BufferKind.Weight && offsets.TryGetValue(Plan.Buffers[b].Index, out long offset)) _weightAddresses[b] = memory.Address + (ulong)offset;
        }
        return memory;
    }

    private IHostStep CreateHostStep(HostStep step, CancellationToken stop) => HostSteps.Find(step.Kind, Name).Create(new HostStepRequest
    {
        Name = Name, Model = Blobs[(int)step.Model], Weights = step.Weights.ToDictionary(w => w.Name, w => Blobs[(int)w.Blob], StringComparer.Ordinal), Outputs = [.. step.Outputs],
        Settings = step.Settings.ToDictionary(s => s.Key, s => s.Value, StringComparer.Ordinal),
    }, stop);
}
