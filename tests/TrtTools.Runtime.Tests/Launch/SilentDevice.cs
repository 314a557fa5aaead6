using TrtTools.Cuda;

namespace TrtTools.Tests.Launch;

/// <summary>A device that does nothing and allocates nothing once it is set up: whatever is allocated in a run is the runtime's.</summary>
internal sealed unsafe class SilentDevice : IDevice, IDeviceStream, IDeviceEvent, IDeviceKernel, IDeviceGraph
{
    public string Name => "silent";

    public int ComputeCapability => 90;

    public nint Handle => 0;

    public int GraphLaunches { get; private set; }

    public int Allocations { get; private set; }

    public void MakeCurrent() { }

    public IDeviceMemory Allocate(long byteCount)
    {
        Allocations++;
        return new Memory { Address = (ulong)Allocations << 32, ByteCount = byteCount };
    }

    public IHostMemory AllocateHost(long byteCount) => throw new NotSupportedException();

    public IDeviceStream CreateStream() => this;

    public IDeviceEvent CreateEvent() => this;

    public IDeviceKernel LoadKernel(ReadOnlySpan<byte> image, string function, out IDisposable module)
    {
        module = this;
        return this;
    }

    public void EncodeTensorMap(in TensorMapDescription map, void* target) { }

    public void Launch(IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments) { }

    public void CopyToDevice(ulong target, void* source, long byteCount) { }

    public void CopyToHost(void* target, ulong source, long byteCount) { }

    public void CopyOnDevice(ulong target, ulong source, long byteCount) { }

    public void Fill(ulong target, byte value, long byteCount) { }

    public void Record(IDeviceEvent mark) { }

    public void Synchronize() { }

    public void BeginCapture() { }

    public nint LastNode => 1;

    public void SetKernel(nint node, IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments) => GraphChanges++;

    public int GraphChanges { get; private set; }

    public IDeviceGraph EndCapture() => this;

    public void AbandonCapture() { }

    public void Launch(IDeviceGraph graph) => GraphLaunches++;

    public void Allow(int dynamicSharedBytes, int clusterBlocks) { }

    public float MillisecondsSince(IDeviceEvent start) => 0;

    public void Dispose() { }

    private sealed class Memory : IDeviceMemory
    {
        public ulong Address { get; init; }

        public long ByteCount { get; init; }

        public void CopyFromHost(ReadOnlySpan<byte> source, long offset = 0) { }

        public void Dispose() { }
    }
}
