namespace TrtTools.Cuda;

/// <summary>A device that engines can run on, and what of its software was found.</summary>
public sealed record EngineDevice
{
    public required string Name { get; init; }

    /// <summary>Cuda or Cpu.</summary>
    public required string Kind { get; init; }

    /// <summary>Number to give as -DeviceId; empty for the CPU.</summary>
    public int? DeviceId { get; init; }

    /// <summary>Such as "9.0"; empty for the CPU.</summary>
    public required string ComputeCapability { get; init; }

    public required long MemoryBytes { get; init; }

    /// <summary>The CUDA version the driver brings; empty for the CPU.</summary>
    public required string DriverVersion { get; init; }

    /// <summary>Each library with its version and place, or how to get it.</summary>
    public required string[] Libraries { get; init; }

    public required string[] Notes { get; init; }

    /// <summary>Physical cores; null for a GPU.</summary>
    public int? Cores { get; init; }

    public override string ToString() => $"{Name} ({Kind})";
}
