using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace TrtTools.Cuda;

/// <summary>The machine's processor.</summary>
internal static class HostProcessor
{
    public static string Name { get; } = ReadName();

    public static long MemoryBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Instruction sets that matter to inference, as the processor reports them.</summary>
    public static IReadOnlyList<string> InstructionSets { get; } = ReadInstructionSets();

    /// <summary>8-bit products are summed in one instruction.</summary>
    public static bool HasVnni => InstructionSets.Contains("AVX-VNNI") || InstructionSets.Contains("AVX512-VNNI");

    /// <summary>Cores that this process may use, hyper-threads counted once.</summary>
    public static int PhysicalCores { get; } = CountPhysicalCores();

    private static string ReadName()
    {
        if (!X86Base.IsSupported || (uint)X86Base.CpuId(unchecked((int)0x80000000), 0).Eax < 0x80000004) return RuntimeInformation.ProcessArchitecture.ToString();
        StringBuilder text = new();
        for (uint leaf = 0x80000002; leaf <= 0x80000004; leaf++)
        {
            (int a, int b, int c, int d) = X86Base.CpuId((int)leaf, 0);
            text.Append(Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>(new[] { a, b, c, d })));
        }
        string name = text.ToString().Replace("\0", "", StringComparison.Ordinal).Trim();
        return name.Length > 0 ? name : RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static List<string> ReadInstructionSets()
    {
        List<string> sets = [];
        if (System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported) sets.Add("NEON");
        if (!X86Base.IsSupported) return sets;
        if (Sse42.IsSupported) sets.Add("SSE4.2");
        if (Avx2.IsSupported) sets.Add("AVX2");
        if (Fma.IsSupported) sets.Add("FMA");
        if (Avx512F.IsSupported) sets.Add("AVX512F");
        if (X86Base.CpuId(0, 0).Eax < 7) return sets;
        (int highest, _, int c, int d) = X86Base.CpuId(7, 0);
        if (Avx512F.IsSupported && (c & 1 << 11) != 0) sets.Add("AVX512-VNNI");
        if (Avx2.IsSupported && highest >= 1 && (X86Base.CpuId(7, 1).Eax & 1 << 4) != 0) sets.Add("AVX-VNNI");
        if ((d & 1 << 25) != 0) sets.Add("AMX-INT8");
        if ((d & 1 << 22) != 0) sets.Add("AMX-BF16");
        return sets;
    }

    private static int CountPhysicalCores()
    {
        int allowed = Environment.ProcessorCount;
        if (!OperatingSystem.IsLinux()) return allowed;
        try
        {
            HashSet<(string, string)> cores = [];
            string package = "";
            foreach (string line in File.ReadLines("/proc/cpuinfo"))
            {
                int colon = line.IndexOf(':');
                if (colon < 0) continue;
                if (line.StartsWith("physical id", StringComparison.Ordinal)) package = line[(colon + 1)..].Trim();
                if (line.StartsWith("core id", StringComparison.Ordinal)) cores.Add((package, line[(colon + 1)..].Trim()));
            }
            return cores.Count == 0 ? allowed : Math.Clamp(cores.Count, 1, allowed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return allowed;
        }
    }
}
