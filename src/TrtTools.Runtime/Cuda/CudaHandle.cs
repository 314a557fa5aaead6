using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

/// <summary>One owner of one native resource of a context. It is released once, on whatever thread, and keeps its context open until then.</summary>
internal abstract unsafe class CudaHandle : SafeHandle
{
    /// <param name="handle">What was just made; this object owns it from here on.</param>
    protected CudaHandle(CudaContext context, nint handle) : base(0, ownsHandle: true)
    {
        Context = context;
        SetHandle(handle);
        context.Enter(this);
    }

    public CudaContext Context { get; }

    public override bool IsInvalid => handle == 0;

    protected DriverApi Api => Context.Api;

    /// <summary>The native handle; valid while this object is kept alive.</summary>
    public nint Native
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    protected abstract int Destroy(nint native);

    protected override bool ReleaseHandle()
    {
        // Released by the finalizer's thread or another that has no context.
        nint previous = 0;
        bool pushed = Api.cuCtxPushCurrent_v2(Context.Handle) == 0;
        int status = Destroy(handle);
        if (pushed) Api.cuCtxPopCurrent_v2(&previous);
        Context.Leave();
        return status == 0;
    }
}
