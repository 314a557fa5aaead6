using System.Globalization;
using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

/// <summary>Clocks, temperature and power of a device at one moment, and what slows it down.</summary>
internal sealed record DeviceState
{
    public int ClockMHz { get; init; }

    public int MaxClockMHz { get; init; }

    public int MemoryClockMHz { get; init; }

    public int TemperatureC { get; init; }

    public double PowerW { get; init; }

    /// <summary>Such as "its power limit"; empty where nothing does.</summary>
    public IReadOnlyList<string> SlowedBy { get; init; } = [];
}

/// <summary>Reads device states through NVIDIA's management library, which comes with the driver. Where it is missing, there are none.</summary>
internal static unsafe class DeviceMonitor
{
    private const int MultiprocessorClock = 1, MemoryClock = 2, GpuTemperature = 0;

    private static readonly (ulong Bit, string Reason)[] Reasons =
        [(0x04, "its power limit"), (0x08, "its hardware (heat, power or a brake)"), (0x20, "its temperature limit"), (0x40, "heat"), (0x80, "an outside power brake")];

    private static readonly Lazy<nint> Library = new(Load);

    /// <param name="uuid">The 16 bytes that the driver knows the device by.</param>
    public static DeviceState? Read(ReadOnlySpan<byte> uuid)
    {
        if (Library.Value == 0) return null;
        try
        {
            nint device = 0;
            nint name = Marshal.StringToCoTaskMemUTF8(Name(uuid));
            try
            {
                if (((delegate* unmanaged<byte*, nint*, int>)Export("nvmlDeviceGetHandleByUUID"))((byte*)name, &device) != 0) return null;
            }
            finally
            {
                Marshal.FreeCoTaskMem(name);
            }
            ulong bits = 0;
            _ = ((delegate* unmanaged<nint, ulong*, int>)Export("nvmlDeviceGetCurrentClocksThrottleReasons"))(device, &bits);
            ulong reasons = bits;
            uint milliwatts = 0;
            _ = ((delegate* unmanaged<nint, uint*, int>)Export("nvmlDeviceGetPowerUsage"))(device, &milliwatts);
            return new DeviceState
            {
                ClockMHz = Get("nvmlDeviceGetClockInfo", device, MultiprocessorClock), MaxClockMHz = Get("nvmlDeviceGetMaxClockInfo", device, MultiprocessorClock), MemoryClockMHz = Get("nvmlDeviceGetClockInfo", device, MemoryClock),
                TemperatureC = Get("nvmlDeviceGetTemperature", device, GpuTemperature), PowerW = milliwatts / 1000.0, SlowedBy = [.. Reasons.Where(r => (reasons & r.Bit) != 0).Select(r => r.Reason)],
            };
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>As the library spells it: GPU-9cdf0e31-e346-ffa7-3233-e365c152d75c.</summary>
    internal static string Name(ReadOnlySpan<byte> uuid)
    {
        string hex = Convert.ToHexStringLower(uuid);
        return string.Create(CultureInfo.InvariantCulture, $"GPU-{hex[..8]}-{hex[8..12]}-{hex[12..16]}-{hex[16..20]}-{hex[20..]}");
    }

    private static int Get(string function, nint device, int kind)
    {
        uint value = 0;
        return ((delegate* unmanaged<nint, int, uint*, int>)Export(function))(device, kind, &value) == 0 ? (int)value : 0;
    }

    private static nint Load()
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvml.dll" : "libnvidia-ml.so.1", out nint library)) return 0;
        return NativeLibrary.TryGetExport(library, "nvmlInit_v2", out nint initialize) && ((delegate* unmanaged<int>)initialize)() == 0 ? library : 0;
    }

    private static nint Export(string name) => NativeLibrary.GetExport(Library.Value, name);
}
