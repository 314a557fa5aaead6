namespace TrtTools.Cuda;

/// <summary>One backend descriptor, owned.</summary>
internal sealed unsafe class CudnnDescriptor(CudnnDescriptorType type) : IDisposable
{
    private nint _handle = Cudnn.CreateDescriptor(type);

    public nint Handle => _handle;

    public CudnnDescriptorType Type { get; } = type;

    public CudnnDescriptor Set(CudnnAttribute attribute, CudnnValue type, int value)
    {
        Cudnn.Set(_handle, attribute, type, 1, &value);
        return this;
    }

    public CudnnDescriptor Set(CudnnAttribute attribute, long value)
    {
        Cudnn.Set(_handle, attribute, CudnnValue.Int64, 1, &value);
        return this;
    }

    public CudnnDescriptor Set(CudnnAttribute attribute, IReadOnlyList<long> values)
    {
        long[] copy = [.. values];
        fixed (long* first = copy) Cudnn.Set(_handle, attribute, CudnnValue.Int64, copy.Length, first);
        return this;
    }

    public CudnnDescriptor Set(CudnnAttribute attribute, bool value)
    {
        byte flag = value ? (byte)1 : (byte)0;
        Cudnn.Set(_handle, attribute, CudnnValue.Boolean, 1, &flag);
        return this;
    }

    public CudnnDescriptor Set(CudnnAttribute attribute, float value)
    {
        Cudnn.Set(_handle, attribute, CudnnValue.Float, 1, &value);
        return this;
    }

    public CudnnDescriptor Set(CudnnAttribute attribute, CudnnDescriptor value)
    {
        nint handle = value._handle;
        Cudnn.Set(_handle, attribute, CudnnValue.Descriptor, 1, &handle);
        return this;
    }

    public CudnnDescriptor Set(CudnnAttribute attribute, IReadOnlyList<CudnnDescriptor> values)
    {
        nint[] handles = [.. values.Select(v => v._handle)];
        fixed (nint* first = handles) Cudnn.Set(_handle, attribute, CudnnValue.Descriptor, handles.Length, first);
        return this;
    }

    public CudnnDescriptor SetHandle(CudnnAttribute attribute, nint library)
    {
        Cudnn.Set(_handle, attribute, CudnnValue.Handle, 1, &library);
        return this;
    }

    public CudnnDescriptor SetText(CudnnAttribute attribute, ReadOnlySpan<byte> text)
    {
        fixed (byte* first = text) Cudnn.Set(_handle, attribute, CudnnValue.Char, text.Length, first);
        return this;
    }

    public CudnnDescriptor SetPointers(CudnnAttribute attribute, ReadOnlySpan<ulong> addresses)
    {
        fixed (ulong* first = addresses) Cudnn.Set(_handle, attribute, CudnnValue.VoidPointer, addresses.Length, first);
        return this;
    }

    public CudnnDescriptor Done(string what)
    {
        Cudnn.Finalize(_handle, what);
        return this;
    }

    public bool TryFinish(out string problem) => Cudnn.TryFinalize(_handle, out problem);

    public long GetInt64(CudnnAttribute attribute)
    {
        long value = 0;
        Cudnn.Get(_handle, attribute, CudnnValue.Int64, 1, &value);
        return value;
    }

    public int GetInt32(CudnnAttribute attribute, CudnnValue type)
    {
        int value = 0;
        Cudnn.Get(_handle, attribute, type, 1, &value);
        return value;
    }

    public int[] GetInt32s(CudnnAttribute attribute, CudnnValue type, int most)
    {
        int[] values = new int[most];
        long found;
        fixed (int* first = values) found = Cudnn.Get(_handle, attribute, type, most, first);
        return values[..(int)Math.Min(found, most)];
    }

    public byte[] GetText(CudnnAttribute attribute)
    {
        long size = Cudnn.Get(_handle, attribute, CudnnValue.Char, 0, null);
        byte[] text = new byte[size];
        fixed (byte* first = text) Cudnn.Get(_handle, attribute, CudnnValue.Char, size, first);
        int end = Array.IndexOf(text, (byte)0);
        return end < 0 ? text : text[..end];
    }

    /// <summary>Descriptors that an attribute holds, up to a number; the caller disposes them.</summary>
    public IReadOnlyList<CudnnDescriptor> GetDescriptors(CudnnAttribute attribute, CudnnDescriptorType type, int most)
    {
        List<CudnnDescriptor> made = [];
        try
        {
            for (int i = 0; i < most; i++) made.Add(new CudnnDescriptor(type));
            nint[] handles = [.. made.Select(d => d._handle)];
            long found;
            fixed (nint* first = handles) found = Cudnn.Get(_handle, attribute, CudnnValue.Descriptor, most, first);
            for (int i = made.Count - 1; i >= Math.Max(0, found); i--)
            {
                made[i].Dispose();
                made.RemoveAt(i);
            }
            return made;
        }
        catch
        {
            foreach (CudnnDescriptor descriptor in made) descriptor.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (_handle != 0) Cudnn.DestroyDescriptor(_handle);
        _handle = 0;
    }
}
