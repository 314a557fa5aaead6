using Google.Protobuf;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Tensors;
using Buffer = TrtTools.Engines.Proto.Buffer;
using PlanLaunch = TrtTools.Engines.Proto.Launch;

namespace TrtTools.Tests.Launch;

/// <summary>Writes device plans by hand.</summary>
internal sealed class PlanBuilder
{
    private readonly BlobStore _blobs = new();

    public Plan Plan { get; } = new() { Revision = EngineReader.PlanRevision, Device = "Cuda", ComputeCapability = "9.0", Precision = "Fp32", Body = new Block() };

    public Details Details { get; } = new();

    public string Architecture { get; set; } = "sm_90a";

    /// <summary>Machine code by function; the Null device needs none.</summary>
    public Func<string, byte[]> Code { get; set; } = _ => [1];

    public uint Extent(string text)
    {
        int at = Plan.Extents.IndexOf(text);
        if (at >= 0) return (uint)at;
        Plan.Extents.Add(text);
        return (uint)Plan.Extents.Count - 1;
    }

    public uint Input(string name, params string[] shape)
    {
        Plan.Inputs.Add(Info(name, shape));
        return Add(name, BufferKind.Input, (uint)Plan.Inputs.Count - 1, shape);
    }

    public uint Output(string name, params string[] shape)
    {
        Plan.Outputs.Add(Info(name, shape));
        return Add(name, BufferKind.Output, (uint)Plan.Outputs.Count - 1, shape);
    }

    public uint Scratch(string name, params string[] shape) => Add(name, BufferKind.Scratch, 0, shape);

