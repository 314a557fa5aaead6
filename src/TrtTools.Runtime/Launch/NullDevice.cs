using System.Runtime.InteropServices;
using TrtTools.Cuda;

namespace TrtTools.Launch;

/// <summary>A launch as the Null device saw it.</summary>
internal sealed record NullLaunch(string Name, LaunchShape Shape, IReadOnlyList<object> Arguments);

/// <summary>What a kernel does on the Null device, where a test scripts it.</summary>
internal delegate void NullKernelBody(LaunchShape shape, KernelArguments arguments);

/// <summary>
/// A device without hardware. Its memory is the host's, its copies are real, its kernels compute nothing but what a test scripts, and every launch is recorded with its evaluated arguments.
/// Times are those that are scripted.
/// </summary>
internal sealed unsafe class NullDevice : IDevice
{
    private readonly Lock _gate = new();
    private readonly List<NullLaunch> _launches = [];
    private long _liveBytes;
    private int _live;

    public string Name { get; init; } = "Null device";

    public int ComputeCapability { get; init; } = 90;

    /// <summary>Allocations beyond it fail as a GPU's do.</summary>
    public long MemoryLimit { get; init; } = long.MaxValue;

    /// <summary>What scripted kernels do, by name.</summary>
    public Dictionary<string, NullKernelBody> Kernels { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Milliseconds that a launch takes.</summary>
    public Func<NullLaunch, double> TimeOf { get; init; } = _ => 0;

    /// <summary>True: capturing is an error, as with a library that does not allow it.</summary>
    public bool RefusesCapture { get; init; }

    public IReadOnlyList<NullLaunch> Launches
    {
        get
        {
            lock (_gate) return [.. _launches];
        }
    }

    public long LiveBytes => Interlocked.Read(ref _liveBytes);

    /// <summary>Memory, streams, events, kernels and graphs that are open.</summary>
    public int LiveResources => Volatile.Read(ref _live);

    public int Allocations { get; private set; }

    public int Captures { get; private set; }

    /// <summary>Launches in graphs that were changed.</summary>
    public int GraphChanges { get; private set; }

    /// <summary>What the device says of its clocks.</summary>
    public DeviceState? State { get; init; }

    public DeviceState? ReadState() => State;

    public void MakeCurrent() { }

    public IDeviceMemory Allocate(long byteCount)
    {
        if (LiveBytes + byteCount > MemoryLimit)
        {
            throw new TrtToolsException(ErrorCode.OutOfDeviceMemory, $"Null device ({byteCount:N0} bytes)", $"OutOfMemory; {MemoryLimit - LiveBytes:N0} of the device's {MemoryLimit:N0} bytes are free", "", "Run a smaller batch");
        }
        Allocations++;
        return new Memory(this, byteCount);
    }

    public IHostMemory AllocateHost(long byteCount) => new Memory(this, byteCount);

    public IDeviceStream CreateStream() => new Stream(this);

    public IDeviceEvent CreateEvent() => new Event(this);

    public IDeviceKernel LoadKernel(ReadOnlySpan<byte> image, string function, out IDisposable module)
    {
        Kernel kernel = new(this, function);
        module = kernel;
        return kernel;
    }

    /// <summary>Puts the address and the extents where the driver puts its own encoding.</summary>
    public void EncodeTensorMap(in TensorMapDescription map, void* target)
    {
        Span<ulong> words = new(target, CudaTensorMap.ByteCount / sizeof(ulong));
        words.Clear();
        words[0] = map.Address;
        map.Extents.CopyTo(words[1..]);
    }

    public void Dispose() { }

    private void Record(NullLaunch launch)
    {
        lock (_gate) _launches.Add(launch);
    }

    private abstract class Resource : IDisposable
    {
        private int _disposed;

        protected Resource(NullDevice device)
        {
            Device = device;
            Interlocked.Increment(ref device._live);
        }

        protected NullDevice Device { get; }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
            Interlocked.Decrement(ref Device._live);
            Free();
        }

        protected virtual void Free() { }
    }

    private sealed class Memory : Resource, IDeviceMemory, IHostMemory
    {
        public Memory(NullDevice device, long byteCount) : base(device)
        {
            ByteCount = byteCount;
            Pointer = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(1, byteCount), 256);
            // What nobody wrote shows: as floats it is NaN.
            new Span<byte>(Pointer, checked((int)byteCount)).Fill(0xFF);
            Interlocked.Add(ref device._liveBytes, byteCount);
        }

        public byte* Pointer { get; }

        public ulong Address => (ulong)Pointer;

        public long ByteCount { get; }

        public void CopyFromHost(ReadOnlySpan<byte> source, long offset) => source.CopyTo(new Span<byte>(Pointer, checked((int)ByteCount))[checked((int)offset)..]);

