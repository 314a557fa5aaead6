using System.Globalization;
using TrtTools.Engines.Proto;
using TrtTools.Tensors;
using Buffer = TrtTools.Engines.Proto.Buffer;
using PlanLaunch = TrtTools.Engines.Proto.Launch;

namespace TrtTools.Engines;

/// <summary>Reads a device plan's tables. A plan may come from anywhere, so nothing in it is believed.</summary>
internal sealed class PlanReader(Plan plan, IReadOnlyList<TensorData> blobs, string subject)
{
    /// <summary>What the driver takes as parameters of one kernel.</summary>
    private const int MaxParameterBytes = 32_764;
    private const int MaxBlockThreads = 1024, MaxClusterBlocks = 16, MaxSharedBytes = 1 << 20, MaxRank = 64;

    private readonly DimExpr[] _extents = new DimExpr[plan.Extents.Count];
    private readonly int[] _extentEpochs = new int[plan.Extents.Count];
    private readonly BufferUse[] _uses = new BufferUse[plan.Buffers.Count];
    private readonly List<PlanStep> _steps = [];
    private readonly List<List<Symbol>> _symbolsOfEpoch = [[]];

    public PlanTables Read()
    {
        for (int i = 0; i < _extents.Length; i++)
        {
            try
            {
                _extents[i] = DimExpr.Parse(plan.Extents[i]);
            }
            catch (FormatException e)
            {
                throw EngineReader.Corrupt(subject, $"extent {i} cannot be read ({e.Message.TrimEnd('.')})", e);
            }
        }
        int[] inputs = Bindings(BufferKind.Input, plan.Inputs, required: false), outputs = Bindings(BufferKind.Output, plan.Outputs, required: true);
        CheckBuffers();
        foreach (KernelImage image in plan.Images)
        {
            Need(image.Blob < blobs.Count && image.Source <= blobs.Count, "a kernel's code lies in a blob that is not there");
            Need(image.Function.Length > 0 && image.Architecture.Length > 0, "a kernel has no name or no architecture");
        }
        ReadSteps();
        ReadEpochs();
        CheckUses();
        return new PlanTables
        {
            Extents = _extents, ExtentEpochs = _extentEpochs, Steps = [.. _steps], EpochCount = _symbolsOfEpoch.Count, SymbolsOfEpoch = [.. _symbolsOfEpoch.Select(s => s.ToArray())], Buffers = _uses, Inputs = inputs, Outputs = outputs,
        };
    }

    private int[] Bindings(BufferKind kind, IReadOnlyList<TensorInfo> tensors, bool required)
    {
        int[] found = new int[tensors.Count];
        Array.Fill(found, -1);
        for (int b = 0; b < plan.Buffers.Count; b++)
        {
            Buffer buffer = plan.Buffers[b];
            if (buffer.Kind != kind) continue;
            Need(buffer.Index < tensors.Count && found[buffer.Index] < 0, $"buffer {b} is of no input or output, or of one that has a buffer");
            TensorInfo tensor = tensors[(int)buffer.Index];
            Need(buffer.DataType == tensor.DataType && !tensor.AnyRank && buffer.Shape.Count == tensor.Shape.Count, $"buffer {b} has another type or rank than '{tensor.Name}'");
            found[buffer.Index] = b;
        }
        if (required) Need(!found.Contains(-1), "an output has no buffer");
        return found;
    }

    private void CheckBuffers()
    {
        for (int b = 0; b < plan.Buffers.Count; b++)
        {
            Buffer buffer = plan.Buffers[b];
            Need(Enum.IsDefined(buffer.Kind) && Enum.IsDefined((DataType)buffer.DataType) && buffer.DataType != 0, $"buffer {b} is of an unknown kind or type");
            CheckExtent(buffer.Bytes);
            Need(buffer.Shape.Count <= MaxRank, $"buffer {b} has {buffer.Shape.Count} dimensions");
            foreach (uint extent in buffer.Shape) CheckExtent(extent);
            if (buffer.Kind == BufferKind.Weight) Need(buffer.Index < blobs.Count, $"weight {b} lies in a blob that is not there");
            _uses[b] = new BufferUse { First = -1, Last = -1 };
        }
    }

    private void ReadSteps()
    {
        int time = 0, epoch = 0;
        foreach (Step step in plan.Body?.Steps ?? [])
        {
            switch (step.KindCase)
            {
                case Step.KindOneofCase.Device:
                    _steps.Add(new PlanStep(step.Device, null, epoch, epoch, time));
                    foreach (PlanLaunch launch in step.Device.Launches) ReadLaunch(launch, time++);
                    ExtendOverlaps(step.Device, _steps[^1].FirstTime);
                    break;
                case Step.KindOneofCase.Host:
                    int after = ReadHostStep(step.Host, time, epoch);
                    _steps.Add(new PlanStep(null, step.Host, epoch, after, time++));
                    epoch = after;
                    break;
                default:
                    throw EngineReader.Incompatible(subject, "its plan holds a step of an unknown kind", "Device segments and host steps");
            }
        }
    }

