namespace TrtTools.Cuda;

/// <summary>Finds the devices of this machine.</summary>
public static class DeviceProbe
{
    /// <summary>The oldest generation that engines are built for.</summary>
    private const int OldestCapability = 80;

    /// <summary>CUDA devices first, then the CPU, which is always there.</summary>
    public static IReadOnlyList<EngineDevice> List()
    {
        List<EngineDevice> devices = [];
        CudaDriver driver = CudaDriver.Current;
        if (driver.Problem is null)
        {
            string[] libraries = CudaLibraries.Describe();
            for (int i = 0; i < driver.DeviceCount; i++) devices.Add(Cuda(driver, i, libraries));
        }
        devices.Add(new EngineDevice
        {
            Name = HostProcessor.Name, Kind = "Cpu", ComputeCapability = "", MemoryBytes = HostProcessor.MemoryBytes, DriverVersion = "", Cores = HostProcessor.PhysicalCores,
            Libraries = HostLibraries.Describe(),
            Notes = [$"{HostProcessor.PhysicalCores} cores", string.Join(", ", HostProcessor.InstructionSets),
                .. HostProcessor.HasVnni ? [] : new[] { "no VNNI: INT8 gains little over FP32 on this processor" },
                .. driver.Problem is null ? [] : new[] { $"no CUDA device: {driver.Problem}" }],
        });
        return devices;
    }

    private static EngineDevice Cuda(CudaDriver driver, int ordinal, string[] libraries)
    {
        (string name, string capability, long bytes, int multiprocessors) = driver.Describe(ordinal);
        return new EngineDevice
        {
            Name = name, Kind = "Cuda", DeviceId = ordinal, ComputeCapability = capability, MemoryBytes = bytes, DriverVersion = driver.Version, Libraries = libraries,
            Notes = [$"{multiprocessors} multiprocessors", .. Missing(capability)],
        };
    }

    /// <summary>What a device or a machine without a library does not do.</summary>
    private static IEnumerable<string> Missing(string capability)
    {
        if (int.TryParse(capability.Replace(".", "", StringComparison.Ordinal), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number) && number < OldestCapability) yield return "engines need compute capability 8.0";
        if (CudaLibraries.Find(CudaLibraries.Nvrtc) is not { } nvrtc) yield return "without NVRTC it runs engines, and builds none";
        else if (CudaDriver.Current.MajorVersion > 0 && Version.TryParse(nvrtc.Version, out Version? version) && version.Major > CudaDriver.Current.MajorVersion) yield return $"NVRTC {nvrtc.Version} is newer than the driver (CUDA {CudaDriver.Current.Version}), which may refuse its code: update the driver";
        if (CudaLibraries.Find(CudaLibraries.CublasLt) is null || CudaLibraries.Find(CudaLibraries.Cudnn) is null) yield return "without cuBLASLt or cuDNN generated kernels do all the work";
    }
}
