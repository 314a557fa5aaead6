using System.Runtime.CompilerServices;

namespace TrtTools.Cuda;

/// <summary>Memory on the device, aligned to 256 bytes.</summary>
internal unsafe class DeviceBuffer : CudaHandle, IDeviceMemory
{
    private protected DeviceBuffer(CudaContext context, ulong address, long byteCount) : base(context, (nint)address) => ByteCount = byteCount;

    public static DeviceBuffer Allocate(CudaContext context, long byteCount) => new(context, AllocateMemory(context, byteCount), byteCount);

    public long ByteCount { get; }

    public ulong Address => (ulong)Native;

    /// <summary>Copies at once, from memory of any kind.</summary>
    public void CopyFromHost(ReadOnlySpan<byte> source, long offset = 0)
    {
        CheckRange(offset, source.Length);
        fixed (byte* first = source) Api.Check(Api.cuMemcpyHtoD_v2(Address + (ulong)offset, first, (nuint)source.Length), "cuMemcpyHtoD_v2", $"{source.Length:N0} bytes");
    }

    public void CopyToHost(Span<byte> target, long offset = 0)
    {
        CheckRange(offset, target.Length);
        fixed (byte* first = target) Api.Check(Api.cuMemcpyDtoH_v2(first, Address + (ulong)offset, (nuint)target.Length), "cuMemcpyDtoH_v2", $"{target.Length:N0} bytes");
    }

    private protected static ulong AllocateMemory(CudaContext context, long byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        ulong address = 0;
        // The driver refuses to allocate nothing; an empty tensor still needs an address.
        context.Api.Check(context.Api.cuMemAlloc_v2(&address, (nuint)Math.Max(1, byteCount)), "cuMemAlloc_v2", $"{byteCount:N0} bytes");
        return address;
    }

    private void CheckRange(long offset, long length)
    {
        if (offset < 0 || offset > ByteCount - length) throw new ArgumentOutOfRangeException(nameof(offset), $"{length:N0} bytes at {offset:N0} lie outside a buffer of {ByteCount:N0} bytes.");
    }

    protected override int Destroy(nint native) => Api.cuMemFree_v2((ulong)native);
}

/// <summary>Elements on the device.</summary>
internal sealed class CudaDeviceVariable<T> : DeviceBuffer where T : unmanaged
{
    private CudaDeviceVariable(CudaContext context, ulong address, long count) : base(context, address, count * Unsafe.SizeOf<T>()) => Size = count;

    public static CudaDeviceVariable<T> Create(CudaContext context, long count) => new(context, AllocateMemory(context, checked(count * Unsafe.SizeOf<T>())), count);

    public static CudaDeviceVariable<T> Create(CudaContext context, ReadOnlySpan<T> content)
    {
        CudaDeviceVariable<T> variable = Create(context, content.Length);
        variable.CopyToDevice(content);
        return variable;
    }

    /// <summary>Number of elements.</summary>
    public long Size { get; }

    public void CopyToDevice(ReadOnlySpan<T> source) => CopyFromHost(System.Runtime.InteropServices.MemoryMarshal.AsBytes(source));

    public void CopyToHost(Span<T> target) => CopyToHost(System.Runtime.InteropServices.MemoryMarshal.AsBytes(target), 0);

    public T[] ToArray()
    {
        T[] result = new T[Size];
        CopyToHost(result.AsSpan());
        return result;
    }
}

/// <summary>Host memory that the device copies from and to by itself.</summary>
internal sealed unsafe class PinnedBuffer : CudaHandle, IHostMemory
{
    private const uint Portable = 1;

    private PinnedBuffer(CudaContext context, void* memory, long byteCount) : base(context, (nint)memory) => ByteCount = byteCount;

    public static PinnedBuffer Allocate(CudaContext context, long byteCount)
    {
        void* memory = null;
        context.Api.Check(context.Api.cuMemHostAlloc(&memory, (nuint)Math.Max(1, byteCount), Portable), "cuMemHostAlloc", $"{byteCount:N0} bytes of host memory");
        return new PinnedBuffer(context, memory, byteCount);
    }

    public long ByteCount { get; }

    public byte* Pointer => (byte*)Native;

    protected override int Destroy(nint native) => Api.cuMemFreeHost((void*)native);
}
