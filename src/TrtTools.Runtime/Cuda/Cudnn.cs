using System.Runtime.InteropServices;
using System.Text;

namespace TrtTools.Cuda;

internal enum CudnnType { Float = 0, Half = 2, Int8 = 3, Int32 = 4, BFloat16 = 9 }

internal enum CudnnDescriptorType { Pointwise = 0, Convolution = 1, Engine = 2, EngineConfig = 3, EngineHeuristics = 4, Plan = 5, KnobChoice = 7, ConvolutionForward = 10, PointwiseOperation = 13, Graph = 15, VariantPack = 16, Tensor = 17 }

internal enum CudnnValue { Handle = 0, DataType = 1, Boolean = 2, Int64 = 3, Float = 4, VoidPointer = 6, ConvolutionMode = 7, HeuristicMode = 8, KnobType = 9, NumericalNote = 11, PointwiseMode = 14, Descriptor = 15, Char = 24 }

internal enum CudnnAttribute
{
    PointwiseMode = 0, PointwisePrecision = 1,
    ConvolutionPrecision = 100, ConvolutionMode = 101, ConvolutionDilations = 102, ConvolutionStrides = 103, ConvolutionPostPads = 104, ConvolutionPrePads = 105, ConvolutionSpatialDims = 106,
    HeuristicsMode = 200, HeuristicsGraph = 201, HeuristicsResults = 202,
    ConfigEngine = 300, ConfigKnobs = 302,
    PlanHandle = 400, PlanConfig = 401, PlanWorkspace = 402, PlanJson = 405,
    KnobType = 600, KnobValue = 601,
    ForwardAlpha = 700, ForwardBeta = 701, ForwardConvolution = 702, ForwardW = 703, ForwardX = 704, ForwardY = 705,
    OperationPointwise = 750, OperationX = 751, OperationB = 752, OperationY = 753,
    GraphHandle = 800, GraphOperations = 801,
    TensorAlignment = 900, TensorType = 901, TensorDimensions = 902, TensorStrides = 903, TensorId = 906, TensorIsVirtual = 907,
    PackIds = 1000, PackPointers = 1001, PackWorkspace = 1003,
    EngineGraph = 1300, EngineIndex = 1301, EngineNumericalNotes = 1303,
}

internal enum CudnnPointwise { Add = 0, Mul = 1, Relu = 100, Tanh = 101, Sigmoid = 102, Gelu = 104, Swish = 106, GeluTanh = 107 }

internal enum CudnnHeuristics { B = 1, Fallback = 2, A = 3 }

/// <summary>How an engine's arithmetic differs from plain FP32 sums.</summary>
internal enum CudnnNote { TensorCore = 0, DownConvertsInputs = 1, ReducedPrecisionReduction = 2, Fft = 3, NonDeterministic = 4, Winograd = 5 }

/// <summary>cuDNN 9, found at run time: its graph API through the backend descriptors. The CUDA context that a handle is for is current in every call.</summary>
internal static unsafe class Cudnn
{
    private const int NotSupported = 3000;

    private static readonly Lazy<(nint Create, nint Destroy, nint SetAttribute, nint GetAttribute, nint Finalize, nint Execute)> Backend = new(() => (
        Export("cudnnBackendCreateDescriptor"), Export("cudnnBackendDestroyDescriptor"), Export("cudnnBackendSetAttribute"), Export("cudnnBackendGetAttribute"), Export("cudnnBackendFinalize"), Export("cudnnBackendExecute")));

    public static string Version => CudaLibraries.Require(CudaLibraries.Cudnn).Version;

    public static nint Create()
    {
        nint handle = 0;
        Check(((delegate* unmanaged<nint*, int>)Export("cudnnCreate"))(&handle), "cudnnCreate", "");
        return handle;
    }

    public static void Destroy(nint handle) => _ = ((delegate* unmanaged<nint, int>)Export("cudnnDestroy"))(handle);

    public static void SetStream(nint handle, nint stream) => Check(((delegate* unmanaged<nint, nint, int>)Export("cudnnSetStream"))(handle, stream), "cudnnSetStream", "");

    public static nint CreateDescriptor(CudnnDescriptorType type)
    {
        nint descriptor = 0;
        Check(((delegate* unmanaged<int, nint*, int>)Backend.Value.Create)((int)type, &descriptor), "cudnnBackendCreateDescriptor", $"{type}");
        return descriptor;
    }

    public static void DestroyDescriptor(nint descriptor) => _ = ((delegate* unmanaged<nint, int>)Backend.Value.Destroy)(descriptor);

    public static void Set(nint descriptor, CudnnAttribute attribute, CudnnValue type, long count, void* values) =>
        Check(((delegate* unmanaged<nint, int, int, long, void*, int>)Backend.Value.SetAttribute)(descriptor, (int)attribute, (int)type, count, values), "cudnnBackendSetAttribute", $"{attribute}");

    /// <summary>The number of values there are; as many as fit are written.</summary>
    public static long Get(nint descriptor, CudnnAttribute attribute, CudnnValue type, long count, void* values)
    {
        long found = 0;
        Check(((delegate* unmanaged<nint, int, int, long, long*, void*, int>)Backend.Value.GetAttribute)(descriptor, (int)attribute, (int)type, count, &found, values), "cudnnBackendGetAttribute", $"{attribute}");
        return found;
    }

    public static void Finalize(nint descriptor, string what) => Check(((delegate* unmanaged<nint, int>)Backend.Value.Finalize)(descriptor), "cudnnBackendFinalize", what);

    /// <summary>False where the library says that it cannot do this, which is an answer.</summary>
    public static bool TryFinalize(nint descriptor, out string problem)
    {
        int status = ((delegate* unmanaged<nint, int>)Backend.Value.Finalize)(descriptor);
        problem = status == 0 ? "" : Word(status);
        return status == 0;
    }

    public static void Execute(nint handle, nint plan, nint pack, string subject) => Check(((delegate* unmanaged<nint, nint, nint, int>)Backend.Value.Execute)(handle, plan, pack), "cudnnBackendExecute", subject);

    private static void Check(int status, string function, string detail)
    {
        if (status != 0) throw new CudaLibraryException($"{function}{(detail.Length > 0 ? $" ({detail})" : "")}: {Word(status)}");
    }

    private static string Word(int status)
    {
        nint library = CudaLibraries.Require(CudaLibraries.Cudnn).Handle;
        byte* text = NativeLibrary.TryGetExport(library, "cudnnGetErrorString", out nint name) ? ((delegate* unmanaged<int, byte*>)name)(status) : null;
        string word = text == null ? $"status {status}" : Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
        if (status >= NotSupported && NativeLibrary.TryGetExport(library, "cudnnGetLastErrorString", out nint last))
        {
            byte* message = stackalloc byte[512];
            message[0] = 0;
            ((delegate* unmanaged<byte*, nuint, void>)last)(message, 512);
            string more = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(message)).Trim();
            if (more.Length > 0) word += $" ({more.Split('\n')[0].Trim()})";
        }
        return word;
    }

    private static nint Export(string name) => NativeLibrary.GetExport(CudaLibraries.Require(CudaLibraries.Cudnn).Handle, name);
}
