using TrtTools.Build;
using TrtTools.Engines;

namespace TrtTools.Tests.Gpu;

/// <summary>Options of the builds that GPU tests make: quick ones, whose times are kept between the tests. TRTTOOLS_TIME_BUDGET says how many seconds each may spend on timing, TRTTOOLS_TIMING_CACHE where times are kept.</summary>
internal static class GpuBuild
{
    private static readonly string s_times = Environment.GetEnvironmentVariable("TRTTOOLS_TIMING_CACHE") is { Length: > 0 } given ? given : Path.Combine(Path.GetTempPath(), $"trttools-tests-{Environment.ProcessId}.timing");

    private static double Budget => double.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_TIME_BUDGET"), System.Globalization.CultureInfo.InvariantCulture, out double seconds) ? seconds : 4;

    public static BuildOptions Options(string precision = "Fp32", int level = 1) => new()
    {
        Device = DeviceKind.Cuda, OptimizationLevel = level, TimingCachePath = s_times, TimeBudget = Budget, Fp16 = precision == "Fp16", Bf16 = precision == "Bf16", Tf32 = precision == "Tf32",
    };
}
