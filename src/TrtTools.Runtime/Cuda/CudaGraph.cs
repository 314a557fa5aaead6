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

/// <summary>A graph that is ready to run; it needs the graph it came from no more.</summary>
internal sealed unsafe class CudaGraphExec : CudaHandle, IDeviceGraph
{
    internal CudaGraphExec(CudaContext context, nint handle) : base(context, handle) { }

    /// <summary>Moves what the graph needs to the device, so that the first launch does not.</summary>
    public void Upload(CudaStream stream) => Api.Check(Api.cuGraphUpload(Native, stream.Native), "cuGraphUpload");

    public void Launch(CudaStream stream) => Api.Check(Api.cuGraphLaunch(Native, stream.Native), "cuGraphLaunch");

    protected override int Destroy(nint native) => Api.cuGraphExecDestroy(native);
}