    public uint Weight(string name, params float[] values)
    {
        uint blob = (uint)_blobs.Add(TensorData.From<float>(values, values.Length).Bytes.ToArray());
        return Add(name, BufferKind.Weight, blob, [values.Length.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
    }

    public void Symbol(string name, uint buffer, uint axis) => Plan.Symbols.Add(new Symbol { Name = name, Buffer = buffer, Axis = axis });

    public uint Image(string function)
    {
        for (int i = 0; i < Plan.Images.Count; i++) if (Plan.Images[i].Function == function) return (uint)i;
        Plan.Images.Add(new KernelImage { Blob = (uint)_blobs.Add(Code(function)), Architecture = Architecture, Function = function });
        return (uint)Plan.Images.Count - 1;
    }

    public DeviceSegment Segment()
    {
        if (Plan.Body.Steps.LastOrDefault()?.Device is { } open) return open;
        DeviceSegment segment = new();
        Plan.Body.Steps.Add(new Step { Device = segment });
        return segment;
    }

    /// <summary>A kernel over so many elements, in blocks of 128; its arguments are reads, writes and the count.</summary>
    public PlanLaunch Kernel(string function, uint[] reads, uint[] writes, string count, bool programmatic = false)
    {
        KernelCall call = new() { Image = Image(function), Programmatic = programmatic };
        call.Grid.Add([Extent($"floor(({count}+127)/128)"), Extent("1"), Extent("1")]);
        call.Block.Add([128, 1, 1]);
        foreach (uint b in reads.Concat(writes)) call.Arguments.Add(new Argument { Address = Place(b) });
        call.Arguments.Add(new Argument { Extent32 = Extent(count) });
        PlanLaunch launch = Layer(function);
        launch.Kernel = call;
        launch.Reads.Add(reads);
        launch.Writes.Add(writes);
        Segment().Launches.Add(launch);
        return launch;
    }

    public PlanLaunch Copy(uint from, uint to, string bytes)
    {
        PlanLaunch launch = Layer("copy");
        launch.Copy = new CopyCall { From = Place(from), To = Place(to), Bytes = Extent(bytes) };
        launch.Reads.Add(from);
        launch.Writes.Add(to);
        Segment().Launches.Add(launch);
        return launch;
    }

    public PlanLaunch Fill(uint to, string bytes, byte value)
    {
        PlanLaunch launch = Layer("fill");
        launch.Fill = new FillCall { To = Place(to), Bytes = Extent(bytes), Value = value };
        launch.Writes.Add(to);
        Segment().Launches.Add(launch);
        return launch;
    }

    public HostStep Host(string kind, (string Name, uint Buffer)[] inputs, (string Name, uint Buffer)[] outputs)
    {
        HostStep step = new() { Kind = kind, Model = (uint)_blobs.Add("model"u8.ToArray()), Layer = (uint)Details.Layers.Count };
        Details.Layers.Add(new Layer { Name = kind, Kind = "Host", RuntimeName = $"{kind}.{Details.Layers.Count}", SourceNodes = { "node of " + kind } });
        step.Inputs.Add(inputs.Select(i => i.Name));
        step.InputBuffers.Add(inputs.Select(i => i.Buffer));
        step.Outputs.Add(outputs.Select(o => o.Name));
        step.OutputBuffers.Add(outputs.Select(o => o.Buffer));
        Plan.Body.Steps.Add(new Step { Host = step });
        return step;
    }

    public Address Place(uint buffer, string offset = "0") => new() { Buffer = buffer, Offset = Extent(offset) };

    public (EngineHeader Header, EngineContent Content) Build(EngineProfile[]? profiles = null)
    {
        Plan plan = Plan.Clone();
        plan.Blobs.Add(_blobs.Table);
        foreach (IGrouping<int, EngineProfile> profile in (profiles ?? []).GroupBy(p => p.Index))
        {
            Profile made = new();
            foreach (EngineProfile row in profile) made.Inputs.Add(new ProfileInput { Name = row.Input, Min = { row.Min }, Opt = { row.Opt }, Max = { row.Max } });
            plan.Profiles.Add(made);
        }
        EngineContent content = new() { Plan = plan, PlanBytes = plan.ToByteArray(), Details = Details, Blobs = _blobs.Content };
        EngineHeader header = new()
        {
            Name = "made", Id = content.Id, Device = plan.Device, ComputeCapability = plan.ComputeCapability, Precision = plan.Precision, Profiles = profiles ?? [],
            Inputs = [.. plan.Inputs.Select(Describe)], Outputs = [.. plan.Outputs.Select(Describe)], Provenance = new EngineProvenance { Model = "made", DeviceName = "NVIDIA H100" },
        };
        return (header, content);
    }

    public Engine Engine(TrtTools.Cuda.IDevice device, EngineProfile[]? profiles = null)
    {
        (EngineHeader header, EngineContent content) = Build(profiles);
        return new Engine(header, content, null, EngineWriter.FileLength(header, content)) { OpenDevice = () => device };
    }

    private static EngineTensor Describe(TensorInfo info) => new() { Name = info.Name, DataType = (DataType)info.DataType, Shape = [.. info.Shape], SymbolicShape = [.. info.Symbols] };

    private PlanLaunch Layer(string name)
    {
        int index = Details.Layers.Count;
        Details.Layers.Add(new Layer { Name = $"{name}.{index}", Kind = "Test", RuntimeName = $"{name}.{index}", SourceNodes = { $"node{index}" } });
        return new PlanLaunch { Name = $"{name}.{index}", Layer = (uint)index };
    }

    private TensorInfo Info(string name, string[] shape)
    {
        TensorInfo info = new() { Name = name, DataType = (int)DataType.Float32 };
        info.Shape.Add(shape.Select(s => long.TryParse(s, System.Globalization.CultureInfo.InvariantCulture, out long value) ? value : -1));
        info.Symbols.Add(shape);
        return info;
    }

    private uint Add(string name, BufferKind kind, uint index, string[] shape)
    {
        DimExpr count = shape.Aggregate(DimExpr.One, (a, s) => a * DimExpr.Parse(s));
        Buffer buffer = new() { Name = name, Kind = kind, Index = index, DataType = (int)DataType.Float32, Bytes = Extent((count * 4).Text) };
        buffer.Shape.Add(shape.Select(Extent));
        Plan.Buffers.Add(buffer);
        return (uint)Plan.Buffers.Count - 1;
    }
}
