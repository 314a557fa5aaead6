namespace TrtTools.Cuda;

/// <summary>A mark in a stream.</summary>
internal sealed unsafe class CudaEvent : CudaHandle, IDeviceEvent
{
    private const uint BlockingSync = 1, DisableTiming = 2;

    private CudaEvent(CudaContext context, nint handle) : base(context, handle) { }

    /// <param name="timing">Whether times between events are read; those without are cheaper.</param>
    /// <param name="blocking">Whether a waiting thread sleeps instead of spinning.</param>
    public static CudaEvent Create(CudaContext context, bool timing = true, bool blocking = false)
    {
        nint handle = 0;
        context.Api.Check(context.Api.cuEventCreate(&handle, (timing ? 0 : DisableTiming) | (blocking ? BlockingSync : 0)), "cuEventCreate");
        return new CudaEvent(context, handle);
    }

    public void Record(CudaStream stream) => Api.Check(Api.cuEventRecord(Native, stream.Native), "cuEventRecord");

    public void Synchronize() => Api.Check(Api.cuEventSynchronize(Native), "cuEventSynchronize");

    /// <summary>Milliseconds from an earlier event to this one; both are done.</summary>
    public float MillisecondsSince(CudaEvent start)
    {
        float milliseconds = 0;
        Api.Check(Api.cuEventElapsedTime(&milliseconds, start.Native, Native), "cuEventElapsedTime");
        return milliseconds;
    }

    float IDeviceEvent.MillisecondsSince(IDeviceEvent start) => MillisecondsSince((CudaEvent)start);

    protected override int Destroy(nint native) => Api.cuEventDestroy_v2(native);
}
