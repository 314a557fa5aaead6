using TrtTools.Cuda;
using PlanLaunch = TrtTools.Engines.Proto.Launch;

namespace TrtTools.Launch;

/// <summary>A launch with everything evaluated but the addresses of buffers.</summary>
internal abstract class PreparedLaunch(PlanLaunch source) : IDisposable
{
    public PlanLaunch Source { get; } = source;

    /// <summary>Takes over the buffers' addresses; until the next change of one of them <see cref="Enqueue"/> needs nothing more.</summary>
    public abstract void Patch(IDevice device, ReadOnlySpan<ulong> addresses);

    public abstract void Enqueue(IDeviceStream stream);

    public virtual void Dispose() { }
}

/// <summary>A place in a buffer.</summary>
internal readonly record struct BufferPlace(int Buffer, long Offset)
{
    public ulong In(ReadOnlySpan<ulong> addresses) => addresses[Buffer] + (ulong)Offset;
}

internal sealed class PreparedKernel(PlanLaunch source, IDeviceKernel kernel, LaunchShape shape, KernelArguments arguments, (int Argument, BufferPlace Place)[] places, PreparedMap[] maps) : PreparedLaunch(source)
{
    public LaunchShape Shape => shape;

    public override unsafe void Patch(IDevice device, ReadOnlySpan<ulong> addresses)
    {
        foreach ((int argument, BufferPlace place) in places) arguments.Set(argument, place.In(addresses));
        foreach (PreparedMap map in maps) device.EncodeTensorMap(map.Describe(addresses), arguments.MapAt(map.Argument));
    }

    public override void Enqueue(IDeviceStream stream)
    {
        if (!shape.IsEmpty) stream.Launch(kernel, shape, arguments);
    }

    /// <summary>Makes it the launch that a node of a graph is.</summary>
    public void Set(IDeviceGraph graph, nint node) => graph.SetKernel(node, kernel, shape, arguments);

    public override void Dispose() => arguments.Dispose();
}

/// <summary>A tensor map but for its address.</summary>
internal sealed class PreparedMap(int argument, BufferPlace place, Engines.Proto.TensorMap source, ulong[] extents, ulong[] strides)
{
    private readonly uint[] _box = [.. source.Box], _elementStrides = source.ElementStrides.Count > 0 ? [.. source.ElementStrides] : [.. extents.Select(_ => 1u)];
    private readonly int[] _lower = [.. source.LowerCorner], _upper = [.. source.UpperCorner];

    public int Argument => argument;

    public TensorMapDescription Describe(ReadOnlySpan<ulong> addresses) => new()
    {
        Address = place.In(addresses), Type = (Tensors.DataType)source.DataType, Extents = extents, Strides = strides, Box = _box, ElementStrides = _elementStrides, SwizzleBytes = (int)source.SwizzleBytes,
        IsIm2Col = source.Im2Col, LowerCorner = _lower, UpperCorner = _upper, ChannelsPerPixel = source.ChannelsPerPixel, PixelsPerColumn = source.PixelsPerColumn,
    };
}

internal sealed class PreparedLibraryCall(PlanLaunch source, IPreparedCall call, BufferPlace[] operands) : PreparedLaunch(source)
{
    private readonly ulong[] _addresses = new ulong[operands.Length];

    public override void Patch(IDevice device, ReadOnlySpan<ulong> addresses)
    {
        for (int i = 0; i < operands.Length; i++) _addresses[i] = operands[i].In(addresses);
    }

    public override void Enqueue(IDeviceStream stream) => call.Enqueue(_addresses, stream.Handle);

    public override void Dispose() => call.Dispose();
}

/// <summary>A launch that another optimization profile has.</summary>
internal sealed class PreparedNothing(PlanLaunch source) : PreparedLaunch(source)
{
    public override void Patch(IDevice device, ReadOnlySpan<ulong> addresses) { }

    public override void Enqueue(IDeviceStream stream) { }
}

internal sealed class PreparedCopy(PlanLaunch source, BufferPlace from, BufferPlace to, long byteCount) : PreparedLaunch(source)
{
    private ulong _from, _to;

    public override void Patch(IDevice device, ReadOnlySpan<ulong> addresses) => (_from, _to) = (from.In(addresses), to.In(addresses));

    public override void Enqueue(IDeviceStream stream)
    {
        if (byteCount > 0) stream.CopyOnDevice(_to, _from, byteCount);
    }
}

internal sealed class PreparedFill(PlanLaunch source, BufferPlace to, byte value, long byteCount) : PreparedLaunch(source)
{
    private ulong _to;

    public override void Patch(IDevice device, ReadOnlySpan<ulong> addresses) => _to = to.In(addresses);

    public override void Enqueue(IDeviceStream stream)
    {
        if (byteCount > 0) stream.Fill(_to, value, byteCount);
    }
}
