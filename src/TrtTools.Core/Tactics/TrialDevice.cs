using System.Security.Cryptography;
using TrtTools.Cuda;

namespace TrtTools.Tactics;

/// <summary>A device for many trials, one after another: modules and memory of one are kept for the next. Disposing it does nothing, since every trial's program does; <see cref="Close"/> lets all go.</summary>
internal sealed class TrialDevice(IDevice inner) : IDevice
{
    private readonly Dictionary<string, (IDeviceKernel Kernel, IDisposable Module)> _kernels = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, Stack<IDeviceMemory>> _free = [];

    public string Name => inner.Name;

    public int ComputeCapability => inner.ComputeCapability;

    public void MakeCurrent() => inner.MakeCurrent();

    public IDeviceMemory Allocate(long byteCount)
    {
        // Memory of up to twice the size serves.
        foreach ((long size, Stack<IDeviceMemory> stack) in _free)
        {
            if (size < byteCount || stack.Count == 0) continue;
            if (size > 2 * Math.Max(byteCount, 4096)) break;
            return new Lent(this, stack.Pop(), byteCount);
        }
        long room = Math.Max(256, (byteCount + 255) / 256 * 256);
        try
        {
            return new Lent(this, inner.Allocate(room), byteCount);
        }
        catch (TrtToolsException e) when (e.Code == ErrorCode.OutOfDeviceMemory && FreeAll())
        {
            return new Lent(this, inner.Allocate(room), byteCount);
        }
    }

    public IHostMemory AllocateHost(long byteCount) => inner.AllocateHost(byteCount);

    public IDeviceStream CreateStream() => inner.CreateStream();

    public IDeviceEvent CreateEvent() => inner.CreateEvent();

    public IDeviceKernel LoadKernel(ReadOnlySpan<byte> image, string function, out IDisposable module)
    {
        module = Nothing.Instance;
        string key = $"{function} {Convert.ToHexString(SHA256.HashData(image))}";
        if (_kernels.TryGetValue(key, out (IDeviceKernel Kernel, IDisposable Module) known)) return known.Kernel;
        IDeviceKernel kernel = inner.LoadKernel(image, function, out IDisposable loaded);
        _kernels.Add(key, (kernel, loaded));
        return kernel;
    }

    public DeviceState? ReadState() => inner.ReadState();

    public unsafe void EncodeTensorMap(in TensorMapDescription map, void* target) => inner.EncodeTensorMap(map, target);

    public void Dispose() { }

    public void Close()
    {
        inner.MakeCurrent();
        FreeAll();
        foreach ((_, IDisposable module) in _kernels.Values) module.Dispose();
        _kernels.Clear();
        inner.Dispose();
    }

    /// <summary>False where there was nothing to free.</summary>
    private bool FreeAll()
    {
        bool any = false;
        foreach (IDeviceMemory memory in _free.Values.SelectMany(s => s))
        {
            memory.Dispose();
            any = true;
        }
        _free.Clear();
        return any;
    }

    private sealed class Lent(TrialDevice owner, IDeviceMemory memory, long byteCount) : IDeviceMemory
    {
        private bool _isBack;

        public ulong Address => memory.Address;

        public long ByteCount => byteCount;

        public void CopyFromHost(ReadOnlySpan<byte> source, long offset) => memory.CopyFromHost(source, offset);

        public void Dispose()
        {
            if (_isBack) return;
            _isBack = true;
            if (!owner._free.TryGetValue(memory.ByteCount, out Stack<IDeviceMemory>? stack)) owner._free.Add(memory.ByteCount, stack = new Stack<IDeviceMemory>());
            stack.Push(memory);
        }
    }

    private sealed class Nothing : IDisposable
    {
        public static readonly Nothing Instance = new();

        public void Dispose() { }
    }
}
