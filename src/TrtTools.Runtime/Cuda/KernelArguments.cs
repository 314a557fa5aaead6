using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

internal enum KernelArgumentKind { Address, Int32, Int64, Float32, TensorMap }

/// <summary>Values of a kernel's arguments in native memory, one pointer to each, as the driver wants them.</summary>
internal sealed unsafe class KernelArguments : IDisposable
{
    private readonly KernelArgumentKind[] _kinds;
    private byte* _block;

    public KernelArguments(params ReadOnlySpan<KernelArgumentKind> kinds)
    {
        _kinds = kinds.ToArray();
        nuint table = Round((nuint)(Math.Max(1, _kinds.Length) * sizeof(void*))), bytes = table;
        foreach (KernelArgumentKind kind in _kinds) bytes += SizeOf(kind);
        // Maps come first in the block, where the alignment of the block is theirs; the rest needs 8 bytes.
        _block = (byte*)NativeMemory.AlignedAlloc(Round(bytes), CudaTensorMap.Alignment);
        NativeMemory.Clear(_block, Round(bytes));
        Pointers = (void**)_block;
        byte* at = _block + table;
        foreach (bool maps in stackalloc[] { true, false })
        {
            for (int i = 0; i < _kinds.Length; i++)
            {
                if (_kinds[i] == KernelArgumentKind.TensorMap != maps) continue;
                Pointers[i] = at;
                at += SizeOf(_kinds[i]);
            }
        }
    }

    ~KernelArguments() => Dispose();

    public int Count => _kinds.Length;

    public void** Pointers { get; }

    public KernelArgumentKind KindOf(int index) => _kinds[index];

    public void Set(int index, ulong address) => *(ulong*)At(index, KernelArgumentKind.Address) = address;

    public void Set(int index, int value) => *(int*)At(index, KernelArgumentKind.Int32) = value;

    public void Set(int index, long value) => *(long*)At(index, KernelArgumentKind.Int64) = value;

    public void Set(int index, float value) => *(float*)At(index, KernelArgumentKind.Float32) = value;

    /// <summary>Where the 128 bytes of a tensor map stand.</summary>
    public void* MapAt(int index) => At(index, KernelArgumentKind.TensorMap);

    public ulong AddressAt(int index) => *(ulong*)At(index, KernelArgumentKind.Address);

    public int Int32At(int index) => *(int*)At(index, KernelArgumentKind.Int32);

    public long Int64At(int index) => *(long*)At(index, KernelArgumentKind.Int64);

    public float Float32At(int index) => *(float*)At(index, KernelArgumentKind.Float32);

    private void* At(int index, KernelArgumentKind kind)
    {
        ObjectDisposedException.ThrowIf(_block is null, this);
        return _kinds[index] == kind ? Pointers[index] : throw new ArgumentException($"Argument {index} is of the kind {_kinds[index]}, not {kind}.", nameof(kind));
    }

    private static nuint SizeOf(KernelArgumentKind kind) => kind == KernelArgumentKind.TensorMap ? CudaTensorMap.ByteCount : 8u;

    private static nuint Round(nuint bytes) => (bytes + CudaTensorMap.Alignment - 1) / CudaTensorMap.Alignment * CudaTensorMap.Alignment;

    public void Dispose()
    {
        if (_block is null) return;
        NativeMemory.AlignedFree(_block);
        _block = null;
        GC.SuppressFinalize(this);
    }
}
