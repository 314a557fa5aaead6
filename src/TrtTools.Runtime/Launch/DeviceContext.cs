using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Tensors;
using Buffer = TrtTools.Engines.Proto.Buffer;

namespace TrtTools.Launch;

/// <summary>Times of one run on the device, in milliseconds.</summary>
internal readonly record struct DeviceTimes(double HostToDevice, double Compute, double DeviceToHost);

/// <summary>
/// Runs a program on a stream of its own, with memory of its own. For one thread at a time. A run is <see cref="SetInput(int, TensorData)"/> or <see cref="BindInput"/> for each input,
/// then <see cref="Upload"/>, <see cref="Execute"/> and, where the host wants results, <see cref="Download"/>.
/// In steady state (shapes and addresses as before, no host steps) Upload and Execute allocate nothing, neither on the host nor on the device.
/// </summary>
internal sealed partial class DeviceContext : IDisposable
{
    /// <summary>Shape signatures whose prepared launches are kept, for each epoch.</summary>
    private const int MaxShapes = 8;

    /// <summary>Shapes that are remembered as such.</summary>
    private const int MaxSeen = 4096;

    private readonly DeviceProgram _program;
    private readonly IDeviceStream _stream;
    private readonly List<ShapePlan>[] _plans;
    private readonly ShapePlan?[] _current;
    private readonly HashSet<ulong> _seen = [];
    private readonly AddressBinding?[] _bound;
    private readonly IDeviceMemory?[] _arenas;
    private readonly ulong[] _addresses;
    private readonly BindingSlot[] _inputs, _outputs;
    private readonly TensorData?[] _hostValues;
    private readonly Dictionary<string, long> _symbols = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ILibraryAdapter> _libraries = new(StringComparer.Ordinal);
    private readonly Func<string, ILibraryAdapter> _findLibrary;
    private readonly Action _synchronize;
    private readonly IDeviceEvent[] _marks;
    private readonly HostTransfer _transfer;
    private bool _proven, _disposed, _downloading;

    internal DeviceContext(DeviceProgram program)
    {
        _program = program;
        PlanTables tables = program.Tables;
        _plans = [.. Enumerable.Range(0, tables.EpochCount).Select(_ => new List<ShapePlan>())];
        _current = new ShapePlan?[tables.EpochCount];
        _bound = new AddressBinding?[tables.EpochCount];
        _arenas = new IDeviceMemory?[tables.EpochCount];
        _addresses = new ulong[tables.Buffers.Length];
        _hostValues = new TensorData?[tables.Buffers.Length];
        for (int b = 0; b < _addresses.Length; b++) _addresses[b] = program.WeightAddress(b);
        _inputs = [.. tables.Inputs.Select((b, i) => new BindingSlot(program.Plan.Inputs[i].Name, b, b >= 0 && tables.Buffers[b].OnDevice))];
        _outputs = [.. tables.Outputs.Select((b, i) => new BindingSlot(program.Plan.Outputs[i].Name, b, tables.Buffers[b].OnDevice))];
        (_findLibrary, _synchronize) = (FindLibrary, Synchronize);
        program.Device.MakeCurrent();
        _stream = program.Device.CreateStream();
        _marks = [.. Enumerable.Range(0, 4).Select(_ => program.Device.CreateEvent())];
        _transfer = new HostTransfer(program, _stream);
    }

    public DeviceProgram Program => _program;

    public IDeviceStream Stream => _stream;

    /// <summary>Records the marks that <see cref="Times"/> needs.</summary>
    public bool IsTimed { get; set; }

    /// <summary>Why launches are not replayed as a graph; empty where they are.</summary>
    public string CaptureProblem { get; private set; } = "";

    /// <summary>Runs whose launches were replayed as graphs, for tests.</summary>
    public int GraphRuns { get; private set; }

    /// <summary>Bytes of the arenas.</summary>
    public long ArenaBytes => _arenas.Sum(a => a?.ByteCount ?? 0);

    /// <summary>An input from the host; its content must not change before <see cref="Upload"/> has returned.</summary>
    public void SetInput(int index, TensorData data) => _inputs[index].Set(data);

    /// <summary>An input that lies on the device already, whole.</summary>
    public void BindInput(int index, ulong address, long byteCount, ReadOnlySpan<long> shape) => _inputs[index].Bind(address, byteCount, shape);

    /// <summary>Where an output goes on the device; null address: to memory of this context.</summary>
    public void BindOutput(int index, ulong address, long byteCount) => _outputs[index].Bind(address, byteCount, []);

    /// <summary>An output's shape in the run that was executed last.</summary>
    public long[] OutputShape(int index) => _hostValues[_outputs[index].Buffer] is { } value ? value.Shape.ToArray() : LastPlan.Layout.ShapeOf(_outputs[index].Buffer);

    public ulong OutputAddress(int index) => _addresses[_outputs[index].Buffer];

