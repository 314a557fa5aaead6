using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

/// <summary>Machine code on the device.</summary>
internal sealed unsafe class CudaModule : CudaHandle
{
    private CudaModule(CudaContext context, nint handle) : base(context, handle) { }

    /// <param name="image">A cubin, as NVRTC gives it.</param>
    public static CudaModule Load(CudaContext context, ReadOnlySpan<byte> image)
    {
        nint module = 0;
        fixed (byte* first = image) context.Api.Check(context.Api.cuModuleLoadData(&module, first), "cuModuleLoadData", $"{image.Length:N0} bytes, device {context.Properties}");
        return new CudaModule(context, module);
    }

    public CudaKernel GetKernel(string function)
    {
        nint found = 0;
        byte* name = (byte*)Marshal.StringToCoTaskMemUTF8(function);
        try
        {
            Api.Check(Api.cuModuleGetFunction(&found, Native, name), "cuModuleGetFunction", $"{function}");
        }
        finally
        {
            Marshal.FreeCoTaskMem((nint)name);
        }
        return new CudaKernel(this, found, function);
    }

    protected override int Destroy(nint native) => Api.cuModuleUnload(native);
}

/// <summary>A function of a module. It lives as long as the module, which it keeps from being collected.</summary>
internal sealed unsafe class CudaKernel(CudaModule module, nint function, string name) : IDeviceKernel
{
    private const int SharedSize = 1, LocalSize = 3, RegisterCount = 4, MaxDynamicSharedSize = 8, NonPortableClusterSize = 14;
    private const int PortableClusterSize = 8;

    public CudaModule Module { get; } = module;

    public string Name { get; } = name;

    private DriverApi Api => Module.Context.Api;

    public int Registers => Attribute(RegisterCount);

    /// <summary>Local memory of a thread: spilled registers among it.</summary>
    public int LocalBytes => Attribute(LocalSize);

    public int StaticSharedBytes => Attribute(SharedSize);

    /// <summary>Allows launches with this much dynamic shared memory and clusters of this many blocks; to call once, before the first of them.</summary>
    public void Allow(int dynamicSharedBytes, int clusterBlocks)
    {
        // Up to 48 KB in all need no leave.
        if (dynamicSharedBytes > 0) Api.Check(Api.cuFuncSetAttribute(function, MaxDynamicSharedSize, dynamicSharedBytes), "cuFuncSetAttribute", $"{Name}: {dynamicSharedBytes:N0} bytes of shared memory");
        if (clusterBlocks > PortableClusterSize) Api.Check(Api.cuFuncSetAttribute(function, NonPortableClusterSize, 1), "cuFuncSetAttribute", $"{Name}: clusters of {clusterBlocks} blocks");
    }

    /// <param name="arguments">One pointer to each argument's value, in order; values are copied by this call.</param>
    public void Launch(CudaStream stream, in LaunchShape shape, void** arguments)
    {
        LaunchAttribute* attributes = stackalloc LaunchAttribute[2];
        LaunchConfiguration configuration = Configure(shape, attributes);
        configuration.Stream = stream.Native;
        Api.Check(Api.cuLaunchKernelEx(&configuration, function, arguments, null), "cuLaunchKernelEx", $"{Name}, {shape}");
    }

    /// <summary>Changes a launch of this kernel in a graph.</summary>
    public void SetNode(CudaGraphExec graph, nint node, in LaunchShape shape, void** arguments)
    {
        KernelNodeParameters parameters = new()
        {
            Function = function, GridX = shape.GridX, GridY = shape.GridY, GridZ = shape.GridZ, BlockX = shape.BlockX, BlockY = shape.BlockY, BlockZ = shape.BlockZ, SharedBytes = shape.SharedBytes, Arguments = arguments,
        };
        Api.Check(Api.cuGraphExecKernelNodeSetParams_v2(graph.Native, node, &parameters), "cuGraphExecKernelNodeSetParams_v2", $"{Name}, {shape}");
    }

    public int ActiveBlocksPerMultiprocessor(int threads, int dynamicSharedBytes)
    {
        int blocks = 0;
        Api.Check(Api.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, threads, (nuint)dynamicSharedBytes), "cuOccupancyMaxActiveBlocksPerMultiprocessor", $"{Name}");
        return blocks;
    }

    /// <summary>Clusters of this shape that the device holds at once; 0 where it can't run them.</summary>
    public int ActiveClusters(in LaunchShape shape)
    {
        int clusters = 0;
        LaunchAttribute* attributes = stackalloc LaunchAttribute[2];
        LaunchConfiguration configuration = Configure(shape, attributes);
        Api.Check(Api.cuOccupancyMaxActiveClusters(&clusters, function, &configuration), "cuOccupancyMaxActiveClusters", $"{Name}, {shape}");
        return clusters;
    }

    private static LaunchConfiguration Configure(in LaunchShape shape, LaunchAttribute* attributes)
    {
        uint count = 0;
        if (shape.ClusterBlocks > 1) attributes[count++] = LaunchAttribute.Cluster(shape.ClusterX, shape.ClusterY, shape.ClusterZ);
        if (shape.Programmatic) attributes[count++] = LaunchAttribute.ProgrammaticStreamSerialization;
        return new LaunchConfiguration
        {
            GridX = shape.GridX, GridY = shape.GridY, GridZ = shape.GridZ, BlockX = shape.BlockX, BlockY = shape.BlockY, BlockZ = shape.BlockZ,
            SharedBytes = shape.SharedBytes, Attributes = attributes, AttributeCount = count,
        };
    }

    private int Attribute(int attribute)
    {
        int value = 0;
        Api.Check(Api.cuFuncGetAttribute(&value, attribute, function), "cuFuncGetAttribute", $"{Name}");
        return value;
    }
}
