using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Launch;
using Buffer = TrtTools.Engines.Proto.Buffer;

namespace TrtTools.Execution;

/// <summary>Memory of the device that an engine takes for given shapes: weights once, the rest for each context. What libraries, the driver and captured graphs take comes on top.</summary>
public sealed record EngineMemory
{
    /// <summary>The profile whose largest shapes these are; empty without profiles.</summary>
    public required int? Profile { get; init; }

    public required long WeightBytes { get; init; }

    /// <summary>Intermediate results, placed so that those of different times share memory. What follows a step of the host whose result decides a shape is not among them.</summary>
    public required long ArenaBytes { get; init; }

    /// <summary>Inputs and outputs.</summary>
    public required long BindingBytes { get; init; }

    public long TotalBytes => WeightBytes + ArenaBytes + BindingBytes;

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{(Profile is { } index ? $"profile {index}: " : "")}{TotalBytes:N0} bytes");

    /// <summary>One for each profile, at its largest shapes; one where there are none and every shape is fixed. None for a CPU engine.</summary>
    internal static IReadOnlyList<EngineMemory> Of(Engine engine)
    {
        if (!string.Equals(engine.Content.Plan.Device, nameof(DeviceKind.Cuda), StringComparison.Ordinal)) return [];
        Plan plan = engine.Content.Plan;
        PlanTables tables = PlanTables.Read(plan, engine.Content.Blobs, engine.Name);
        List<EngineMemory> result = [];
        for (int i = 0; i < Math.Max(1, plan.Profiles.Count); i++)
        {
            Profile? profile = i < plan.Profiles.Count ? plan.Profiles[i] : null;
            if (ProfileSymbols.Largest(plan, tables, profile) is { } symbols) result.Add(Of(engine, tables, symbols, profile is null ? null : i));
        }
        return result;
    }

    /// <summary>For given shapes of the inputs; null where they leave an extent open.</summary>
    internal static EngineMemory? Of(Engine engine, IReadOnlyDictionary<string, long[]> shapes)
    {
        PlanTables tables = PlanTables.Read(engine.Content.Plan, engine.Content.Blobs, engine.Name);
        return ProfileSymbols.Of(engine.Content.Plan, tables, shapes.GetValueOrDefault) is { } symbols ? Of(engine, tables, symbols, null) : null;
    }

    private static EngineMemory Of(Engine engine, PlanTables tables, Dictionary<string, long> symbols, int? profile)
    {
        Plan plan = engine.Content.Plan;
        ShapeLayout layout = new(plan, tables, engine.Content.Blobs, engine.Name, 0, symbols);
        long bindings = 0, weights = 0;
        HashSet<uint> blobs = [];
        for (int b = 0; b < plan.Buffers.Count; b++)
        {
            Buffer buffer = plan.Buffers[b];
            if (!tables.Buffers[b].OnDevice) continue;
            if (buffer.Kind is BufferKind.Input or BufferKind.Output && tables.Buffers[b].Epoch == 0) bindings += layout.ByteCountOf(b);
            if (buffer.Kind == BufferKind.Weight && blobs.Add(buffer.Index)) weights += ArenaPlanner.Align(engine.Content.Blobs[(int)buffer.Index].ByteCount);
        }
        return new EngineMemory { Profile = profile, WeightBytes = weights, ArenaBytes = layout.ArenaBytes, BindingBytes = bindings };
    }
}
