using Google.Protobuf;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;
using Buffer = TrtTools.Engines.Proto.Buffer;

namespace TrtTools.Tactics;

/// <summary>Which tactic runs a region.</summary>
internal sealed record ChosenStep(RegionStep Step, Tactic Tactic)
{
    /// <summary>What it was chosen from; null when there was no choice.</summary>
    public RegionChoice? Choice { get; init; }
}

/// <summary>
/// Writes a lowered program with its chosen tactics as a plan. Tables are numbered in the order of first use, so equal programs and tactics give equal bytes.
/// </summary>
internal sealed class PlanWriter
{
    private readonly LoweredProgram _program;
    private readonly IReadOnlyDictionary<KernelSource, CompiledSource> _kernels;
    private readonly BlobStore _blobs;
    private readonly ExtentTable _extents;
    private readonly Dictionary<Storage, uint> _buffers = [];
    private readonly Dictionary<Storage, IReadOnlyList<DimExpr>> _shapes = [];
    private readonly Dictionary<KernelSource, uint> _images = [];
    private readonly Plan _plan;
    private readonly List<Layer> _layers = [];

    private PlanWriter(LoweredProgram program, IReadOnlyDictionary<KernelSource, CompiledSource> kernels, BlobStore blobs, Plan plan, Func<DimExpr, DimExpr>? simplify)
    {
        (_program, _kernels, _blobs, _plan, _extents) = (program, kernels, blobs, plan, new ExtentTable(simplify));
    }

    /// <summary>Fills <paramref name="plan"/>'s tables and body, and <paramref name="blobs"/>. Gives the layers, one for each step.</summary>
    /// <param name="steps">For each of the program's region steps what runs it.</param>
    /// <param name="kernels">The machine code of every kernel of the tactics.</param>
    /// <param name="simplify">What to put down instead of an extent; null: the extent itself.</param>
    public static IReadOnlyList<Layer> Write(LoweredProgram program, IReadOnlyDictionary<RegionStep, ChosenStep> steps, IReadOnlyDictionary<KernelSource, CompiledSource> kernels, BlobStore blobs, Plan plan, Func<DimExpr, DimExpr>? simplify = null) =>
        Write(program, [steps], kernels, blobs, plan, simplify);

    /// <param name="profiles">For each optimization profile, or for all shapes, what runs the program's region steps: what several profiles have in common is there once.</param>
    public static IReadOnlyList<Layer> Write(LoweredProgram program, IReadOnlyList<IReadOnlyDictionary<RegionStep, ChosenStep>> profiles, IReadOnlyDictionary<KernelSource, CompiledSource> kernels, BlobStore blobs, Plan plan, Func<DimExpr, DimExpr>? simplify = null)
    {
        PlanWriter writer = new(program, kernels, blobs, plan, simplify);
        writer.WriteBindings();
        writer.WriteSteps(profiles);
        plan.Extents.Add(writer._extents.Texts);
        plan.Blobs.Add(blobs.Table);
        return writer._layers;
    }

    private void WriteBindings()
    {
        foreach (TensorView view in _program.Inputs.Concat(_program.Outputs)) _shapes[view.Storage] = view.Shape;
        foreach (TensorView view in _program.Inputs.Concat(_program.Outputs)) BufferOf(view.Storage);
        foreach (SymbolSource source in _program.Symbols)
        {
            if (!_shapes.ContainsKey(source.Storage) && _program.Steps.OfType<HostGraphStep>().SelectMany(h => h.Outputs).FirstOrDefault(o => o.Storage == source.Storage) is { } view) _shapes[source.Storage] = view.Shape;
            _plan.Symbols.Add(new Symbol { Name = source.Name, Buffer = BufferOf(source.Storage), Axis = (uint)source.Axis });
        }
    }

    private void WriteSteps(IReadOnlyList<IReadOnlyDictionary<RegionStep, ChosenStep>> profiles)
    {
        Block body = new();
        foreach (LoweredStep step in _program.Steps)
        {
            switch (step)
            {
                case RegionStep region:
                    List<IGrouping<string, (ChosenStep Chosen, uint Profile)>> different = [.. profiles.Select((p, i) => (Chosen: p[region], Profile: (uint)i)).GroupBy(c => profiles.Count == 1 ? "" : TacticText.Of(c.Chosen.Tactic), StringComparer.Ordinal)];
                    foreach (IGrouping<string, (ChosenStep Chosen, uint Profile)> same in different) Write(body, region.Region, same.First().Chosen, different.Count == 1 ? [] : [.. same.Select(s => s.Profile)]);
                    break;
                case HostGraphStep host:
                    body.Steps.Add(new Step { Host = Write(host) });
                    break;
                default:
                    throw new InvalidOperationException($"A plan cannot hold a {step.GetType().Name} yet.");
            }
        }
        _plan.Body = body;
    }

