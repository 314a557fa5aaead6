namespace TrtTools.Cuda;

/// <summary>Finds the devices of this machine.</summary>
public static class DeviceProbe
{
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
            Notes = [$"{multiprocessors} multiprocessors"],
        };
    }
}
