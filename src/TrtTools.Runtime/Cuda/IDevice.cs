using TrtTools.Tensors;

namespace TrtTools.Cuda;

/// <summary>What plans run on: a CUDA context, or the Null device, which computes nothing and records everything.</summary>
internal interface IDevice : IDisposable
{
    /// <summary>As users know it.</summary>
    string Name { get; }

    /// <summary>90 for compute capability 9.0.</summary>
    int ComputeCapability { get; }

    /// <summary>To call on a thread before anything else of the device.</summary>
    void MakeCurrent();

    IDeviceMemory Allocate(long byteCount);

    /// <summary>Memory of the host that the device can copy from and to on its own.</summary>
    IHostMemory AllocateHost(long byteCount);

    IDeviceStream CreateStream();

    IDeviceEvent CreateEvent();

    /// <summary>Functions of a module keep it loaded; it is unloaded with <paramref name="module"/>.</summary>
    IDeviceKernel LoadKernel(ReadOnlySpan<byte> image, string function, out IDisposable module);

    /// <summary>Clocks and what slows the device down, where that can be read.</summary>
    DeviceState? ReadState() => null;

    unsafe void EncodeTensorMap(in TensorMapDescription map, void* target);
}

internal interface IDeviceMemory : IDisposable
{
    ulong Address { get; }

    long ByteCount { get; }

    void CopyFromHost(ReadOnlySpan<byte> source, long offset = 0);
}

internal unsafe interface IHostMemory : IDisposable
{
    byte* Pointer { get; }

    long ByteCount { get; }
}

internal interface IDeviceKernel
{
    string Name { get; }

    /// <summary>Allows launches with this much dynamic shared memory and clusters of this many blocks.</summary>
    void Allow(int dynamicSharedBytes, int clusterBlocks);
}

internal interface IDeviceEvent : IDisposable
{
    void Synchronize();

    /// <summary>Both events are done.</summary>
    float MillisecondsSince(IDeviceEvent start);
}

internal interface IDeviceGraph : IDisposable
{
    /// <summary>Changes how one of its launches is made, from the next launch of the graph on. The kernel, its cluster and whether it is programmatic stay.</summary>
    /// <param name="node">What <see cref="IDeviceStream.LastNode"/> gave behind the launch.</param>
    void SetKernel(nint node, IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments);
}

/// <summary>A queue of work; for one thread at a time.</summary>
internal unsafe interface IDeviceStream : IDisposable
{
    /// <summary>The driver's handle, for libraries.</summary>
    nint Handle { get; }

    void Launch(IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments);

    void CopyToDevice(ulong target, void* source, long byteCount);

    void CopyToHost(void* target, ulong source, long byteCount);

    void CopyOnDevice(ulong target, ulong source, long byteCount);

    void Fill(ulong target, byte value, long byteCount);

    void Record(IDeviceEvent mark);

    void Synchronize();

    void BeginCapture();

    /// <summary>While capturing: what the call before became in the graph; 0 where that is unknown.</summary>
    nint LastNode { get; }

    IDeviceGraph EndCapture();

    /// <summary>Leaves the capture after an error in it.</summary>
    void AbandonCapture();

    void Launch(IDeviceGraph graph);
}
