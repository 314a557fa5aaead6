namespace TrtTools.Cuda;

/// <summary>A queue of work on the device. It does not wait for the default stream.</summary>
internal sealed unsafe class CudaStream : CudaHandle, IDeviceStream
{
    private const uint NonBlocking = 1;
    private const int RelaxedCapture = 2, NotReady = 600;

    private CudaStream(CudaContext context, nint handle) : base(context, handle) { }

    public static CudaStream Create(CudaContext context)
    {
        nint stream = 0;
        context.Api.Check(context.Api.cuStreamCreate(&stream, NonBlocking), "cuStreamCreate");
        return new CudaStream(context, stream);
    }

    nint IDeviceStream.Handle => Native;

    void IDeviceStream.Launch(IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments) => ((CudaKernel)kernel).Launch(this, shape, arguments.Pointers);

    void IDeviceStream.Launch(IDeviceGraph graph) => ((CudaGraphExec)graph).Launch(this);

    void IDeviceStream.Record(IDeviceEvent mark) => ((CudaEvent)mark).Record(this);

    IDeviceGraph IDeviceStream.EndCapture()
    {
        CudaGraph graph = EndCapture();
        try
        {
            CudaGraphExec exec = graph.Instantiate().Keep(graph);
            exec.Upload(this);
            return exec;
        }
        catch
        {
            graph.Dispose();
            throw;
        }
    }

    nint IDeviceStream.LastNode
    {
        get
        {
            if (Api.cuStreamGetCaptureInfo_v3 == null || Api.cuGraphExecKernelNodeSetParams_v2 == null) return 0;
            int status = 0;
            nint* nodes = null;
            void* edges = null;
            nuint count = 0;
            return Api.cuStreamGetCaptureInfo_v3(Native, &status, null, null, &nodes, &edges, &count) == 0 && status == 1 && count == 1 ? nodes[0] : 0;
        }
    }

    public void Synchronize() => Api.Check(Api.cuStreamSynchronize(Native), "cuStreamSynchronize");

    /// <summary>True when everything that was queued is done.</summary>
    public bool IsDone
    {
        get
        {
            int status = Api.cuStreamQuery(Native);
            if (status == NotReady) return false;
            Api.Check(status, "cuStreamQuery");
            return true;
        }
    }

    /// <summary>What is queued from here on waits for the event.</summary>
    public void WaitFor(CudaEvent awaited) => Api.Check(Api.cuStreamWaitEvent(Native, awaited.Native, 0), "cuStreamWaitEvent");

    /// <summary>From here on work is recorded instead of run. Other threads may allocate meanwhile, and so may libraries on this one.</summary>
    public void BeginCapture() => Api.Check(Api.cuStreamBeginCapture_v2(Native, RelaxedCapture), "cuStreamBeginCapture_v2");

    public CudaGraph EndCapture()
    {
        nint graph = 0;
        Api.Check(Api.cuStreamEndCapture(Native, &graph), "cuStreamEndCapture");
        return new CudaGraph(Context, graph);
    }

    /// <summary>Leaves the capture after an error in it; whatever it recorded is dropped.</summary>
    public void AbandonCapture()
    {
        nint graph = 0;
        Api.cuStreamEndCapture(Native, &graph);
        if (graph != 0) Api.cuGraphDestroy(graph);
    }

    /// <summary>Host memory must be pinned for the copy to overlap with the caller, and must stay until the copy is done.</summary>
    public void CopyToDevice(ulong target, void* source, long bytes) =>
        Api.Check(Api.cuMemcpyHtoDAsync_v2(target, source, (nuint)bytes, Native), "cuMemcpyHtoDAsync_v2", $"{bytes:N0} bytes");

    public void CopyToHost(void* target, ulong source, long bytes) =>
        Api.Check(Api.cuMemcpyDtoHAsync_v2(target, source, (nuint)bytes, Native), "cuMemcpyDtoHAsync_v2", $"{bytes:N0} bytes");

    public void CopyOnDevice(ulong target, ulong source, long bytes) =>
        Api.Check(Api.cuMemcpyDtoDAsync_v2(target, source, (nuint)bytes, Native), "cuMemcpyDtoDAsync_v2", $"{bytes:N0} bytes");

    public void Fill(ulong target, byte value, long bytes) =>
        Api.Check(Api.cuMemsetD8Async(target, value, (nuint)bytes, Native), "cuMemsetD8Async", $"{bytes:N0} bytes");

    public void Fill(ulong target, uint value, long words) =>
        Api.Check(Api.cuMemsetD32Async(target, value, (nuint)words, Native), "cuMemsetD32Async", $"{words:N0} words");

    protected override int Destroy(nint native) => Api.cuStreamDestroy_v2(native);
}
