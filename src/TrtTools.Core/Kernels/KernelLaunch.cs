using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>CUDA C++ text to compile: one kernel, header-free but for our own .cuh files, which NVRTC gets from memory.</summary>
/// <param name="Function">The kernel's name: extern "C".</param>
/// <param name="Text">The text, ending with the kernel.</param>
/// <param name="MinimumCapability">Lowest compute capability it compiles for, such as 80 or 90.</param>
internal sealed record KernelSource(string Function, string Text, int MinimumCapability = KernelSource.LeastCapability)
{
    public const int LeastCapability = 80;
}

/// <summary>A kernel and how to launch it: what a generator or a hand-made kernel hands to the plan. Extents may be symbolic; the runtime evaluates them.</summary>
internal sealed record KernelLaunch
{
    public required string Name { get; init; }

    public required KernelSource Source { get; init; }

    public required IReadOnlyList<DimExpr> Grid { get; init; }

    public required IReadOnlyList<int> Block { get; init; }

    /// <summary>Thread blocks of a cluster; empty: no clusters.</summary>
    public IReadOnlyList<int> Cluster { get; init; } = [];

    /// <summary>Dynamic shared memory.</summary>
    public int SharedBytes { get; init; }

    /// <summary>Launched while its predecessor ends (programmatic dependent launch): the kernel waits by griddepcontrol.wait before it touches what others wrote.</summary>
    public bool Programmatic { get; init; }

    public required IReadOnlyList<KernelArgument> Arguments { get; init; }
}

internal abstract record KernelArgument;

internal enum Access
{
    Read, Write, ReadWrite,
}

/// <summary>A device address: a storage plus an offset in elements.</summary>
internal sealed record PointerArgument(Storage Storage, DimExpr Offset, Access Access) : KernelArgument;

/// <summary>An extent as a 32-bit (int) or 64-bit (long long) argument.</summary>
internal sealed record ExtentArgument(DimExpr Value, bool Wide) : KernelArgument;

internal sealed record FloatArgument(float Value) : KernelArgument;

/// <summary>A TMA tensor map (a const __grid_constant__ 128-byte parameter), tiled, innermost dimension first. Strides are in bytes and leave the innermost out.</summary>
internal sealed record TensorMapArgument(Storage Storage, DimExpr Offset, DataType Type, IReadOnlyList<DimExpr> Extents, IReadOnlyList<DimExpr> Strides, IReadOnlyList<int> Box, int SwizzleBytes) : KernelArgument
{
    /// <summary>Write for a map that TMA stores go through.</summary>
    public Access Access { get; init; } = Access.Read;

    public IReadOnlyList<int> ElementStrides { get; init; } = [];

    /// <summary>For an im2col map: lower and upper corner of the box, channels and pixels of a load; null: tiled.</summary>
    public Im2Col? Im2Col { get; init; }
}

internal sealed record Im2Col(IReadOnlyList<int> LowerCorner, IReadOnlyList<int> UpperCorner, int ChannelsPerPixel, int PixelsPerColumn);
