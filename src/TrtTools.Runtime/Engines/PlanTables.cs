using TrtTools.Engines.Proto;
using TrtTools.Tensors;

namespace TrtTools.Engines;

/// <summary>
/// A device plan's tables, read and checked once: every index lies inside its table, every extent can be computed when it is needed, and nothing is read before it is written.
/// </summary>
/// <remarks>
/// Extents belong to epochs. Epoch 0 knows the symbols that inputs bind; each host step that binds symbols starts the next one. A buffer's room is an extent, so the buffer belongs to that extent's epoch.
/// Times number launches and host steps in the order they run.
/// </remarks>
internal sealed class PlanTables
{
    public required DimExpr[] Extents { get; init; }

    /// <summary>The first epoch that knows each extent.</summary>
    public required int[] ExtentEpochs { get; init; }

    public required PlanStep[] Steps { get; init; }

    public required int EpochCount { get; init; }

    /// <summary>Symbols by the epoch that binds them, each epoch's in the order of the plan.</summary>
    public required Symbol[][] SymbolsOfEpoch { get; init; }

    public required BufferUse[] Buffers { get; init; }

    /// <summary>Numbers of the buffers of inputs and outputs, in the order of the engine's.</summary>
    public required int[] Inputs { get; init; }

    public required int[] Outputs { get; init; }

    /// <summary>Checks everything and gives the tables; whatever is wrong with the plan is an EngineCorrupt error for <paramref name="subject"/>.</summary>
    public static PlanTables Read(Plan plan, IReadOnlyList<TensorData> blobs, string subject) => new PlanReader(plan, blobs, subject).Read();
}

/// <summary>A step with where it stands: its epoch and the time of its first launch.</summary>
/// <remarks>A class, not a record: steps are keys, and two of them are never the same.</remarks>
internal sealed class PlanStep(DeviceSegment? device, HostStep? host, int epoch, int epochAfter, int firstTime)
{
    public DeviceSegment? Device { get; } = device;

    public HostStep? Host { get; } = host;

    public int Epoch { get; } = epoch;

    /// <summary>The epoch after it: one more where it is a host step that binds symbols.</summary>
    public int EpochAfter { get; } = epochAfter;

    public int FirstTime { get; } = firstTime;
}

/// <summary>When and by whom a buffer is used.</summary>
internal struct BufferUse
{
    public int Epoch;

    /// <summary>Time of the first use, a write; -1 where there is none.</summary>
    public int First;

    /// <summary>Time of the last use. One more where the next launch may start before that one has ended.</summary>
    public int Last;

    /// <summary>Whether any launch touches it; what only host steps touch needs no memory on the device.</summary>
    public bool OnDevice;
}
