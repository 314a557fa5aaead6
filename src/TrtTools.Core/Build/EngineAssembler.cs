using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Google.Protobuf;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>Makes the plan, the blobs and the header of a prepared graph.</summary>
internal static class EngineAssembler
{
    public static Engine Assemble(BuildContext context, Stopwatch clock)
    {
        OnnxGraph graph = context.Form!.Graph;
        BlobStore blobs = new();
        byte[] model = OrtModelPacker.Pack(graph, out IReadOnlyList<KeyValuePair<string, TensorData>> weights);
        HostStep step = new() { Kind = HostSteps.OnnxRuntime, Model = (uint)blobs.Add(model) };
        foreach ((string name, TensorData data) in weights)
        {
            context.Stop.ThrowIfCancellationRequested();
            step.Weights.Add(new Weight { Name = name, Blob = (uint)blobs.Add(data) });
        }
        step.Settings.Add(context.Settings.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => new Setting { Key = s.Key, Value = s.Value }));
        EngineTensor[] inputs = [.. graph.Inputs.Select(i => Describe(context.Source, i))], outputs = [.. graph.Outputs.Select(Describe)];
        step.Inputs.Add(inputs.Select(i => i.Name));
        step.Outputs.Add(outputs.Select(o => o.Name));
        Plan plan = NewPlan(context, DeviceKind.Cpu, inputs, outputs);
        plan.Body = new Block();
        plan.Blobs.Add(blobs.Table);
        plan.Body.Steps.Add(new Step { Host = step });
        byte[] planBytes = plan.ToByteArray();
        EngineContent content = new() { Plan = plan, PlanBytes = planBytes, Details = new Details(), Blobs = blobs.Content };
        EngineHeader header = new()
        {
            Name = context.Name, Id = content.Id, Device = plan.Device, Precision = plan.Precision, Inputs = inputs, Outputs = outputs, Profiles = [.. context.Profiles],
        };
        using (Engine draft = new(header, content, null, 0)) EngineDetails.Fill(content.Details, draft, context);
        return Complete(context, header, content, clock);
    }

    public static Plan NewPlan(BuildContext context, DeviceKind device, IEnumerable<EngineTensor> inputs, IEnumerable<EngineTensor> outputs)
    {
        Plan plan = new() { Revision = EngineReader.PlanRevision, Device = device.ToString(), Precision = context.Precision.ToString() };
        plan.Inputs.Add(inputs.Select(ToProto));
        plan.Outputs.Add(outputs.Select(ToProto));
        plan.Profiles.Add(context.Profiles.GroupBy(p => p.Index).Select(ToProto));
        return plan;
    }

    /// <summary>An engine with the record as it stands now.</summary>
    public static Engine Complete(BuildContext context, EngineHeader header, EngineContent content, Stopwatch clock)
    {
        header = header with { Warnings = [.. context.Warnings.Distinct(StringComparer.Ordinal)], Provenance = Provenance(context), BuildSeconds = Math.Round(clock.Elapsed.TotalSeconds, 3) };
        return OfTarget(context, header, content);
    }

    /// <summary>An engine that runs on the device that it is built for.</summary>
    public static Engine OfTarget(BuildContext context, EngineHeader header, EngineContent content)
    {
        long length = EngineWriter.FileLength(header, content);
        return context.Target?.Open is { } open ? new Engine(header, content, null, length) { OpenDevice = open, CreateLibrary = context.Target.OtherLibraries is { } libraries ? (name, _) => libraries(name) : LibraryAdapters.Create } : new Engine(header, content, null, length);
    }

    private static EngineProvenance Provenance(BuildContext context) => new()
    {
        User = Environment.UserName, Host = Environment.MachineName, BuiltAt = DateTimeOffset.Now, TrtToolsVersion = typeof(EngineBuilder).Assembly.GetName().Version!.ToString(3),
        OnnxRuntimeVersion = OrtEnvironment.Version, DotNetVersion = RuntimeInformation.FrameworkDescription, OperatingSystem = RuntimeInformation.OSDescription, DeviceName = context.Target?.Name ?? HostProcessor.Name, CudaVersion = context.Target is null ? "" : CudaDriver.Current.Version,
        Model = context.Source.Name, ModelPath = context.Source.Path, ModelHash = context.SourceHash, ModelFileHash = context.SourceFileHash, CalibrationHash = context.CalibrationHash,
        Options = [.. BuildOptionText.Lines(context.Options)],
    };

    internal static EngineTensor Describe(OnnxGraph source, GraphTensor input) => Describe(input) with { Preprocessing = Data.PreprocessingInside.Of(source, input.Name)?.ToString() ?? "" };

    internal static EngineTensor Describe(GraphTensor tensor) => new()
    {
        Name = tensor.Name, DataType = tensor.DataType, Shape = tensor.Shape, SymbolicShape = tensor.SymbolicShape, HasRank = tensor.HasRank,
    };

    private static TensorInfo ToProto(EngineTensor tensor)
    {
        TensorInfo info = new() { Name = tensor.Name, DataType = (int)tensor.DataType, AnyRank = !tensor.HasRank };
        info.Shape.Add(tensor.Shape);
        info.Symbols.Add(tensor.SymbolicShape);
        return info;
    }

    private static Profile ToProto(IGrouping<int, EngineProfile> profile)
    {
        Profile result = new();
        foreach (EngineProfile row in profile)
        {
            ProfileInput input = new() { Name = row.Input };
            input.Min.Add(row.Min);
            input.Opt.Add(row.Opt);
            input.Max.Add(row.Max);
            result.Inputs.Add(input);
        }
        return result;
    }
}