    private void Write(Block body, Region region, ChosenStep chosen, uint[] profiles)
    {
        if (chosen.Tactic.Launches.Count == 0) return;
        if (body.Steps.LastOrDefault()?.Device is not { } segment) body.Steps.Add(new Step { Device = segment = new DeviceSegment() });
        uint number = (uint)_layers.Count;
        Layer layer = LayerFacts.Of(region, chosen);
        layer.Profiles.Add(profiles);
        _layers.Add(layer);
        foreach (TacticLaunch launch in chosen.Tactic.Launches)
        {
            Engines.Proto.Launch written = Write(launch, region, number, chosen.Tactic.Launches.Count);
            written.Profiles.Add(profiles);
            segment.Launches.Add(written);
        }
        layer.Tensors.Add(region.Values.Where(v => _buffers.ContainsKey(v.View.Storage)).Select(Write));
    }

    private Engines.Proto.Launch Write(TacticLaunch launch, Region region, uint layer, int count)
    {
        Engines.Proto.Launch result = new() { Name = count == 1 ? region.Name : $"{region.Name}/{launch.Name}", Layer = layer };
        // Each buffer once, in the order of the arguments.
        foreach (PointerArgument pointer in launch.Pointers)
        {
            uint buffer = BufferOf(pointer.Storage);
            if (pointer.Access is Access.Read or Access.ReadWrite && !result.Reads.Contains(buffer)) result.Reads.Add(buffer);
            if (pointer.Access is Access.Write or Access.ReadWrite && !result.Writes.Contains(buffer)) result.Writes.Add(buffer);
        }
        switch (launch)
        {
            case KernelTacticLaunch kernel: result.Kernel = Write(kernel.Launch); break;
            case LibraryTacticLaunch library: result.Library = Write(library); break;
            case CopyTacticLaunch copy: result.Copy = new CopyCall { From = Write(copy.From), To = Write(copy.To), Bytes = _extents.Add(copy.Bytes) }; break;
            case FillTacticLaunch fill: result.Fill = new FillCall { To = Write(fill.To), Bytes = _extents.Add(fill.Bytes), Value = fill.Value }; break;
        }
        return result;
    }

    private LayerTensor Write(LayerValue value)
    {
        LayerTensor result = new() { Buffer = _buffers[value.View.Storage], Offset = value.View.Offset.Text };
        result.Names.Add(value.Tensors);
        result.Shape.Add(value.View.Shape.Select(e => e.Text));
        result.Strides.Add(value.View.Strides.Select(e => e.Text));
        return result;
    }

    private KernelCall Write(KernelLaunch launch)
    {
        KernelCall call = new() { Image = ImageOf(launch.Source), SharedBytes = (uint)launch.SharedBytes, Programmatic = launch.Programmatic };
        for (int i = 0; i < 3; i++) call.Grid.Add(_extents.Add(i < launch.Grid.Count ? launch.Grid[i] : DimExpr.One));
        for (int i = 0; i < 3; i++) call.Block.Add(i < launch.Block.Count ? (uint)launch.Block[i] : 1);
        if (launch.Cluster.Count > 0) for (int i = 0; i < 3; i++) call.Cluster.Add(i < launch.Cluster.Count ? (uint)launch.Cluster[i] : 1);
        call.Arguments.Add(launch.Arguments.Select(Write));
        return call;
    }

    private Argument Write(KernelArgument argument) => argument switch
    {
        PointerArgument pointer => new Argument { Address = Write(pointer) },
        ExtentArgument { Wide: true } extent => new Argument { Extent64 = _extents.Add(extent.Value) },
        ExtentArgument extent => new Argument { Extent32 = _extents.Add(extent.Value) },
        FloatArgument number => new Argument { Float32 = number.Value },
        TensorMapArgument map => new Argument { Map = Write(map) },
        _ => throw new InvalidOperationException($"A plan cannot hold a {argument.GetType().Name}."),
    };

