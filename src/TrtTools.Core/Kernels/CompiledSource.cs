using System.Globalization;
using System.Text.RegularExpressions;

namespace TrtTools.Kernels;

/// <summary>A kernel's machine code for one architecture ("sm_90a").</summary>
internal sealed record CompiledSource(KernelSource Source, string Architecture, byte[] Code, KernelResources Resources)
{
    /// <summary>True when it was compiled before and came from the cache on disk.</summary>
    public bool FromCache { get; init; }
}

/// <summary>What a kernel takes of a multiprocessor, as ptxas reports it.</summary>
/// <param name="StackBytes">Local memory of a thread: arrays that are not in registers, and spills.</param>
internal sealed partial record KernelResources(int Registers, int SharedBytes, int StackBytes, int SpillStoreBytes, int SpillLoadBytes)
{
    public bool Spills => SpillStoreBytes + SpillLoadBytes > 0;

    /// <summary>Of the log of a compilation with --ptxas-options=-v of a text with one kernel.</summary>
    public static KernelResources Parse(string log)
    {
        int Number(Regex pattern) => pattern.Match(log) is { Success: true } match ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
        return new KernelResources(Number(UsedRegisters()), Number(UsedShared()), Number(Stack()), Number(SpillStores()), Number(SpillLoads()));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Registers} registers, {SharedBytes} bytes of shared memory, {StackBytes} bytes of local memory, {SpillStoreBytes + SpillLoadBytes} bytes spilled");

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex UsedRegisters();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex UsedShared();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex Stack();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex SpillStores();

    [GeneratedRegex(@"(\d+) bytes spill loads")]
    private static partial Regex SpillLoads();
}
