using TrtTools.Cuda;
using TrtTools.Tensors;

namespace TrtTools.Launch;

/// <summary>Copies between host and device through pinned memory that is kept.</summary>
internal sealed unsafe class HostTransfer(DeviceProgram program, IDeviceStream stream) : IDisposable
{
    /// <summary>A large input goes in such parts: while the device takes one, several threads bring the next into pinned memory.</summary>
    private const int PartBytes = 16 << 20, PieceBytes = 2 << 20;

    private readonly Dictionary<int, IHostMemory> _staging = [];

    /// <summary>True while copies from staging memory may be on their way: it must not be written to.</summary>
    public bool IsPending { get; set; }

    /// <summary>Queues an input's copy.</summary>
    public void ToDevice(BindingSlot slot, TensorData data, ulong address)
    {
        if (data.ByteCount == 0) return;
        Grow(slot, data.ByteCount);
        byte* staging = slot.Staging!.Pointer;
        IsPending = true;
        if (data.ByteCount <= PartBytes)
        {
            Copy(data, staging);
            stream.CopyToDevice(address, staging, data.ByteCount);
            return;
        }
        for (long at = 0; at < data.ByteCount; at += PartBytes)
        {
            long part = Math.Min(PartBytes, data.ByteCount - at), from = at;
            Parallel.For(0, (int)((part + PieceBytes - 1) / PieceBytes), piece =>
            {
                long start = from + ((long)piece * PieceBytes);
                int length = (int)Math.Min(PieceBytes, from + part - start);
                data.Slice(start, length).CopyTo(new Span<byte>(staging + start, length));
            });
            stream.CopyToDevice(address + (ulong)at, staging + at, part);
        }
        GC.KeepAlive(data);
    }

    /// <summary>Queues the copy of what a host step gave.</summary>
    public void ToDevice(int buffer, TensorData data, ulong address, long room)
    {
        if (data.ByteCount == 0) return;
        if (data.ByteCount > room) throw new TrtToolsException(ErrorCode.EngineCorrupt, $"The engine '{program.Name}'", $"{data} does not fit the {room:N0} bytes of '{program.BufferAt(buffer).Name}'", "", "Build the engine again");
        IHostMemory staging = Grow(buffer, data.ByteCount);
        stream.Synchronize();
        Copy(data, staging.Pointer);
        stream.CopyToDevice(address, staging.Pointer, data.ByteCount);
    }

    /// <summary>The value of a buffer, after waiting for it.</summary>
    public TensorData ToHost(int buffer, DataType type, long[] shape, long bytes, ulong address)
    {
        IHostMemory staging = Grow(buffer, bytes);
        if (bytes > 0) stream.CopyToHost(staging.Pointer, address, bytes);
        stream.Synchronize();
        return TensorData.FromBytes(type, shape, new ReadOnlySpan<byte>(staging.Pointer, checked((int)bytes)).ToArray());
    }

    public void QueueToHost(BindingSlot slot, ulong address, long byteCount)
    {
        Grow(slot, byteCount);
        if (byteCount > 0) stream.CopyToHost(slot.Staging!.Pointer, address, byteCount);
    }

    /// <summary>What <see cref="QueueToHost"/> copied, once it was waited for.</summary>
    public TensorData Take(BindingSlot slot, DataType type, long[] shape)
    {
        long bytes = type.ByteCount(TensorData.CountElements(shape));
        byte[] copy = GC.AllocateUninitializedArray<byte>(checked((int)bytes));
        new ReadOnlySpan<byte>(slot.Staging!.Pointer, copy.Length).CopyTo(copy);
        return TensorData.FromBytes(type, shape, copy);
    }

    private void Grow(BindingSlot slot, long byteCount)
    {
        if (slot.Staging is { } enough && enough.ByteCount >= byteCount) return;
        stream.Synchronize();
        slot.Staging?.Dispose();
        slot.Staging = null;
        slot.Staging = program.Device.AllocateHost(Math.Max(byteCount, program.ReservedBytes(slot.Buffer)));
    }

    private IHostMemory Grow(int buffer, long byteCount)
    {
        if (_staging.TryGetValue(buffer, out IHostMemory? memory) && memory.ByteCount >= byteCount) return memory;
        stream.Synchronize();
        memory?.Dispose();
        _staging.Remove(buffer);
        return _staging[buffer] = program.Device.AllocateHost(byteCount);
    }

    private static void Copy(TensorData data, byte* target)
    {
        const int Chunk = 1 << 30;
        for (long at = 0; at < data.ByteCount; at += Chunk)
        {
            int length = (int)Math.Min(Chunk, data.ByteCount - at);
            data.Slice(at, length).CopyTo(new Span<byte>(target + at, length));
        }
        GC.KeepAlive(data);
    }

    public void Dispose()
    {
        foreach (IHostMemory memory in _staging.Values) memory.Dispose();
        _staging.Clear();
    }
}
