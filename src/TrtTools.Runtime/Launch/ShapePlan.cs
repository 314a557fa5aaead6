using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using Buffer = TrtTools.Engines.Proto.Buffer;
using PlanLaunch = TrtTools.Engines.Proto.Launch;

namespace TrtTools.Launch;

/// <summary>One epoch of a program for one set of symbol values, ready to run: launches prepared, graphs captured. It can be moved to other values, with its graphs.</summary>
internal sealed class ShapePlan : IDisposable
{
    /// <summary>Sets of addresses whose graphs are kept.</summary>
    private const int MaxBindings = 4;
    private const double MaxBias = 1L << 46;
    private const long MaxGrid = int.MaxValue, MaxGridYZ = 65_535;

    private readonly DeviceProgram _program;
    private readonly Dictionary<PlanStep, PreparedLaunch[]> _launches = [];
    private readonly Dictionary<PlanStep, int[]> _changed = [];
    private readonly List<AddressBinding> _bindings = [];
    private readonly ulong[] _patchedFor;
    private bool _isPatched;

    /// <param name="layout">For the symbols' values.</param>
    public ShapePlan(DeviceProgram program, int epoch, ShapeLayout layout, long[] key, Func<string, ILibraryAdapter> libraries)
    {
        _program = program;
        Key = key;
        PlanTables tables = program.Tables;
        Layout = layout;
        _patchedFor = new ulong[tables.Buffers.Length];
        try
        {
            foreach (PlanStep step in tables.Steps)
            {
                if (step.Epoch == epoch && step.Device is { } segment) _launches.Add(step, Prepare(segment, libraries));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Values of the symbols, in the program's order.</summary>
    public long[] Key { get; private set; }

    public ShapeLayout Layout { get; private set; }

    /// <summary>How often it was moved.</summary>
    public int Version { get; private set; }

    /// <summary>Runs since it was made or moved.</summary>
    public int Uses { get; private set; }

    public IReadOnlyList<PreparedLaunch> LaunchesOf(PlanStep step) => _launches[step];

    /// <summary>What was kept for these addresses, or a new entry. Counts the use.</summary>
    /// <param name="waitForAll">Called before graphs are let go, which may still run.</param>
    public AddressBinding Bind(ReadOnlySpan<ulong> addresses, Action waitForAll)
    {
        Uses++;
        for (int i = 0; i < _bindings.Count; i++)
        {
            AddressBinding found = _bindings[i];
            if (!found.Addresses.AsSpan().SequenceEqual(addresses)) continue;
            if (i > 0)
            {
                _bindings.RemoveAt(i);
                _bindings.Insert(0, found);
            }
            found.Uses++;
            return found;
        }
        if (_bindings.Count == MaxBindings)
        {
            waitForAll();
            _bindings[^1].Dispose();
            _bindings.RemoveAt(MaxBindings - 1);
        }
        AddressBinding binding = new(addresses.ToArray()) { Uses = 1 };
        _bindings.Insert(0, binding);
        return binding;
    }

    /// <summary>Lets all launches take over the addresses, where they have changed.</summary>
    public void Patch(ReadOnlySpan<ulong> addresses)
    {
        if (_isPatched && _patchedFor.AsSpan().SequenceEqual(addresses)) return;
        addresses.CopyTo(_patchedFor);
        _isPatched = true;
        foreach (PreparedLaunch[] launches in _launches.Values)
        {
            foreach (PreparedLaunch launch in launches)
            {
                try
                {
                    launch.Patch(_program.Device, _patchedFor);
                }
                catch (TrtToolsException e)
                {
                    _isPatched = false;
                    throw DeviceErrors.In(_program, launch.Source, e);
                }
            }
        }
    }

    /// <summary>Makes it the plan of other symbol values: launches that they do not touch stay as they are. False, and nothing is changed, where something else than the arguments and grids of kernels would change.</summary>
    public bool TryMove(ShapeLayout layout, long[] key)
    {
        ShapeLayout before = Layout;
        if (layout.Profile != before.Profile) return false;
        List<(PreparedLaunch[] Launches, int[] Changed, int Index, PreparedKernel Launch)> moved = [];
        Layout = layout;
        try
        {
            foreach ((PlanStep step, PreparedLaunch[] launches) in _launches)
            {
                uint[][] extents = _program.ExtentsOf(step);
                if (!_changed.TryGetValue(step, out int[]? changed)) _changed.Add(step, changed = new int[launches.Length]);
                for (int i = 0; i < launches.Length; i++)
                {
                    if (launches[i] is PreparedNothing || !Differs(extents[i], before, layout)) continue;
                    if (launches[i] is not PreparedKernel old) return Undo();
                    PreparedKernel made = PrepareKernel(old.Source, old.Source.Kernel, afterKernel: old.Shape.Programmatic);
                    moved.Add((launches, changed, i, made));
                    if (made.Shape.IsEmpty != old.Shape.IsEmpty) return Undo();
                }
            }
        }
        catch
        {
            Undo();
            throw;
        }
        Version++;
        Uses = 0;
        Key = key;
        foreach ((PreparedLaunch[] launches, int[] changed, int index, PreparedKernel launch) in moved)
        {
            launches[index].Dispose();
            launches[index] = launch;
            changed[index] = Version;
        }
        // The new ones have no addresses yet.
        if (moved.Count > 0) _isPatched = false;
        return true;

        bool Undo()
        {
            foreach ((_, _, _, PreparedKernel launch) in moved) launch.Dispose();
            Layout = before;
            return false;
        }
    }

    private static bool Differs(uint[] extents, ShapeLayout before, ShapeLayout after)
    {
        foreach (uint extent in extents) if (before[extent] != after[extent]) return true;
        return false;
    }

    /// <summary>Brings a captured graph up to the plan's symbol values; its launches are patched. False where a launch can't be changed in it.</summary>
    public bool TryUpdate(CapturedGraph captured, PlanStep step)
    {
        if (captured.Version == Version) return true;
        PreparedLaunch[] launches = _launches[step];
        int[] changed = _changed[step];
        for (int i = 0; i < launches.Length; i++) if (changed[i] > captured.Version && captured.Nodes[i] == 0 && launches[i] is PreparedKernel { Shape.IsEmpty: false }) return false;
        try
        {
            for (int i = 0; i < launches.Length; i++)
            {
                if (changed[i] > captured.Version && launches[i] is PreparedKernel { Shape.IsEmpty: false } kernel) kernel.Set(captured.Graph, captured.Nodes[i]);
            }
        }
        catch (TrtToolsException)
        {
            // It is captured again.
            return false;
        }
        captured.Version = Version;
        return true;
    }

    /// <summary>Drops every graph, since the memory they use is about to go.</summary>
    public void Forget()
    {
        foreach (AddressBinding binding in _bindings) binding.Dispose();
        _bindings.Clear();
    }

    public void Dispose()
    {
        Forget();
        foreach (PreparedLaunch[] launches in _launches.Values)
        {
            foreach (PreparedLaunch? launch in launches) launch?.Dispose();
        }
        _launches.Clear();
    }

    private PreparedLaunch[] Prepare(DeviceSegment segment, Func<string, ILibraryAdapter> libraries)
    {
        PreparedLaunch[] launches = new PreparedLaunch[segment.Launches.Count];
        try
        {
            bool afterKernel = false;
            for (int i = 0; i < launches.Length; i++)
            {
                PlanLaunch launch = segment.Launches[i];
                if (launch.Profiles.Count > 0 && !launch.Profiles.Contains((uint)Layout.Profile))
                {
                    launches[i] = new PreparedNothing(launch);
                    continue;
                }
                launches[i] = launch.CallCase switch
                {
                    PlanLaunch.CallOneofCase.Kernel => PrepareKernel(launch, launch.Kernel, afterKernel),
                    PlanLaunch.CallOneofCase.Library => PrepareLibrary(launch, launch.Library, libraries),
                    PlanLaunch.CallOneofCase.Copy => PrepareCopy(launch, launch.Copy),
                    _ => PrepareFill(launch, launch.Fill),
                };
                // Only a kernel of ours lets its successor start early; a launch that is left out lets nothing start.
                afterKernel = launches[i] is PreparedKernel { Shape.IsEmpty: false };
            }
        }
        catch
        {
            foreach (PreparedLaunch? launch in launches) launch?.Dispose();
            throw;
        }
        return launches;
    }

    private PreparedKernel PrepareKernel(PlanLaunch launch, KernelCall call, bool afterKernel)
    {
        long x = Layout[call.Grid[0]], y = Layout[call.Grid[1]], z = Layout[call.Grid[2]];
        if (x is < 0 or > MaxGrid || y is < 0 or > MaxGridYZ || z is < 0 or > MaxGridYZ) throw Bad(launch, $"its grid would be {x}×{y}×{z}", $"At most {MaxGrid}×{MaxGridYZ}×{MaxGridYZ}");
        LaunchShape shape = new((uint)x, (uint)y, (uint)z, call.Block[0], call.Block[1], call.Block[2])
        {
            ClusterX = call.Cluster.Count > 0 ? call.Cluster[0] : 1, ClusterY = call.Cluster.Count > 0 ? call.Cluster[1] : 1, ClusterZ = call.Cluster.Count > 0 ? call.Cluster[2] : 1,
            SharedBytes = call.SharedBytes, Programmatic = call.Programmatic && afterKernel,
        };
        KernelArguments arguments = new([.. call.Arguments.Select(a => a.ValueCase switch
        {
            Argument.ValueOneofCase.Address => KernelArgumentKind.Address,
            Argument.ValueOneofCase.Extent32 => KernelArgumentKind.Int32,
            Argument.ValueOneofCase.Extent64 => KernelArgumentKind.Int64,
            Argument.ValueOneofCase.Float32 => KernelArgumentKind.Float32,
            _ => KernelArgumentKind.TensorMap,
        })]);
        List<(int, BufferPlace)> places = [];
        List<PreparedMap> maps = [];
        for (int i = 0; i < call.Arguments.Count; i++)
        {
            Argument argument = call.Arguments[i];
            switch (argument.ValueCase)
            {
                case Argument.ValueOneofCase.Address: places.Add((i, BaseOf(launch, argument.Address))); break;
                case Argument.ValueOneofCase.Extent32:
                    long value = Layout[argument.Extent32];
                    if (value is < int.MinValue or > int.MaxValue) throw Bad(launch, $"an extent is {value:N0}", "A number of 32 bits");
                    arguments.Set(i, (int)value);
                    break;
                case Argument.ValueOneofCase.Extent64: arguments.Set(i, Layout[argument.Extent64]); break;
                case Argument.ValueOneofCase.Float32: arguments.Set(i, argument.Float32); break;
                // A launch without blocks runs nothing, and the copy engine takes no extent of 0.
                case Argument.ValueOneofCase.Map when !shape.IsEmpty: maps.Add(PrepareMap(launch, i, argument.Map)); break;
            }
        }
        return new PreparedKernel(launch, _program.KernelOf(call.Image), shape, arguments, [.. places], [.. maps]);
    }

    private PreparedMap PrepareMap(PlanLaunch launch, int argument, TensorMap map)
    {
        ulong[] extents = [.. map.Extents.Select(e => Positive(launch, Layout[e]))], strides = [.. map.Strides.Select(e => Positive(launch, Layout[e]))];
        long bytes;
        try
        {
            bytes = Tensors.DataTypes.ByteCount((Tensors.DataType)map.DataType, (long)extents[0]);
            for (int i = 1; i < extents.Length; i++) bytes = checked(bytes + (long)(extents[i] - 1) * (long)strides[i - 1]);
        }
        catch (OverflowException)
        {
            bytes = long.MaxValue;
        }
        return new PreparedMap(argument, PlaceOf(launch, map.Address, bytes), map, extents, strides);
    }

    private PreparedLibraryCall PrepareLibrary(PlanLaunch launch, LibraryCall call, Func<string, ILibraryAdapter> libraries)
    {
        BufferPlace[] operands = [.. call.Operands.Select((o, i) => PlaceOf(launch, o, call.WorkspaceBytes > 0 && i == call.Operands.Count - 1 ? (long)call.WorkspaceBytes : 0))];
        IPreparedCall prepared = libraries(call.Library).Prepare(new LibraryRequest
        {
            Operation = call.Operation, Extents = [.. call.Extents.Select(e => Layout[e])], Settings = call.Settings.ToDictionary(s => s.Key, s => s.Value, StringComparer.Ordinal),
            Algorithm = call.Algorithm.Memory, Version = call.Version, WorkspaceBytes = (long)call.WorkspaceBytes, Subject = _program.Describe(launch),
        });
        return new PreparedLibraryCall(launch, prepared, operands);
    }

    private PreparedCopy PrepareCopy(PlanLaunch launch, CopyCall call)
    {
        long bytes = (long)Positive(launch, Layout[call.Bytes], orZero: true);
        return new PreparedCopy(launch, PlaceOf(launch, call.From, bytes), PlaceOf(launch, call.To, bytes), bytes);
    }

    private PreparedFill PrepareFill(PlanLaunch launch, FillCall call)
    {
        long bytes = (long)Positive(launch, Layout[call.Bytes], orZero: true);
        return new PreparedFill(launch, PlaceOf(launch, call.To, bytes), (byte)call.Value, bytes);
    }

    /// <summary>The base that a kernel counts from. It may lie outside the buffer, as that of a window over padding does: the kernel's own bounds keep what it touches inside.</summary>
    private BufferPlace BaseOf(PlanLaunch launch, Address address)
    {
        long offset = Layout[address.Offset];
        return Math.Abs((double)offset) <= MaxBias ? new BufferPlace((int)address.Buffer, offset) : throw Bad(launch, $"it would count from byte {offset:N0} of '{_program.BufferAt((int)address.Buffer).Name}'", "An address");
    }

    /// <summary>A place that lies in its buffer, with as many bytes after it.</summary>
    private BufferPlace PlaceOf(PlanLaunch launch, Address address, long bytes)
    {
        long offset = Layout[address.Offset], size = Layout.ByteCountOf((int)address.Buffer);
        if (offset < 0 || offset > size || bytes > size - offset)
        {
            throw Bad(launch, $"it would touch bytes {offset:N0} to {offset + Math.Max(0, bytes):N0} of '{_program.BufferAt((int)address.Buffer).Name}', which has {size:N0}", "Only places inside a buffer");
        }
        return new BufferPlace((int)address.Buffer, offset);
    }

    private ulong Positive(PlanLaunch launch, long value, bool orZero = false) => value > 0 || orZero && value == 0 ? (ulong)value : throw Bad(launch, $"an extent is {value:N0}", "A positive number");

    private TrtToolsException Bad(PlanLaunch launch, string found, string expected) =>
        new(ErrorCode.EngineCorrupt, _program.Describe(launch), found, expected, "Build the engine again; if it happens again, report it with the model");

}

/// <summary>One set of buffer addresses that a shape was run with, and the graphs captured for it, by segment.</summary>
internal sealed class AddressBinding(ulong[] addresses) : IDisposable
{
    public ulong[] Addresses { get; } = addresses;

    public int Uses { get; set; }

    public Dictionary<PlanStep, CapturedGraph> Graphs { get; } = [];

    public void Dispose()
    {
        foreach (CapturedGraph captured in Graphs.Values) captured.Graph.Dispose();
        Graphs.Clear();
    }
}

/// <summary>A segment's launches as a graph: what each of them became in it (0 where that is unknown), and the version of the plan that it stands for.</summary>
internal sealed class CapturedGraph(IDeviceGraph graph, nint[] nodes, int version)
{
    public IDeviceGraph Graph { get; } = graph;

    public nint[] Nodes { get; } = nodes;

    public int Version { get; set; } = version;
}

/// <summary>Says which layer an error of a device comes from.</summary>
internal static class DeviceErrors
{
    public static TrtToolsException In(DeviceProgram program, PlanLaunch launch, Exception error) =>
        new((error as TrtToolsException)?.Code ?? ErrorCode.CudaFailed, program.Describe(launch), error.Message.TrimEnd('.'), "", "", error);
}
