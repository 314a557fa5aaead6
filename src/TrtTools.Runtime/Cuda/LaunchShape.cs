using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

/// <summary>Grid, block and cluster of a launch, its dynamic shared memory, and whether it may start while its predecessor ends.</summary>
internal readonly record struct LaunchShape(uint GridX, uint GridY, uint GridZ, uint BlockX, uint BlockY, uint BlockZ)
{
    public uint ClusterX { get; init; } = 1;

    public uint ClusterY { get; init; } = 1;

    public uint ClusterZ { get; init; } = 1;

    public uint SharedBytes { get; init; }

    /// <summary>Programmatic dependent launch: the kernel itself waits for its predecessor.</summary>
    public bool Programmatic { get; init; }

    public uint ClusterBlocks => ClusterX * ClusterY * ClusterZ;

    public uint Threads => BlockX * BlockY * BlockZ;

    /// <summary>Some extent of the work is 0: there is nothing to launch.</summary>
    public bool IsEmpty => GridX == 0 || GridY == 0 || GridZ == 0;

    public override string ToString() =>
        $"grid {GridX}×{GridY}×{GridZ}, block {BlockX}×{BlockY}×{BlockZ}{(ClusterBlocks > 1 ? $", cluster {ClusterX}×{ClusterY}×{ClusterZ}" : "")}, {SharedBytes:N0} bytes of shared memory";
}

/// <summary>The driver's CUlaunchConfig.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfiguration
{
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
    public nint Stream;
    public LaunchAttribute* Attributes;
    public uint AttributeCount;
}

/// <summary>The driver's CUDA_KERNEL_NODE_PARAMS_v2.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct KernelNodeParameters
{
    public nint Function;
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
    public void** Arguments;
    public void** Extra;
    public nint Kernel, Context;
}

/// <summary>The driver's CUlaunchAttribute: a number, and a value of 64 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    private const int ClusterDimension = 4, ProgrammaticSerialization = 6;

    [FieldOffset(0)] public int Id;
    [FieldOffset(8)] public uint X;
    [FieldOffset(12)] public uint Y;
    [FieldOffset(16)] public uint Z;

    public static LaunchAttribute Cluster(uint x, uint y, uint z) => new() { Id = ClusterDimension, X = x, Y = y, Z = z };

    public static LaunchAttribute ProgrammaticStreamSerialization => new() { Id = ProgrammaticSerialization, X = 1 };
}
