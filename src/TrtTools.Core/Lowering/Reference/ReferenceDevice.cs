using TrtTools.Evaluation;
using TrtTools.Tensors;

namespace TrtTools.Lowering.Reference;

/// <summary>Runs a lowered program on the CPU by what its nests say, slowly and exactly: in double or 64-bit integers, rounded where a storage is written. Scratch that is not yet
/// written, or no longer needed, holds values that show.</summary>
internal sealed class ReferenceDevice(LoweredProgram program)
{
    private readonly Dictionary<LoweredStep, HashSet<Storage>> _dying = Lifetimes(program);

    /// <summary>Outputs by name. Inputs are those of the program, in any order.</summary>
    /// <param name="after">Called when a region has run, with a way to read what is in memory then.</param>
    public IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop = default, Action<Region, Func<TensorView, TensorData>>? after = null)
    {
        ReferenceMemory memory = new();
        Dictionary<string, long> symbols = new(StringComparer.Ordinal);
        foreach (TensorView view in program.Inputs)
        {
            TensorData data = inputs[view.Storage.Name];
            memory.Write(view.Storage, data);
            Bind(view.Storage, data.Shape, symbols);
        }
        foreach (LoweredStep step in program.Steps)
        {
            stop.ThrowIfCancellationRequested();
            if (step is RegionStep { Region: { } region })
            {
                if (region.Sequence is { } sequence) Run(region, sequence, memory, symbols);
                else foreach (LoopNest nest in region.Nests) Prepare(nest, null, memory, symbols)(memory);
                after?.Invoke(region, view => memory.ToTensor(view, symbols));
            }
            else
            {
                Run((HostGraphStep)step, memory, symbols, stop);
            }
            // Poisoned, not dropped: a later reader must see that it is late.
            foreach (Storage storage in _dying[step]) memory.Poison(storage);
        }
        return program.Outputs.ToDictionary(o => o.Storage.Name, o => memory.ToTensor(o, symbols), StringComparer.Ordinal);
    }

    private void Bind(Storage storage, ReadOnlySpan<long> shape, Dictionary<string, long> symbols)
    {
        foreach (SymbolSource symbol in program.Symbols)
        {
            if (ReferenceEquals(symbol.Storage, storage)) symbols[symbol.Name] = shape[symbol.Axis];
        }
    }

    private static void Run(Region region, Axis sequence, ReferenceMemory memory, IReadOnlyDictionary<string, long> symbols)
    {
        // What a nest reads before anything wrote it is guarded by the axis being at its start.
        foreach (LoopNest nest in region.Nests)
        {
            if (!memory.Holds(nest.Target.Storage)) memory.Reserve(nest.Target.Storage, ReferenceMemory.Value(nest.Target.Storage.ElementCount, symbols));
        }
        List<Action<ReferenceMemory>> nests = [.. region.Nests.Select(n => Prepare(n, sequence, memory, symbols))];
        long count = ReferenceMemory.Value(sequence.Extent, symbols);
        for (long at = 0; at < count; at++)
        {
            memory.Sequence = at;
            foreach (Action<ReferenceMemory> nest in nests) nest(memory);
        }
    }

    private static Action<ReferenceMemory> Prepare(LoopNest nest, Axis? pinned, ReferenceMemory memory, IReadOnlyDictionary<string, long> symbols)
    {
        foreach (Storage storage in Storages.ReadBy(nest))
        {
            if (storage.Kind == StorageKind.Weight && !memory.Holds(storage)) memory.Write(storage, storage.Data!);
            else if (!memory.Holds(storage)) throw new InvalidOperationException($"Nest '{nest.Name}' reads {storage} before anything wrote it.");
        }
        if (!memory.Holds(nest.Target.Storage)) memory.Reserve(nest.Target.Storage, ReferenceMemory.Value(nest.Target.Storage.ElementCount, symbols));
        return NestCompiler.Compile(nest, symbols, pinned);
    }

    private void Run(HostGraphStep step, ReferenceMemory memory, Dictionary<string, long> symbols, CancellationToken stop)
    {
        Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
        for (int i = 0; i < step.Inputs.Count; i++)
        {
            Storage storage = step.Inputs[i].Storage;
            if (storage.Kind == StorageKind.Weight && !memory.Holds(storage)) memory.Write(storage, storage.Data!);
            inputs.Add(step.Graph.Body.Inputs[i].Name, memory.ToTensor(step.Inputs[i], symbols));
        }
        IReadOnlyDictionary<string, TensorData> outputs = ModelRunner.Run(step.Graph, inputs, stop);
        for (int i = 0; i < step.Outputs.Count; i++)
        {
            TensorData data = outputs[step.Graph.Body.Outputs[i].Name];
            memory.Write(step.Outputs[i].Storage, data);
            Bind(step.Outputs[i].Storage, data.Shape, symbols);
        }
    }

    private static Dictionary<LoweredStep, HashSet<Storage>> Lifetimes(LoweredProgram program)
    {
        Dictionary<LoweredStep, HashSet<Storage>> dying = [];
        HashSet<Storage> later = [];
        foreach (LoweredStep step in program.Steps.Reverse())
        {
            HashSet<Storage> last = [];
            foreach (Storage storage in Storages.TouchedBy(step))
            {
                if (storage.Kind == StorageKind.Scratch && later.Add(storage)) last.Add(storage);
            }
            dying.Add(step, last);
        }
        return dying;
    }
}
