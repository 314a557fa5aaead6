using System.Runtime.InteropServices;
using TrtTools.Cuda;
using TrtTools.Engines.Proto;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Memory and content of one region's trials: what it reads is random or the weight it is, what it writes is poisoned before every check.</summary>
internal sealed class TrialData : IDisposable
{
    /// <summary>All bits one: NaN as a float, -1 as an integer.</summary>
    private const byte Poison = 0xFF;

    private readonly DeviceTimerOptions _options;
    private readonly Region _region;
    private readonly TrialDevice _device;
    private readonly TrialLibraries _libraries;
    private readonly IDeviceStream _stream;
    private readonly Dictionary<(Storage, int), IDeviceMemory> _memory = [];
    private readonly Dictionary<Storage, byte[]> _content = [];
    private readonly List<IDeviceMemory> _kept = [];
    private DeviceComparison? _comparison;

    public TrialData(DeviceTimerOptions options, TrialDevice device, TrialLibraries libraries, Region region)
    {
        (_options, _device, _libraries, _region) = (options, device, libraries, region);
        _device.MakeCurrent();
        _stream = _device.CreateStream();
    }

    /// <summary>Whether the shapes that are tuned for are known, and the region reads nothing that made-up data could send astray.</summary>
    public static bool IsKnown(Region region, IReadOnlyList<Tactic> tactics, TacticContext context)
    {
        foreach (Storage storage in tactics.SelectMany(t => TacticTrial.External(region, t)).Select(e => e.Storage).Distinct())
        {
            if (context.Value(storage.ElementCount) is not > 0) return false;
        }
        return tactics.SelectMany(t => t.Launches).SelectMany(ExtentsOf).All(e => context.Value(e) is not null);
    }

    /// <summary>What the reference gives in a run of one round.</summary>
    public IReadOnlyList<ExpectedOutput> Expect(TrialRun run, Tactic reference, CancellationToken stop)
    {
        RunPoisoned(run, reference, stop);
        return [.. OutputsOf(reference).Select(o => new ExpectedOutput(o, Read(o)) { OnDevice = Keep(o) })];
    }

    /// <summary>Null when a run of one round gives what is expected.</summary>
    public string? Check(TrialRun run, Tactic tactic, IReadOnlyList<ExpectedOutput> expected, CancellationToken stop)
    {
        RunPoisoned(run, tactic, stop);
        return TrialComparison.Problem(_region, tactic, OutputsOf(tactic), expected, Read, e => _comparison!.Worst(e.Storage.Type, MemoryOf(e.Storage, 0).Address, e.OnDevice!.Address, e.Count, e.Scale));
    }

    private void RunPoisoned(TrialRun run, Tactic tactic, CancellationToken stop)
    {
        foreach (Storage output in OutputsOf(tactic)) PoisonOne(output);
        _stream.Synchronize();
        run.Execute(stop);
    }

    /// <summary>A copy of a large result to hold others against; null where the host does that.</summary>
    private IDeviceMemory? Keep(Storage storage)
    {
        IDeviceMemory memory = MemoryOf(storage, 0);
        if (_options.CompareOnDevice is null || memory.ByteCount < DeviceComparison.FewestBytes || !DeviceComparison.Takes(storage.Type)) return null;
        _comparison ??= new DeviceComparison(_device, _stream, _options.CompareOnDevice);
        IDeviceMemory copy = _device.Allocate(memory.ByteCount);
        _kept.Add(copy);
        _stream.CopyOnDevice(copy.Address, memory.Address, memory.ByteCount);
        _stream.Synchronize();
        return copy;
    }

    public IReadOnlyList<Storage> OutputsOf(Tactic tactic) => [.. TacticTrial.External(_region, tactic).Where(e => e.IsWritten).Select(e => e.Storage)];

    /// <summary>So many copies of the weights that they do not fit the cache; what is computed by a neighbour is found there, as in the network.</summary>
    public int CopiesFor(Tactic tactic, long cacheBytes, int most)
    {
        long weights = TacticTrial.External(_region, tactic).Where(e => e.Storage.Data is not null).Sum(e => ByteCount(e.Storage));
        return weights == 0 ? 1 : (int)Math.Clamp(((3 * cacheBytes / 2) + weights - 1) / weights, 1, most);
    }

    public TrialRun Start(Tactic tactic, IReadOnlyDictionary<KernelSource, CompiledSource> kernels, int rounds, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        int weightCopies = rounds == 1 ? 1 : CopiesFor(tactic, _options.L2Bytes, rounds);
        TacticTrial trial = TacticTrial.Write(_region, tactic, _options.Context, rounds, s => s.Data is not null ? weightCopies : rounds == 1 ? 1 : 2, kernels);
        return new TrialRun(trial, _device, _libraries, storage =>
        {
            (Storage original, int copy) = trial.Originals[storage];
            return MemoryOf(original, copy);
        });
    }

    private IDeviceMemory MemoryOf(Storage storage, int copy)
    {
        if (_memory.TryGetValue((storage, copy), out IDeviceMemory? known)) return known;
        if (copy > 0)
        {
            IDeviceMemory first = MemoryOf(storage, 0), next = _device.Allocate(first.ByteCount);
            _memory.Add((storage, copy), next);
            _stream.CopyOnDevice(next.Address, first.Address, first.ByteCount);
            _stream.Synchronize();
            return next;
        }
        ReadOnlySpan<byte> content = storage.Data is { } data ? data.Bytes : MadeUp(storage);
        IDeviceMemory memory = _device.Allocate(content.Length);
        _memory.Add((storage, copy), memory);
        memory.CopyFromHost(content);
        return memory;
    }

    private void PoisonOne(Storage storage)
    {
        IDeviceMemory memory = MemoryOf(storage, 0);
        _stream.Fill(memory.Address, Poison, memory.ByteCount);
    }

    private unsafe byte[] Read(Storage storage)
    {
        IDeviceMemory memory = MemoryOf(storage, 0);
        byte[] content = new byte[memory.ByteCount];
        fixed (byte* target = content) _stream.CopyToHost(target, memory.Address, content.Length);
        _stream.Synchronize();
        return content;
    }

    private long ByteCount(Storage storage) => storage.Type.ByteCount(_options.Context.Value(storage.ElementCount) ?? 0);

    private byte[] MadeUp(Storage storage)
    {
        if (!_content.TryGetValue(storage, out byte[]? content)) _content.Add(storage, content = RandomContent.Of(storage.Type, ByteCount(storage), (ulong)_content.Count + 1));
        return content;
    }

    private static IEnumerable<DimExpr> ExtentsOf(TacticLaunch launch) => launch switch
    {
        KernelTacticLaunch kernel => kernel.Launch.Grid.Concat(kernel.Launch.Arguments.SelectMany(a => a switch
        {
            ExtentArgument extent => [extent.Value], PointerArgument pointer => [pointer.Offset], TensorMapArgument map => [map.Offset, .. map.Extents, .. map.Strides], _ => (IEnumerable<DimExpr>)[],
        })),
        LibraryTacticLaunch library => library.Extents.Concat(library.Operands.Select(o => o.Offset)),
        CopyTacticLaunch copy => [copy.Bytes, copy.From.Offset, copy.To.Offset],
        FillTacticLaunch fill => [fill.Bytes, fill.To.Offset],
        _ => [],
    };

    public void Dispose()
    {
        _comparison?.Dispose();
        foreach (IDeviceMemory memory in _memory.Values.Concat(_kept)) memory.Dispose();
        _stream.Dispose();
    }
}
