using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using Buffer = TrtTools.Engines.Proto.Buffer;
using PlanLaunch = TrtTools.Engines.Proto.Launch;

namespace TrtTools.Launch;

/// <summary>One epoch of a program for one set of symbol values, ready to run: launches prepared, graphs captured.</summary>
internal sealed class ShapePlan : IDisposable
{
    /// <summary>Sets of addresses whose graphs are kept.</summary>
    private const int MaxBindings = 4;
    private const double MaxBias = 1L << 46;
    private const long MaxGrid = int.MaxValue, MaxGridYZ = 65_535;

    private readonly DeviceProgram _program;
    private readonly Dictionary<PlanStep, PreparedLaunch[]> _launches = [];
    private readonly List<AddressBinding> _bindings = [];
    private readonly ulong[] _patchedFor;

    public ShapePlan(DeviceProgram program, int epoch, IReadOnlyDictionary<string, long> symbols, long[] key, Func<string, ILibraryAdapter> libraries)
    {
        _program = program;
        Key = key;
        PlanTables tables = program.Tables;
        Layout = new ShapeLayout(program.Plan, tables, program.Blobs, program.Name, epoch, symbols);
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
    public long[] Key { get; }

    public ShapeLayout Layout { get; }

    public IReadOnlyList<PreparedLaunch> LaunchesOf(PlanStep step) => _launches[step];

    /// <summary>What was kept for these addresses, or a new entry. Counts the use.</summary>
    /// <param name="waitForAll">Called before graphs are let go, which may still run.</param>
    public AddressBinding Bind(ReadOnlySpan<ulong> addresses, Action waitForAll)
    {
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
        if (_patchedFor.AsSpan().SequenceEqual(addresses)) return;
        addresses.CopyTo(_patchedFor);
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
                    Array.Clear(_patchedFor);
                    throw DeviceErrors.In(_program, launch.Source, e);
                }
            }
        }
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

    public Dictionary<PlanStep, IDeviceGraph> Graphs { get; } = [];

    public void Dispose()
    {
        foreach (IDeviceGraph graph in Graphs.Values) graph.Dispose();
        Graphs.Clear();
    }
}

/// <summary>Says which layer an error of a device comes from.</summary>
internal static class DeviceErrors
{
    public static TrtToolsException In(DeviceProgram program, PlanLaunch launch, Exception error) =>
        new((error as TrtToolsException)?.Code ?? ErrorCode.CudaFailed, program.Describe(launch), error.Message.TrimEnd('.'), "", "", error);
}
