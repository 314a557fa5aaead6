using System.Globalization;
using TrtTools.Cuda;
using TrtTools.Kernels;
using TrtTools.Launch;

namespace TrtTools.Build;

/// <summary>The GPU that a build is for.</summary>
internal sealed record CudaTarget
{
    public required string Name { get; init; }

    /// <summary>90 for compute capability 9.0.</summary>
    public required int Capability { get; init; }

    public int Multiprocessors { get; init; } = 132;

    /// <summary>Number of the device in this machine; null when it is not here.</summary>
    public int? DeviceId { get; init; }

    /// <summary>A device that is not CUDA's, in the place of one of this machine: tests time and run on it.</summary>
    public Func<IDevice>? OtherDevice { get; init; }

    /// <summary>Libraries of such a device; null: it has none.</summary>
    public Func<string, ILibraryAdapter>? OtherLibraries { get; init; }

    public long L2Bytes { get; init; } = 50L << 20;

    /// <summary>Opens the device; null where it is not here.</summary>
    public Func<IDevice>? Open => OtherDevice ?? (DeviceId is { } id ? () => CudaContext.Open(id) : null);

    /// <summary>What is the same for everything that is timed on it and may change a time: device, driver and compiler.</summary>
    public string Environment => string.Create(CultureInfo.InvariantCulture,
        $"{Name}/{Multiprocessors}/{Architecture}/{(OtherDevice is null ? $"driver {CudaDriver.Current.Version}/" : "")}{(Compiles ? $"nvrtc {Nvrtc.Current.Version}/" : "")}{typeof(CudaTarget).Assembly.GetName().Version!.ToString(3)}");

    /// <summary>False leaves machine code out: plans of a machine that has no compiler, to be looked at, not run.</summary>
    public bool Compiles { get; init; } = true;

    /// <summary>Calls of cuBLASLt and cuDNN are offered although the libraries cannot be asked here.</summary>
    public bool AssumesLibraries { get; init; }

    /// <summary>The oldest generation that kernels are written for.</summary>
    private const int OldestCapability = 80;

    public string Architecture => KernelCompiler.Architecture(Capability);

    public string CapabilityText => $"{Capability / 10}.{Capability % 10}";

    /// <summary>A device of this machine.</summary>
    public static CudaTarget Of(int deviceId)
    {
        CudaDriver driver = CudaDriver.Current;
        if (deviceId < 0 || deviceId >= driver.DeviceCount)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "DeviceId", $"it is {deviceId}", driver.DeviceCount == 1 ? "0: there is one CUDA device" : $"0 to {driver.DeviceCount - 1}", "Get-EngineDevice lists them");
        }
        using CudaContext context = CudaContext.Open(deviceId);
        CudaDeviceProperties properties = context.Properties;
        if (properties.ComputeCapability < OldestCapability)
        {
            throw new TrtToolsException(ErrorCode.DeviceUnsupported, properties.Name, $"its compute capability is {properties.ComputeCapabilityText}", "8.0 or higher", "Build with -Device Cpu, or choose another device with -DeviceId");
        }
        return new CudaTarget { Name = properties.Name, Capability = properties.ComputeCapability, Multiprocessors = properties.Multiprocessors, L2Bytes = properties.L2Bytes, DeviceId = deviceId };
    }
}