    private void ReadLaunch(PlanLaunch launch, int time)
    {
        for (int i = 0; i < launch.Profiles.Count; i++) Need(launch.Profiles[i] < plan.Profiles.Count && (i == 0 || launch.Profiles[i] > launch.Profiles[i - 1]), $"launch '{launch.Name}' is for a profile that is not there");
        HashSet<uint> named = [.. launch.Reads, .. launch.Writes];
        foreach (uint b in named)
        {
            Need(b < plan.Buffers.Count, $"launch '{launch.Name}' names a buffer that is not there");
            Need(plan.Buffers[(int)b].DataType != (int)DataType.String, $"launch '{launch.Name}' reads or writes strings");
        }
        foreach (uint b in launch.Writes)
        {
            Need(plan.Buffers[(int)b].Kind is BufferKind.Scratch or BufferKind.Output, $"launch '{launch.Name}' writes to an input or a weight");
        }
        foreach (uint b in launch.Reads) Use(b, time, write: launch.Writes.Contains(b), launch.Name, onDevice: true);
        foreach (uint b in launch.Writes) Use(b, time, write: true, launch.Name, onDevice: true);
        switch (launch.CallCase)
        {
            case PlanLaunch.CallOneofCase.Kernel: CheckKernel(launch, launch.Kernel, named); break;
            case PlanLaunch.CallOneofCase.Library:
                Need(launch.Library.Library.Length > 0 && launch.Library.WorkspaceBytes <= long.MaxValue, $"launch '{launch.Name}' calls no library");
                foreach (Address operand in launch.Library.Operands) CheckAddress(launch, operand, named);
                foreach (uint extent in launch.Library.Extents) CheckExtent(extent);
                Need(AreDistinct(launch.Library.Settings.Select(s => s.Key)), $"launch '{launch.Name}' has a setting twice");
                break;
            case PlanLaunch.CallOneofCase.Copy:
                CheckAddress(launch, launch.Copy.From, named);
                CheckAddress(launch, launch.Copy.To, named);
                CheckExtent(launch.Copy.Bytes);
                Need(launch.Writes.Contains(launch.Copy.To.Buffer), $"launch '{launch.Name}' copies to a buffer that it does not write");
                break;
            case PlanLaunch.CallOneofCase.Fill:
                CheckAddress(launch, launch.Fill.To, named);
                CheckExtent(launch.Fill.Bytes);
                Need(launch.Fill.Value <= byte.MaxValue && launch.Writes.Contains(launch.Fill.To.Buffer), $"launch '{launch.Name}' fills a buffer that it does not write");
                break;
            default: throw EngineReader.Incompatible(subject, $"its launch '{launch.Name}' makes a call of an unknown kind", "Kernels, library calls, copies and fills");
        }
    }

    private void CheckKernel(PlanLaunch launch, KernelCall call, HashSet<uint> named)
    {
        Need(call.Image < plan.Images.Count, $"launch '{launch.Name}' runs a kernel that is not there");
        Need(call.Grid.Count == 3 && call.Block.Count == 3 && call.Cluster.Count is 0 or 3, $"launch '{launch.Name}' has no grid or no block");
        Need(call.Block.All(n => n is > 0 and <= MaxBlockThreads) && call.Block.Aggregate(1L, (a, n) => a * n) <= MaxBlockThreads, $"launch '{launch.Name}' has blocks of a size that does not exist");
        Need(call.Cluster.All(n => n is > 0 and <= MaxClusterBlocks) && call.Cluster.Aggregate(1L, (a, n) => a * n) <= MaxClusterBlocks, $"launch '{launch.Name}' has clusters of a size that does not exist");
        Need(call.SharedBytes <= MaxSharedBytes, $"launch '{launch.Name}' asks for more shared memory than there is");
        foreach (uint extent in call.Grid) CheckExtent(extent);
        int bytes = 0;
        foreach (Argument argument in call.Arguments)
        {
            switch (argument.ValueCase)
            {
                case Argument.ValueOneofCase.Address: CheckAddress(launch, argument.Address, named); bytes += 8; break;
                case Argument.ValueOneofCase.Extent32: CheckExtent(argument.Extent32); bytes += 4; break;
                case Argument.ValueOneofCase.Extent64: CheckExtent(argument.Extent64); bytes += 8; break;
                case Argument.ValueOneofCase.Float32: bytes += 4; break;
                case Argument.ValueOneofCase.Map: CheckMap(launch, argument.Map, named); bytes += 128; break;
                default: throw EngineReader.Incompatible(subject, $"its launch '{launch.Name}' has an argument of an unknown kind", "Addresses, extents, numbers and tensor maps");
            }
        }
        Need(bytes <= MaxParameterBytes, $"launch '{launch.Name}' has more arguments than a kernel can");
    }

