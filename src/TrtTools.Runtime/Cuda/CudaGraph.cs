namespace TrtTools.Cuda;

/// <summary>Work that was captured from a stream.</summary>
internal sealed unsafe class CudaGraph : CudaHandle
{
    internal CudaGraph(CudaContext context, nint handle) : base(context, handle) { }

    public int NodeCount
    {
        get
        {
            nuint count = 0;
            Api.Check(Api.cuGraphGetNodes(Native, null, &count), "cuGraphGetNodes");
            return (int)count;
        }
    }

    public CudaGraphExec Instantiate()
    {
        nint exec = 0;
        Api.Check(Api.cuGraphInstantiateWithFlags(&exec, Native, 0), "cuGraphInstantiateWithFlags");
        return new CudaGraphExec(Context, exec);
    }

    protected override int Destroy(nint native) => Api.cuGraphDestroy(native);
}

/// <summary>A graph that is ready to run; it needs the graph it came from no more, unless launches in it are changed.</summary>
internal sealed unsafe class CudaGraphExec : CudaHandle, IDeviceGraph
{
    private CudaGraph? _source;

    internal CudaGraphExec(CudaContext context, nint handle) : base(context, handle) { }

    /// <summary>Takes over the graph it came from, whose nodes name its launches.</summary>
    internal CudaGraphExec Keep(CudaGraph source)
    {
        _source = source;
        return this;
    }

    void IDeviceGraph.SetKernel(nint node, IDeviceKernel kernel, in LaunchShape shape, KernelArguments arguments) => ((CudaKernel)kernel).SetNode(this, node, shape, arguments.Pointers);

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing) _source?.Dispose();
    }

    /// <summary>Moves what the graph needs to the device, so that the first launch does not.</summary>
    public void Upload(CudaStream stream) => Api.Check(Api.cuGraphUpload(Native, stream.Native), "cuGraphUpload");

    public void Launch(CudaStream stream) => Api.Check(Api.cuGraphLaunch(Native, stream.Native), "cuGraphLaunch");

    protected override int Destroy(nint native) => Api.cuGraphExecDestroy(native);
}
