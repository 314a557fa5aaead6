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
    private readonly IDevice _device;
    private readonly IDeviceStream _stream;
    private readonly Dictionary<(Storage, int), IDeviceMemory> _memory = [];
    private readonly Dictionary<Storage, byte[]> _content = [];

    public TrialData(DeviceTimerOptions options, Region region, IReadOnlyList<Tactic> tactics)
    {
        (_options, _region) = (options, region);
        _device = options.Open();
        _device.MakeCurrent();
        try
        {
            _stream = _device.CreateStream();
        }
        catch
        {
            _device.Dispose();
            throw;
        }
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

    /// <summary>The tactic's outputs in one run on one copy of the data.</summary>
    public IReadOnlyList<byte[]> Run(Tactic tactic, IReadOnlyDictionary<KernelSource, CompiledSource> kernels, CancellationToken stop)
    {
        foreach (Storage output in OutputsOf(tactic)) PoisonOne(output);
        using TrialRun run = Start(tactic, kernels, 1, stop);
        run.Execute(stop);
        return [.. OutputsOf(tactic).Select(o => Read(o))];
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
        return new TrialRun(trial, _options, storage =>
        {
            (Storage original, int copy) = trial.Originals[storage];
            return MemoryOf(original, copy);
        });
    }

    private IDeviceMemory MemoryOf(Storage storage, int copy)
    {
        if (_memory.TryGetValue((storage, copy), out IDeviceMemory? known)) return known;
        byte[] content = ContentOf(storage);
        IDeviceMemory memory = _device.Allocate(content.Length);
        _memory.Add((storage, copy), memory);
        memory.CopyFromHost(content);
        return memory;
    }

    private void PoisonOne(Storage storage)
    {
        IDeviceMemory memory = MemoryOf(storage, 0);
        _stream.Fill(memory.Address, Poison, memory.ByteCount);
        _stream.Synchronize();
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

    private byte[] ContentOf(Storage storage)
    {
        if (storage.Data is { } data) return data.Bytes.ToArray();
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
        foreach (IDeviceMemory memory in _memory.Values) memory.Dispose();
        _stream.Dispose();
        _device.Dispose();
    }
}

/// <summary>A trial that is ready to run.</summary>
internal sealed class TrialRun : IDisposable
{
    private readonly DeviceProgram _program;
    private readonly DeviceContext _context;

    public TrialRun(TacticTrial trial, DeviceTimerOptions options, Func<Storage, IDeviceMemory> memory)
    {
        _program = new DeviceProgram(options.Open(), trial.Plan, trial.Blobs.Content, [], "a trial") { CreateLibrary = (library, engine) => new BorrowedAdapter(options.Library(library, engine)) };
        try
        {
            _context = _program.CreateContext();
        }
        catch
        {
            _program.Leave();
            throw;
        }
        _context.IsTimed = true;
        for (int i = 0; i < trial.Inputs.Count; i++)
        {
            IDeviceMemory place = memory(trial.Inputs[i]);
            _context.BindInput(i, place.Address, place.ByteCount, [trial.Inputs[i].ElementCount.Value]);
        }
        for (int i = 0; i < trial.Outputs.Count; i++)
        {
            IDeviceMemory place = memory(trial.Outputs[i]);
            _context.BindOutput(i, place.Address, place.ByteCount);
        }
    }

    /// <summary>One run; its milliseconds on the device.</summary>
    public double Execute(CancellationToken stop)
    {
        _context.Upload();
        _context.Execute(stop);
        _context.Synchronize();
        return _context.Times.Compute;
    }

    public void Dispose()
    {
        _context.Dispose();
        _program.Leave();
    }

    private sealed class BorrowedAdapter(ILibraryAdapter inner) : ILibraryAdapter
    {
        public string Version => inner.Version;

        public IPreparedCall Prepare(LibraryRequest request) => inner.Prepare(request);

        public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count) => inner.Candidates(request, count);

        public void Dispose() { }
    }
}
