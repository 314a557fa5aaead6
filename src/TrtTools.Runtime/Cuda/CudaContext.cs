using System.Runtime.InteropServices;
using System.Text;

namespace TrtTools.Cuda;

/// <summary>A device's primary context, which this process shares with CUDA's runtime and its libraries. Everything made on it keeps it alive.</summary>
internal sealed unsafe class CudaContext : IDevice
{
    private static int s_liveResources;
    private readonly PrimaryContext _handle;

    private CudaContext(DriverApi api, int deviceId)
    {
        Api = api;
        int device = 0;
        api.Check(api.cuDeviceGet(&device, deviceId), "cuDeviceGet", $"device {deviceId}");
        Properties = CudaDeviceProperties.Read(api, device, deviceId);
        nint context = 0;
        api.Check(api.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain", $"device {deviceId}");
        _handle = new PrimaryContext(api, context, device);
        MakeCurrent();
    }

    /// <summary>Opens the device's primary context and makes it the calling thread's.</summary>
    public static CudaContext Open(int deviceId = 0) => new(DriverApi.Current, deviceId);

    public static CudaContext Open(DriverApi api, int deviceId) => new(api, deviceId);

    public DriverApi Api { get; }

    public CudaDeviceProperties Properties { get; }

    /// <summary>Buffers, streams, events, modules and graphs that are open in this process.</summary>
    public static int LiveResources => Volatile.Read(ref s_liveResources);

    /// <summary>The driver's handle, for libraries.</summary>
    public nint Handle => _handle.DangerousGetHandle();

    /// <summary>Calls on this context's resources need it to be the thread's current one. Cheap: no change is no work.</summary>
    public void MakeCurrent()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        Api.Check(Api.cuCtxSetCurrent(_handle.DangerousGetHandle()), "cuCtxSetCurrent");
    }

    public (long Free, long Total) GetMemoryInfo()
    {
        nuint free = 0, total = 0;
        Api.Check(Api.cuMemGetInfo_v2(&free, &total), "cuMemGetInfo_v2");
        return ((long)free, (long)total);
    }

    public string Name => Properties.Name;

    public int ComputeCapability => Properties.ComputeCapability;

    public IDeviceMemory Allocate(long byteCount) => DeviceBuffer.Allocate(this, byteCount);

    public IHostMemory AllocateHost(long byteCount) => PinnedBuffer.Allocate(this, byteCount);

    public IDeviceStream CreateStream() => CudaStream.Create(this);

    public IDeviceEvent CreateEvent() => CudaEvent.Create(this);

    public IDeviceKernel LoadKernel(ReadOnlySpan<byte> image, string function, out IDisposable module)
    {
        CudaModule loaded = CudaModule.Load(this, image);
        module = loaded;
        return loaded.GetKernel(function);
    }

    public void EncodeTensorMap(in TensorMapDescription map, void* target) => CudaTensorMap.Encode(Api, map, target);

    public DeviceState? ReadState() => DeviceMonitor.Read(Properties.Uuid.AsSpan());

    /// <summary>Waits for all work on the device.</summary>
    public void Synchronize() => Api.Check(Api.cuCtxSynchronize(), "cuCtxSynchronize");

    public void Dispose() => _handle.Dispose();

    internal void Enter(CudaHandle resource)
    {
        bool added = false;
        _handle.DangerousAddRef(ref added);
        Interlocked.Increment(ref s_liveResources);
        GC.KeepAlive(resource);
    }

    internal void Leave()
    {
        Interlocked.Decrement(ref s_liveResources);
        _handle.DangerousRelease();
    }

    private sealed class PrimaryContext : SafeHandle
    {
        private readonly DriverApi _api;
        private readonly int _device;

        public PrimaryContext(DriverApi api, nint context, int device) : base(0, ownsHandle: true)
        {
            _api = api;
            _device = device;
            SetHandle(context);
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => _api.cuDevicePrimaryCtxRelease_v2(_device) == 0;
    }
}

/// <summary>What kernels and tactics need to know of a device.</summary>
internal sealed record CudaDeviceProperties
{
    public required int DeviceId { get; init; }

    public required string Name { get; init; }

    /// <summary>90 for compute capability 9.0.</summary>
    public required int ComputeCapability { get; init; }

    public required long MemoryBytes { get; init; }

    public required int Multiprocessors { get; init; }

    public required int L2Bytes { get; init; }

    /// <summary>Most shared memory that one block may have, when its kernel opts in.</summary>
    public required int SharedBytesPerBlock { get; init; }

    public required int SharedBytesPerMultiprocessor { get; init; }

    public required int ThreadsPerMultiprocessor { get; init; }

    /// <summary>16 bytes that no other device has.</summary>
    public required System.Collections.Immutable.ImmutableArray<byte> Uuid { get; init; }

    public string ComputeCapabilityText => $"{ComputeCapability / 10}.{ComputeCapability % 10}";

    public override string ToString() => $"{Name} (compute capability {ComputeCapabilityText})";

    internal static unsafe CudaDeviceProperties Read(DriverApi api, int device, int deviceId)
    {
        byte* name = stackalloc byte[256];
        api.Check(api.cuDeviceGetName(name, 256, device), "cuDeviceGetName");
        byte* uuid = stackalloc byte[16];
        api.Check(api.cuDeviceGetUuid_v2(uuid, device), "cuDeviceGetUuid_v2");
        nuint bytes = 0;
        api.Check(api.cuDeviceTotalMem_v2(&bytes, device), "cuDeviceTotalMem_v2");
        int Attribute(int attribute)
        {
            int value = 0;
            api.Check(api.cuDeviceGetAttribute(&value, attribute, device), "cuDeviceGetAttribute", $"attribute {attribute}");
            return value;
        }
        return new CudaDeviceProperties
        {
            DeviceId = deviceId, Name = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)), MemoryBytes = (long)bytes,
            ComputeCapability = 10 * Attribute(75) + Attribute(76), Multiprocessors = Attribute(16), L2Bytes = Attribute(38),
            SharedBytesPerBlock = Attribute(97), SharedBytesPerMultiprocessor = Attribute(81), ThreadsPerMultiprocessor = Attribute(39), Uuid = [.. new ReadOnlySpan<byte>(uuid, 16)],
        };
    }
}