        protected override void Free()
        {
            Interlocked.Add(ref Device._liveBytes, -ByteCount);
            NativeMemory.AlignedFree(Pointer);
        }
    }

    private sealed class Kernel(NullDevice device, string name) : Resource(device), IDeviceKernel
    {
        public string Name { get; } = name;

        public void Allow(int dynamicSharedBytes, int clusterBlocks) { }
    }

    private sealed class Event(NullDevice device) : Resource(device), IDeviceEvent
    {
        public double Time { get; set; }

        public void Synchronize() { }

        public float MillisecondsSince(IDeviceEvent start) => (float)(Time - ((Event)start).Time);
    }

    private sealed class Graph(NullDevice device, List<Action> actions, Func<IDeviceKernel, LaunchShape, KernelArguments, Action> launch) : Resource(device), IDeviceGraph
    {
        public void SetKernel(nint node, IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments)
        {
            Device.GraphChanges++;
            actions[(int)node - 1] = launch(kernel, shape, arguments);
        }

        public void Run()
        {
            foreach (Action action in actions) action();
        }
    }

    private sealed class Stream(NullDevice device) : Resource(device), IDeviceStream
    {
        private List<Action>? _captured;
        private double _time;

        public nint Handle => 0;

        public void Launch(IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments)
        {
            Do(Prepare(kernel, shape, arguments));
        }

        public nint LastNode => _captured?.Count ?? 0;

        /// <summary>A launch with its arguments as they are now.</summary>
        private Action Prepare(IDeviceKernel kernel, LaunchShape shape, KernelArguments arguments)
        {
            NullLaunch launch = new(kernel.Name, shape, [.. Enumerable.Range(0, arguments.Count).Select(i => Value(arguments, i))]);
            return () =>
            {
                Device.Record(launch);
                _time += Device.TimeOf(launch);
                if (!Device.Kernels.TryGetValue(launch.Name, out NullKernelBody? body)) return;
                using KernelArguments copy = Copy(launch);
                body(shape, copy);
            };
        }

        public void CopyToDevice(ulong target, void* source, long byteCount) => Do(() => Buffer.MemoryCopy(source, (void*)target, byteCount, byteCount));

        public void CopyToHost(void* target, ulong source, long byteCount) => Do(() => Buffer.MemoryCopy((void*)source, target, byteCount, byteCount));

        public void CopyOnDevice(ulong target, ulong source, long byteCount) => Do(() =>
        {
            Device.Record(new NullLaunch("copy", default, [target, source, byteCount]));
            Buffer.MemoryCopy((void*)source, (void*)target, byteCount, byteCount);
        });

        public void Fill(ulong target, byte value, long byteCount) => Do(() =>
        {
            Device.Record(new NullLaunch("fill", default, [target, value, byteCount]));
            new Span<byte>((void*)target, checked((int)byteCount)).Fill(value);
        });

        public void Record(IDeviceEvent mark) => Do(() => ((Event)mark).Time = _time);

        public void Synchronize() { }

        public void BeginCapture()
        {
            if (Device.RefusesCapture) throw new TrtToolsException(ErrorCode.CudaFailed, "Null device", "StreamCaptureUnsupported", "", "");
            _captured = [];
        }

        public IDeviceGraph EndCapture()
        {
            Device.Captures++;
            Graph graph = new(Device, _captured!, Prepare);
            _captured = null;
            return graph;
        }

        public void AbandonCapture() => _captured = null;

        public void Launch(IDeviceGraph graph) => ((Graph)graph).Run();

        private void Do(Action action)
        {
            if (_captured is null) action();
            else _captured.Add(action);
        }

        /// <summary>Arguments with the values of a launch, whatever has become of the ones it was made with.</summary>
        private static KernelArguments Copy(NullLaunch launch)
        {
            KernelArguments copy = new([.. launch.Arguments.Select(a => a switch { ulong => KernelArgumentKind.Address, int => KernelArgumentKind.Int32, long => KernelArgumentKind.Int64, float => KernelArgumentKind.Float32, _ => KernelArgumentKind.TensorMap })]);
            for (int i = 0; i < launch.Arguments.Count; i++)
            {
                switch (launch.Arguments[i])
                {
                    case ulong address: copy.Set(i, address); break;
                    case int number: copy.Set(i, number); break;
                    case long number: copy.Set(i, number); break;
                    case float number: copy.Set(i, number); break;
                    case ulong[] map: map.CopyTo(new Span<ulong>(copy.MapAt(i), map.Length)); break;
                }
            }
            return copy;
        }

        private static object Value(KernelArguments arguments, int index) => arguments.KindOf(index) switch
        {
            KernelArgumentKind.Address => arguments.AddressAt(index),
            KernelArgumentKind.Int32 => arguments.Int32At(index),
            KernelArgumentKind.Int64 => arguments.Int64At(index),
            KernelArgumentKind.Float32 => arguments.Float32At(index),
            _ => new Span<ulong>(arguments.MapAt(index), CudaTensorMap.ByteCount / sizeof(ulong)).ToArray(),
        };
    }
}
