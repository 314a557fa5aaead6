using TrtTools.Cuda;
using TrtTools.Tensors;

namespace TrtTools.Launch;

/// <summary>An input or output of a context: what the caller gave for it, and the memory that the context has for it where the caller gave none.</summary>
internal sealed class BindingSlot(string name, int buffer, bool onDevice) : IDisposable
{
    private long[] _shape = [];
    private ulong _address;
    private long _byteCount;
    private bool _isSet;
    private IDeviceMemory? _memory;

    public string Name { get; } = name;

    /// <summary>Number of the plan's buffer; -1 for an input that nothing uses.</summary>
    public int Buffer { get; } = buffer;

    public bool OnDevice { get; } = onDevice;

    /// <summary>The caller's memory, where it gave some.</summary>
    public ulong BoundAddress => _address;

    /// <summary>The value on the host, where that is what was given or made.</summary>
    public TensorData? Host { get; set; }

    public ReadOnlySpan<long> Shape => Host is { } data ? data.Shape : _shape;

    /// <summary>Memory on the host for copies of this tensor.</summary>
    public IHostMemory? Staging { get; set; }

    public void Set(TensorData data)
    {
        (Host, _address, _isSet) = (data, 0, true);
    }

    public void Bind(ulong address, long byteCount, ReadOnlySpan<long> shape)
    {
        if (!_shape.AsSpan().SequenceEqual(shape)) _shape = shape.ToArray();
        (Host, _address, _byteCount, _isSet) = (null, address, byteCount, address != 0);
    }

    public void RequireSet(string engine)
    {
        if (!_isSet) throw new TrtToolsException(ErrorCode.InputNotFound, $"The engine '{engine}'", $"no value was given for '{Name}'", "", "Set or bind every input");
    }

    /// <summary>Where the tensor lies on the device in this run.</summary>
    public ulong Place(DeviceProgram program, IDeviceStream stream, long byteCount)
    {
        if (_address != 0)
        {
            if (_byteCount < byteCount)
            {
                throw new TrtToolsException(ErrorCode.InputInvalid, $"The engine '{program.Name}'", $"the memory bound to '{Name}' has {_byteCount:N0} bytes", $"{byteCount:N0} bytes", "Bind larger memory");
            }
            return _address;
        }
        if (_memory is null || _memory.ByteCount < byteCount)
        {
            stream.Synchronize();
            _memory?.Dispose();
            _memory = null;
            _memory = program.Device.Allocate(Math.Max(byteCount, program.ReservedBytes(Buffer)));
        }
        return _memory.Address;
    }

    public void Dispose()
    {
        _memory?.Dispose();
        Staging?.Dispose();
    }
}