    private void CheckMap(PlanLaunch launch, TensorMap map, HashSet<uint> named)
    {
        CheckAddress(launch, map.Address, named);
        int rank = map.Extents.Count;
        bool shape = rank is >= 1 and <= 5 && map.Strides.Count == rank - 1 && map.ElementStrides.Count is 0 || map.ElementStrides.Count == rank && map.Strides.Count == rank - 1 && rank is >= 1 and <= 5;
        bool load = map.Im2Col ? rank >= 3 && map.LowerCorner.Count == rank - 2 && map.UpperCorner.Count == rank - 2 : map.Box.Count == rank;
        Need(shape && load && map.SwizzleBytes is 0 or 32 or 64 or 128 && Enum.IsDefined((DataType)map.DataType), $"launch '{launch.Name}' has a tensor map that does not exist");
        foreach (uint extent in map.Extents.Concat(map.Strides)) CheckExtent(extent);
    }

    private void CheckAddress(PlanLaunch launch, Address? address, HashSet<uint> named)
    {
        Need(address is not null && address.Buffer < plan.Buffers.Count && named.Contains(address.Buffer), $"launch '{launch.Name}' has an address in a buffer that it neither reads nor writes");
        CheckExtent(address!.Offset);
    }

    private int ReadHostStep(HostStep step, int time, int epoch)
    {
        Need(step.Model < blobs.Count && step.Weights.All(w => w.Blob < blobs.Count), "a host step's model or weight lies in a blob that is not there");
        Need(step.InputBuffers.Count == step.Inputs.Count && step.OutputBuffers.Count == step.Outputs.Count, "a host step has other buffers than inputs and outputs");
        Need(step.InputShapes.Count == 0 || step.InputShapes.Count == step.Inputs.Count, "a host step has other shapes than inputs");
        foreach (Shape shape in step.InputShapes)
        {
            Need(shape.Extents.Count <= MaxRank, "a host step's input has too many dimensions");
            foreach (uint extent in shape.Extents) CheckExtent(extent);
        }
        Need(AreDistinct(step.Settings.Select(s => s.Key)) && AreDistinct(step.Weights.Select(w => w.Name)) && AreDistinct(step.Inputs), "a host step has a setting, a weight or an input twice");
        foreach (uint b in step.InputBuffers.Concat(step.OutputBuffers)) Need(b < plan.Buffers.Count, "a host step names a buffer that is not there");
        foreach (uint b in step.InputBuffers) Use(b, time, write: false, "a host step", onDevice: false);
        foreach (uint b in step.OutputBuffers)
        {
            Need(plan.Buffers[(int)b].Kind is BufferKind.Scratch or BufferKind.Output, "a host step writes to an input or a weight");
            Use(b, time, write: true, "a host step", onDevice: false);
        }
        List<Symbol> bound = [.. plan.Symbols.Where(s => step.OutputBuffers.Contains(s.Buffer))];
        if (bound.Count == 0) return epoch;
        _symbolsOfEpoch.Add(bound);
        return epoch + 1;
    }

    private void Use(uint buffer, int time, bool write, string who, bool onDevice)
    {
        ref BufferUse use = ref _uses[buffer];
        if (use.First < 0)
        {
            Need(write || plan.Buffers[(int)buffer].Kind is BufferKind.Input or BufferKind.Weight, $"'{who}' reads buffer {buffer} ('{plan.Buffers[(int)buffer].Name}') before anything was written to it");
            use.First = time;
        }
        use.Last = time;
        use.OnDevice |= onDevice;
    }

    /// <summary>A launch that starts while its predecessor ends must not be given that one's memory.</summary>
    private void ExtendOverlaps(DeviceSegment segment, int firstTime)
    {
        for (int i = 1; i < segment.Launches.Count; i++)
        {
            if (segment.Launches[i].Kernel is not { Programmatic: true }) continue;
            // What is for some profiles only leaves another predecessor to the others.
            for (int j = i - 1; j >= 0; j--)
            {
                PlanLaunch before = segment.Launches[j];
                foreach (uint b in before.Reads.Concat(before.Writes)) _uses[b].Last = Math.Max(_uses[b].Last, firstTime + i);
                if (before.Profiles.Count == 0) break;
            }
        }
    }