    private TensorMap Write(TensorMapArgument map)
    {
        TensorMap result = new() { Address = Write(new PointerArgument(map.Storage, map.Offset, map.Access)), DataType = (int)map.Type, SwizzleBytes = (uint)map.SwizzleBytes };
        result.Extents.Add(map.Extents.Select(_extents.Add));
        result.Strides.Add(map.Strides.Select(_extents.Add));
        result.Box.Add(map.Box.Select(b => (uint)b));
        result.ElementStrides.Add(map.ElementStrides.Select(s => (uint)s));
        if (map.Im2Col is not { } window) return result;
        result.Im2Col = true;
        result.LowerCorner.Add(window.LowerCorner);
        result.UpperCorner.Add(window.UpperCorner);
        result.ChannelsPerPixel = (uint)window.ChannelsPerPixel;
        result.PixelsPerColumn = (uint)window.PixelsPerColumn;
        return result;
    }

    private LibraryCall Write(LibraryTacticLaunch launch)
    {
        LibraryCall call = new()
        {
            Library = launch.Library, Operation = launch.Operation, Algorithm = ByteString.CopyFrom(launch.Algorithm), Version = launch.Version, WorkspaceBytes = (ulong)launch.WorkspaceBytes,
        };
        call.Operands.Add(launch.Operands.Select(Write));
        call.Extents.Add(launch.Extents.Select(_extents.Add));
        call.Settings.Add(launch.Settings.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => new Setting { Key = s.Key, Value = s.Value }));
        return call;
    }

    private HostStep Write(HostGraphStep step)
    {
        byte[] model = OrtModelPacker.Pack(step.Graph, out IReadOnlyList<KeyValuePair<string, TensorData>> weights);
        HostStep result = new() { Kind = HostSteps.OnnxRuntime, Model = (uint)_blobs.Add(model), Layer = (uint)_layers.Count };
        foreach ((string name, TensorData data) in weights) result.Weights.Add(new Weight { Name = name, Blob = (uint)_blobs.Add(data) });
        result.Inputs.Add(step.Graph.Inputs.Select(i => i.Name));
        result.Outputs.Add(step.Graph.Outputs.Select(o => o.Name));
        foreach (TensorView view in step.Inputs.Concat(step.Outputs)) _shapes.TryAdd(view.Storage, view.Shape);
        foreach (TensorView view in step.Inputs)
        {
            Shape shape = new();
            shape.Extents.Add(view.Shape.Select(_extents.Add));
            result.InputShapes.Add(shape);
        }
        result.InputBuffers.Add(step.Inputs.Select(v => BufferOf(v.Storage)));
        result.OutputBuffers.Add(step.Outputs.Select(v => BufferOf(v.Storage)));
        _layers.Add(LayerFacts.Of(step));
        return result;
    }

    private Address Write(PointerArgument pointer) => new() { Buffer = BufferOf(pointer.Storage), Offset = _extents.Add(ByteCount(pointer.Offset, pointer.Storage.Type)) };

    private uint BufferOf(Storage storage)
    {
        if (_buffers.TryGetValue(storage, out uint index)) return index;
        index = (uint)_plan.Buffers.Count;
        _buffers.Add(storage, index);
        Buffer buffer = new()
        {
            Name = storage.Name, DataType = (int)storage.Type, Bytes = _extents.Add(ByteCount(storage.ElementCount, storage.Type)),
            Kind = storage.Kind switch { StorageKind.Input => BufferKind.Input, StorageKind.Output => BufferKind.Output, StorageKind.Weight => BufferKind.Weight, _ => BufferKind.Scratch },
            Index = storage.Kind switch
            {
                StorageKind.Input or StorageKind.Output => (uint)storage.Binding,
                StorageKind.Weight => (uint)_blobs.Add(storage.Data ?? throw new InvalidOperationException($"The weight {storage} has no content.")),
                _ => 0,
            },
        };
        if (_shapes.TryGetValue(storage, out IReadOnlyList<DimExpr>? shape)) buffer.Shape.Add(shape.Select(_extents.Add));
        _plan.Buffers.Add(buffer);
        return index;
    }

    private static DimExpr ByteCount(DimExpr elements, DataType type) => type.BitSize() % 8 == 0 ? elements * (type.BitSize() / 8) : DimExpr.CeilDiv(elements * type.BitSize(), 8);

    private uint ImageOf(KernelSource source)
    {
        if (_images.TryGetValue(source, out uint index)) return index;
        if (!_kernels.TryGetValue(source, out CompiledSource? kernel)) throw new InvalidOperationException($"The kernel {source.Function} was not compiled.");
        index = (uint)_plan.Images.Count;
        _images.Add(source, index);
        _plan.Images.Add(new KernelImage
        {
            Blob = (uint)_blobs.Add(kernel.Code), Architecture = kernel.Architecture, Function = source.Function, Source = 1 + (uint)_blobs.Add(System.Text.Encoding.UTF8.GetBytes(source.Text)),
        });
        return index;
    }
}
