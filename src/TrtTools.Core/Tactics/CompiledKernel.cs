using TrtTools.Kernels;

namespace TrtTools.Tactics;

/// <summary>Machine code of a kernel. Without code the plan holds the text alone, which a machine with no compiler can still write and compare.</summary>
internal sealed record CompiledKernel(KernelSource Source, string Architecture, byte[] Code);