    /// <summary>Binds the symbols, makes the shape's launches ready and copies the inputs that come from the host.</summary>
    public void Upload()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _program.Device.MakeCurrent();
        // Copies of a run that nobody waited for.
        if (_transfer.IsPending) Synchronize();
        _downloading = false;
        _symbols.Clear();
        Array.Clear(_hostValues);
        foreach (BindingSlot input in _inputs) input.RequireSet(_program.Name);
        BindSymbols(0);
        Activate(0);
        if (IsTimed) _stream.Record(_marks[0]);
        foreach (BindingSlot input in _inputs)
        {
            if (input.Host is not { } data) continue;
            if (input.Buffer < 0) continue;
            _hostValues[input.Buffer] = data;
            if (input.OnDevice) _transfer.ToDevice(input, data, _addresses[input.Buffer]);
        }
        if (IsTimed) _stream.Record(_marks[1]);
    }

    /// <summary>Queues the whole program; waits only where a host step does.</summary>
    public void Execute(CancellationToken stop)
    {
        _program.Device.MakeCurrent();
        int epoch = 0;
        bool replayed = false;
        foreach (PlanStep step in _program.Tables.Steps)
        {
            stop.ThrowIfCancellationRequested();
            if (step.Host is not null)
            {
                RunHostStep(step, stop);
                epoch = step.EpochAfter;
            }
            else
            {
                replayed |= RunSegment(step, _current[epoch]!, _bound[epoch]!);
            }
        }
        foreach (BindingSlot output in _outputs)
        {
            // What a host step gave goes to memory of the caller that no launch writes to.
            if (!output.OnDevice && output.BoundAddress != 0 && _hostValues[output.Buffer] is { } value) _transfer.ToDevice(output.Buffer, value, output.BoundAddress, LastPlan.Layout.ByteCountOf(output.Buffer));
        }
        if (replayed) GraphRuns++;
        _proven = true;
        if (IsTimed) _stream.Record(_marks[2]);
    }

    /// <summary>The outputs, copied to the host; waits for them.</summary>
    public IReadOnlyList<TensorData> Download()
    {
        _program.Device.MakeCurrent();
        _downloading = true;
        foreach (BindingSlot output in _outputs)
        {
            output.Host = _hostValues[output.Buffer];
            if (output.Host is not null) continue;
            _transfer.QueueToHost(output, _addresses[output.Buffer], LastPlan.Layout.DenseBytes(output.Buffer, LastPlan.Layout.ShapeOf(output.Buffer)));
        }
        if (IsTimed) _stream.Record(_marks[3]);
        Synchronize();
        TensorData[] results = new TensorData[_outputs.Length];
        for (int i = 0; i < results.Length; i++)
        {
            BindingSlot output = _outputs[i];
            results[i] = output.Host ?? _transfer.Take(output, (DataType)_program.BufferAt(output.Buffer).DataType, LastPlan.Layout.ShapeOf(output.Buffer));
        }
        return results;
    }

    /// <summary>Times of the last run; to read when it is done.</summary>
    public DeviceTimes Times => new(_marks[1].MillisecondsSince(_marks[0]), _marks[2].MillisecondsSince(_marks[1]), _downloading ? _marks[3].MillisecondsSince(_marks[2]) : 0);

    /// <summary>Waits for everything that was queued. What failed on the device comes to light here.</summary>
    public void Synchronize()
    {
        try
        {
            _stream.Synchronize();
            _transfer.IsPending = false;
        }
        catch (TrtToolsException e)
        {
            throw new TrtToolsException(e.Code, $"The engine '{_program.Name}'", $"one of its launches failed ({e.Message.TrimEnd('.')})", "", "", e);
        }
    }

    private ShapePlan LastPlan => _current[^1] ?? throw new InvalidOperationException("Nothing was executed.");

    private void BindSymbols(int epoch)
    {
        foreach (Symbol symbol in _program.Tables.SymbolsOfEpoch[epoch])
        {
            Buffer buffer = _program.BufferAt((int)symbol.Buffer);
            ReadOnlySpan<long> shape = buffer.Kind == BufferKind.Input ? _inputs[(int)buffer.Index].Shape : _hostValues[symbol.Buffer]!.Shape;
            if (symbol.Axis >= shape.Length) throw Mismatch(buffer.Name, shape, "More dimensions");
            long value = shape[(int)symbol.Axis];
            if (_symbols.TryGetValue(symbol.Name, out long other) && other != value) throw Mismatch(buffer.Name, shape, $"{symbol.Name} to be {other}, as other inputs have it");
            _symbols[symbol.Name] = value;
        }
    }

    private TrtToolsException Mismatch(string name, ReadOnlySpan<long> shape, string expected) =>
        new(ErrorCode.ShapeMismatch, $"The engine '{_program.Name}'", $"'{name}' has the shape [{string.Join(',', shape.ToArray())}]", expected, "Correct the shape");

    /// <summary>Makes an epoch's launches ready for the symbols as they are now, and its memory.</summary>
    private void Activate(int epoch)
    {
        ShapePlan plan = FindPlan(epoch);
        _current[epoch] = plan;
        PlanTables tables = _program.Tables;
        if (_arenas[epoch] is null || _arenas[epoch]!.ByteCount < plan.Layout.ArenaBytes) GrowArena(epoch, plan.Layout.ArenaBytes);
        ulong arena = _arenas[epoch]?.Address ?? 0;
        for (int b = 0; b < _addresses.Length; b++)
        {
            if (plan.Layout.Offsets[b] >= 0) _addresses[b] = arena + (ulong)plan.Layout.Offsets[b];
        }
        if (epoch == 0) foreach (BindingSlot input in _inputs) PlaceBinding(input, plan, isInput: true);
        foreach (BindingSlot output in _outputs)
        {
            if (tables.Buffers[output.Buffer].Epoch == epoch) PlaceBinding(output, plan, isInput: false);
        }
        _bound[epoch] = plan.Bind(_addresses, _synchronize);
    }

    private void PlaceBinding(BindingSlot slot, ShapePlan plan, bool isInput)
    {
        if (slot.Buffer < 0) return;
        Buffer buffer = _program.BufferAt(slot.Buffer);
        if (isInput && !plan.Layout.HasShape(slot.Buffer, slot.Shape)) throw Mismatch(slot.Name, slot.Shape, $"[{string.Join(',', plan.Layout.ShapeOf(slot.Buffer))}]");
        if (!slot.OnDevice && slot.BoundAddress == 0) return;
        _addresses[slot.Buffer] = slot.Place(_program, _stream, plan.Layout.ByteCountOf(slot.Buffer));
    }

    private ShapePlan FindPlan(int epoch)
    {
        List<ShapePlan> plans = _plans[epoch];
        for (int i = 0; i < plans.Count; i++)
        {
            ShapePlan found = plans[i];
            if (!HasKey(found.Key, epoch)) continue;
            if (i > 0)
            {
                plans.RemoveAt(i);
                plans.Insert(0, found);
            }
            return found;
        }
        string[] names = _program.SymbolNames[epoch];
        long[] key = [.. names.Select(n => _symbols[n])];
        ShapeLayout layout = _program.LayoutOf(epoch, _symbols);
        // A shape that grows with each run never comes again: the plan of the run before goes on to the new one, with its graphs. One that was here before is worth a plan of its own.
        if (IsNew(epoch, key) && plans.Count > 0 && plans[0].Uses == 1 && plans[0].TryMove(layout, key)) return plans[0];
        if (plans.Count == MaxShapes)
        {
            // Its graphs may still run.
            Synchronize();
            plans[^1].Dispose();
            plans.RemoveAt(plans.Count - 1);
        }
        ShapePlan plan = new(_program, epoch, layout, key, _findLibrary);
        plans.Insert(0, plan);
        return plan;
    }

    /// <summary>True for values of the symbols that did not come up yet, as far as that is remembered.</summary>
    private bool IsNew(int epoch, long[] key)
    {
        ulong hash = 14695981039346656037 ^ (uint)epoch;
        foreach (long value in key) hash = (hash ^ (ulong)value) * 1099511628211;
        if (_seen.Count >= MaxSeen) _seen.Clear();
        return _seen.Add(hash);
    }

    private bool HasKey(long[] key, int epoch)
    {
        string[] names = _program.SymbolNames[epoch];
        for (int i = 0; i < key.Length; i++) if (_symbols[names[i]] != key[i]) return false;
        return true;
    }

    private void GrowArena(int epoch, long bytes)
    {
        Synchronize();
        // The old one goes first, so that both never exist at once; graphs that were captured with it go too.
        foreach (ShapePlan plan in _plans[epoch]) plan.Forget();
        _arenas[epoch]?.Dispose();
        _arenas[epoch] = null;
        if (bytes == 0) return;
        try
        {
            _arenas[epoch] = _program.Device.Allocate(Math.Max(bytes, epoch == 0 ? _program.ReservedArenaBytes : 0));
        }
        catch (TrtToolsException e) when (e.Code == ErrorCode.OutOfDeviceMemory)
        {
            throw new TrtToolsException(e.Code, $"The engine '{_program.Name}'", $"{bytes:N0} bytes of the device's memory are needed for intermediate results ({e.Message.TrimEnd('.')})", "", "", e);
        }
    }

    private ILibraryAdapter FindLibrary(string name)
    {
        if (_libraries.TryGetValue(name, out ILibraryAdapter? known)) return known;
        ILibraryAdapter adapter = _program.CreateLibrary(name, _program.Name);
        _libraries.Add(name, adapter);
        return adapter;
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _program.Device.MakeCurrent();
        try
        {
            _stream.Synchronize();
        }
        catch (TrtToolsException)
        {
            // A context that failed is let go all the same; the failure was reported by the run.
        }
        foreach (ShapePlan plan in _plans.SelectMany(p => p)) plan.Dispose();
        foreach (ILibraryAdapter adapter in _libraries.Values) adapter.Dispose();
        foreach (IDeviceMemory? arena in _arenas) arena?.Dispose();
        foreach (BindingSlot slot in _inputs.Concat(_outputs)) slot.Dispose();
        foreach (IDeviceEvent mark in _marks) mark.Dispose();
        _transfer.Dispose();
        _stream.Dispose();
        _program.Leave();
    }
}
