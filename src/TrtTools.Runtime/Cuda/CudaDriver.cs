using System.Runtime.InteropServices;
using System.Text;

namespace TrtTools.Cuda;

/// <summary>The CUDA driver, found at run time: what is needed to list devices.</summary>
internal sealed unsafe class CudaDriver
{
    private const int ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76, MultiprocessorCount = 16;
    private static readonly Lazy<CudaDriver> Instance = new(() => new CudaDriver());
    private readonly nint _library;

    private CudaDriver()
    {
        string name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(name, out _library))
        {
            Problem = $"the CUDA driver ({name}) was not found; install NVIDIA's driver for this GPU (https://www.nvidia.com/drivers)";
            return;
        }
        try
        {
            int status = ((delegate* unmanaged<uint, int>)Export("cuInit"))(0);
            if (status != 0)
            {
                Problem = $"cuInit: {ErrorName(status)}{(status == 100 ? "; the driver is installed but sees no GPU (in a container: start it with --gpus all)" : "")}";
                return;
            }
            int version = 0, count = 0;
            Check(((delegate* unmanaged<int*, int>)Export("cuDriverGetVersion"))(&version), "cuDriverGetVersion");
            Check(((delegate* unmanaged<int*, int>)Export("cuDeviceGetCount"))(&count), "cuDeviceGetCount");
            Version = $"{version / 1000}.{version % 1000 / 10}";
            MajorVersion = version / 1000;
            DeviceCount = count;
            if (count == 0) Problem = "the driver is installed but sees no GPU";
        }
        catch (Exception e) when (e is EntryPointNotFoundException or InvalidOperationException)
        {
            Problem = $"the CUDA driver does not answer ({e.Message.TrimEnd('.')}); install a current one";
        }
    }

    public static CudaDriver Current => Instance.Value;

    /// <summary>Why no device can be used; null when one can.</summary>
    public string? Problem { get; }

    /// <summary>The CUDA version that the driver brings.</summary>
    public string Version { get; } = "";

    /// <summary>13 of 13.0; 0 where there is no driver.</summary>
    public int MajorVersion { get; }

    public int DeviceCount { get; }

    public (string Name, string ComputeCapability, long MemoryBytes, int Multiprocessors) Describe(int ordinal)
    {
        int device = 0;
        Check(((delegate* unmanaged<int*, int, int>)Export("cuDeviceGet"))(&device, ordinal), "cuDeviceGet");
        byte* name = stackalloc byte[256];
        Check(((delegate* unmanaged<byte*, int, int, int>)Export("cuDeviceGetName"))(name, 256, device), "cuDeviceGetName");
        nuint bytes = 0;
        Check(((delegate* unmanaged<nuint*, int, int>)Export("cuDeviceTotalMem_v2"))(&bytes, device), "cuDeviceTotalMem_v2");
        return (Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)),
            $"{Attribute(device, ComputeCapabilityMajor)}.{Attribute(device, ComputeCapabilityMinor)}", (long)bytes, Attribute(device, MultiprocessorCount));
    }

    private int Attribute(int device, int attribute)
    {
        int value = 0;
        Check(((delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute"))(&value, attribute, device), "cuDeviceGetAttribute");
        return value;
    }

    private void Check(int status, string function)
    {
        if (status != 0) throw new InvalidOperationException($"{function}: {ErrorName(status)}");
    }

    private string ErrorName(int status)
    {
        byte* text = null;
        return NativeLibrary.TryGetExport(_library, "cuGetErrorName", out nint function) && ((delegate* unmanaged<int, byte**, int>)function)(status, &text) == 0 && text != null
            ? Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text)) : $"error {status}";
    }

    /// <summary>Address of a function; the error CudaMissing where the driver is not there, sees no device, or is too old to have it.</summary>
    public nint RequireExport(string name)
    {
        if (Problem is not null) throw new TrtToolsException(ErrorCode.CudaMissing, "CUDA", Problem, "", "Run Get-EngineDevice to see what was found");
        return NativeLibrary.TryGetExport(_library, name, out nint address) ? address
            : throw new TrtToolsException(ErrorCode.CudaMissing, "CUDA", $"the driver brings CUDA {Version}, which lacks {name}", "CUDA 12 or later", "Install a current NVIDIA driver (https://www.nvidia.com/drivers)");
    }

    private nint Export(string name) => NativeLibrary.GetExport(_library, name);
}