    private void ReadEpochs()
    {
        Dictionary<string, int> epochs = new(StringComparer.Ordinal);
        foreach (Symbol symbol in plan.Symbols)
        {
            Need(symbol.Buffer < plan.Buffers.Count && symbol.Axis < plan.Buffers[(int)symbol.Buffer].Shape.Count, $"symbol '{symbol.Name}' is an axis that is not there");
            if (plan.Buffers[(int)symbol.Buffer].Kind == BufferKind.Input) _symbolsOfEpoch[0].Add(symbol);
        }
        for (int epoch = 0; epoch < _symbolsOfEpoch.Count; epoch++)
        {
            foreach (Symbol symbol in _symbolsOfEpoch[epoch]) epochs.TryAdd(symbol.Name, epoch);
        }
        for (int i = 0; i < _extents.Length; i++)
        {
            foreach (string name in _extents[i].Symbols)
            {
                Need(epochs.TryGetValue(name, out int epoch), $"extent '{_extents[i]}' depends on a symbol that nothing binds");
                _extentEpochs[i] = Math.Max(_extentEpochs[i], epoch);
            }
        }
        for (int b = 0; b < _uses.Length; b++)
        {
            Buffer buffer = plan.Buffers[b];
            _uses[b].Epoch = _extentEpochs[buffer.Bytes];
            if (buffer.Kind is BufferKind.Input or BufferKind.Weight) Need(_uses[b].Epoch == 0 && buffer.Shape.All(s => _extentEpochs[s] == 0), $"the size of buffer {b} is known too late");
        }
    }

    /// <summary>Every extent of a step is known when the step starts.</summary>
    private void CheckUses()
    {
        foreach (PlanStep step in _steps)
        {
            foreach (PlanLaunch launch in step.Device?.Launches ?? [])
            {
                int epoch = launch.Reads.Concat(launch.Writes).Select(b => _uses[b].Epoch).Concat(ExtentsOf(launch).Select(e => _extentEpochs[e])).DefaultIfEmpty().Max();
                Need(epoch <= step.Epoch, $"launch '{launch.Name}' needs an extent that is not known yet");
            }
            if (step.Host is not { } host) continue;
            Need(host.InputBuffers.All(b => Math.Max(_uses[b].Epoch, EpochOfShape(b)) <= step.Epoch) && host.InputShapes.All(s => s.Extents.All(e => _extentEpochs[e] <= step.Epoch)) && host.OutputBuffers.All(b => Math.Max(_uses[b].Epoch, EpochOfShape(b)) <= step.EpochAfter), "a host step needs an extent that is not known yet");
        }
        int last = _symbolsOfEpoch.Count - 1;
        for (int b = 0; b < _uses.Length; b++)
        {
            if (plan.Buffers[b].Kind == BufferKind.Output) Need(_uses[b].First >= 0 && EpochOfShape((uint)b) <= last, $"nothing writes the output '{plan.Buffers[b].Name}'");
        }
    }

    private static bool AreDistinct(IEnumerable<string> names)
    {
        HashSet<string> seen = new(StringComparer.Ordinal);
        return names.All(seen.Add);
    }

    private int EpochOfShape(uint buffer) => plan.Buffers[(int)buffer].Shape.Select(e => _extentEpochs[e]).DefaultIfEmpty().Max();

    private static IEnumerable<uint> ExtentsOf(PlanLaunch launch) => launch.CallCase switch
    {
        PlanLaunch.CallOneofCase.Kernel => launch.Kernel.Grid.Concat(launch.Kernel.Arguments.SelectMany(ExtentsOf)),
        PlanLaunch.CallOneofCase.Library => launch.Library.Extents.Concat(launch.Library.Operands.Select(o => o.Offset)),
        PlanLaunch.CallOneofCase.Copy => [launch.Copy.Bytes, launch.Copy.From.Offset, launch.Copy.To.Offset],
        PlanLaunch.CallOneofCase.Fill => [launch.Fill.Bytes, launch.Fill.To.Offset],
        _ => [],
    };

    private static IEnumerable<uint> ExtentsOf(Argument argument) => argument.ValueCase switch
    {
        Argument.ValueOneofCase.Address => [argument.Address.Offset],
        Argument.ValueOneofCase.Extent32 => [argument.Extent32],
        Argument.ValueOneofCase.Extent64 => [argument.Extent64],
        Argument.ValueOneofCase.Map => [argument.Map.Address.Offset, .. argument.Map.Extents, .. argument.Map.Strides],
        _ => [],
    };

    private void CheckExtent(uint extent) => Need(extent < _extents.Length, string.Create(CultureInfo.InvariantCulture, $"it names extent {extent} of {_extents.Length}"));

    private void Need(bool good, string found)
    {
        if (!good) throw EngineReader.Corrupt(subject, $"its plan is not consistent: {found}");
    }
}
