using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>
/// One tactic of one region as a small plan for the shapes that are tuned for: what the region reads and its weights are inputs, what it writes are outputs, in several copies that the
/// launches take turns with, so that a run does not find in the cache what the whole network would not find there.
/// </summary>
internal sealed class TacticTrial
{
    private readonly TacticContext _context;
    private readonly Dictionary<(Storage, int), Storage> _copies = [];

    private TacticTrial(TacticContext context) => _context = context;

    public Plan Plan { get; } = new() { Revision = EngineReader.PlanRevision, Device = nameof(DeviceKind.Cuda) };

    public BlobStore Blobs { get; } = new();

    /// <summary>The storages behind the plan's inputs and outputs, by their numbers.</summary>
    public List<Storage> Inputs { get; } = [];

    public List<Storage> Outputs { get; } = [];

    public int Rounds { get; private init; }

    /// <summary>Storages that a tactic touches and that live outside it: the region's own, and weights that it packed.</summary>
    public static IReadOnlyList<(Storage Storage, bool IsWritten)> External(Region region, Tactic tactic)
    {
        HashSet<Storage> known = [.. RegionViews.Reads(region).Select(v => v.Storage), .. RegionViews.Writes(region).Select(v => v.Storage)];
        Dictionary<Storage, bool> found = [];
        List<Storage> order = [];
        foreach (PointerArgument pointer in tactic.Launches.SelectMany(l => l.Pointers))
        {
            if (!known.Contains(pointer.Storage) && pointer.Storage.Kind == StorageKind.Scratch) continue;
            if (found.TryAdd(pointer.Storage, false)) order.Add(pointer.Storage);
            found[pointer.Storage] |= pointer.Access != Access.Read;
        }
        return [.. order.Select(s => (s, found[s]))];
    }

    /// <param name="rounds">Launches of the whole tactic in one run.</param>
    /// <param name="copiesOf">How many copies of a storage there are.</param>
    public static TacticTrial Write(Region region, Tactic tactic, TacticContext context, int rounds, Func<Storage, int> copiesOf, IReadOnlyDictionary<KernelSource, CompiledSource> kernels)
    {
        TacticTrial trial = new(context) { Rounds = rounds };
        IReadOnlyList<(Storage Storage, bool IsWritten)> external = External(region, tactic);
        Dictionary<Storage, bool> written = external.ToDictionary(e => e.Storage, e => e.IsWritten);
        Dictionary<Storage, Storage> scratch = [];
        List<TacticLaunch> launches = [];
        for (int round = 0; round < rounds; round++)
        {
            int turn = round;
            foreach (TacticLaunch launch in tactic.Launches)
            {
                launches.Add(launch.Rebind(storage => written.TryGetValue(storage, out bool isWritten) ? trial.Copy(storage, turn % copiesOf(storage), isWritten)
                    : scratch.TryGetValue(storage, out Storage? known) ? known : scratch[storage] = new Storage(storage.Name, StorageKind.Scratch, storage.Type, trial.Fixed(storage.ElementCount))));
            }
        }
        // Every symbol has its value: a trial is for one shape.
        RegionStep step = new(region);
        LoweredProgram program = new()
        {
            Name = region.Name, Inputs = [.. trial.Inputs.Select(Whole)], Outputs = [.. trial.Outputs.Select(Whole)], Symbols = [], Steps = [step],
        };
        foreach (Storage input in trial.Inputs) trial.Plan.Inputs.Add(Describe(input));
        foreach (Storage output in trial.Outputs) trial.Plan.Outputs.Add(Describe(output));
        PlanWriter.Write(program, new Dictionary<RegionStep, ChosenStep> { [step] = new(step, tactic with { Launches = launches }) }, kernels, trial.Blobs, trial.Plan, trial.Fixed);
        return trial;
    }

    /// <summary>A hash of what runs: launches, shapes, kernel texts with everything they include, the compiler, a library's algorithm and version. Names and weights are no part of it.</summary>
    public static string Signature(Region region, Tactic tactic, TacticContext context, string compiler)
    {
        Dictionary<KernelSource, CompiledSource> none = [];
        foreach (KernelTacticLaunch launch in tactic.Launches.OfType<KernelTacticLaunch>()) none.TryAdd(launch.Launch.Source, new CompiledSource(launch.Launch.Source, context.Architecture, [], new KernelResources(0, 0, 0, 0, 0)));
        TacticTrial trial = Write(region, tactic, context, 1, _ => 1, none);
        foreach (Engines.Proto.Buffer buffer in trial.Plan.Buffers) buffer.Name = "";
        foreach (Engines.Proto.Launch launch in trial.Plan.Body.Steps.SelectMany(s => s.Device.Launches)) launch.Name = "";
        foreach (TensorInfo tensor in trial.Plan.Inputs.Concat(trial.Plan.Outputs)) tensor.Name = "";
        StringBuilder text = new(compiler);
        foreach (KernelSource source in none.Keys)
        {
            foreach (string name in KernelHeaders.Of(source.Text).Keys) text.Append('\n').Append(name).Append(' ').Append(KernelHeaders.DigestOf(name));
        }
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(trial.Plan.ToByteArray());
        hash.AppendData(Encoding.UTF8.GetBytes(text.ToString()));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private DimExpr Fixed(DimExpr extent) => _context.Value(extent) is { } value ? value : throw new InvalidOperationException($"The extent {extent} is known only at run time.");

    private Storage Copy(Storage storage, int copy, bool isWritten)
    {
        if (_copies.TryGetValue((storage, copy), out Storage? known)) return known;
        List<Storage> list = isWritten ? Outputs : Inputs;
        known = new Storage($"{storage.Name}/{copy}", isWritten ? StorageKind.Output : StorageKind.Input, storage.Type, Fixed(storage.ElementCount)) { Binding = list.Count };
        list.Add(known);
        _copies.Add((storage, copy), known);
        Originals.Add(known, (storage, copy));
        return known;
    }

    /// <summary>Which storage of the region a copy is of.</summary>
    public Dictionary<Storage, (Storage Storage, int Copy)> Originals { get; } = [];

    private static TensorView Whole(Storage storage) => TensorView.Dense(storage, [storage.ElementCount]);

    private static TensorInfo Describe(Storage storage)
    {
        TensorInfo info = new() { Name = storage.Name, DataType = (int)storage.Type };
        info.Shape.Add(storage.ElementCount.Value);
        info.Symbols.Add("");
        return info;
    }
}
