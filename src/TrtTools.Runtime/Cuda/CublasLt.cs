using System.Runtime.InteropServices;
using System.Text;

namespace TrtTools.Cuda;

internal enum CublasType { R32F = 0, R16F = 2, R8I = 3, R32I = 10, R16BF = 14 }

/// <summary>What products are added up in. Pedantic: FP32 and nothing less; the plain FP32 may use TF32 only where FastTf32 is asked for, but pedantic says so.</summary>
internal enum CublasCompute { F32 = 68, F32Pedantic = 69, F32FastTf32 = 77, I32 = 72 }

[Flags]
internal enum CublasEpilogue { Default = 1, Relu = 2, Bias = 4, Gelu = 32 }

/// <summary>One algorithm that the library offers for a product, with the scratch memory it needs.</summary>
internal sealed record CublasAlgorithm(byte[] Data, long WorkspaceBytes, float Waves);

/// <summary>cuBLASLt, found at run time: what matrix products need. The CUDA context that a handle is for is current in every call.</summary>
internal static unsafe class CublasLt
{
    public const int AlgorithmBytes = 64;

    private const int DescTransA = 3, DescTransB = 4, DescEpilogue = 7, DescBiasPointer = 8, DescBiasBatchStride = 10, DescPointerMode = 2;
    private const int LayoutBatchCount = 5, LayoutBatchOffset = 6;
    private const int PrefWorkspace = 1, PrefReductionScheme = 3, PrefAlignmentA = 5, PrefAlignmentB = 6, PrefAlignmentC = 7, PrefAlignmentD = 8;


    [StructLayout(LayoutKind.Sequential)]
    private struct HeuristicResult
    {
        public fixed byte Algorithm[AlgorithmBytes];
        public nuint WorkspaceSize;
        public int State;
        public float WavesCount;
        public fixed int Reserved[4];
    }

    public static string Version => CudaLibraries.Require(CudaLibraries.CublasLt).Version;

    public static nint Create()
    {
        nint handle = 0;
        Check(((delegate* unmanaged<nint*, int>)Export("cublasLtCreate"))(&handle), "cublasLtCreate", "");
        return handle;
    }

    public static void Destroy(nint handle) => _ = ((delegate* unmanaged<nint, int>)Export("cublasLtDestroy"))(handle);

    public static nint CreateProduct(CublasCompute compute, CublasType scale, bool transposeA, bool transposeB, CublasEpilogue epilogue)
    {
        nint product = 0;
        Check(((delegate* unmanaged<nint*, int, int, int>)Export("cublasLtMatmulDescCreate"))(&product, (int)compute, (int)scale), "cublasLtMatmulDescCreate", $"{compute}");
        SetProduct(product, DescTransA, transposeA ? 1 : 0);
        SetProduct(product, DescTransB, transposeB ? 1 : 0);
        SetProduct(product, DescEpilogue, (int)epilogue);
        return product;
    }

    /// <summary>A vector along the rows of D. Its address may change between calls.</summary>
    public static void SetBias(nint product, ulong address) => SetProduct(product, DescBiasPointer, address);

    public static void SetBiasBatchStride(nint product, long elements) => SetProduct(product, DescBiasBatchStride, elements);

    /// <summary>Alpha is a vector on the device, one for each row of D; beta stays on the host.</summary>
    public static void SetAlphaVector(nint product) => SetProduct(product, DescPointerMode, 4);

    public static void DestroyProduct(nint product) => _ = ((delegate* unmanaged<nint, int>)Export("cublasLtMatmulDescDestroy"))(product);

    /// <summary>A column-major matrix, or <paramref name="batch"/> of them <paramref name="batchStride"/> elements apart.</summary>
    public static nint CreateLayout(CublasType type, long rows, long columns, long leading, long batch, long batchStride)
    {
        nint layout = 0;
        string what = $"{type} {rows}x{columns}, leading dimension {leading}";
        Check(((delegate* unmanaged<nint*, int, ulong, ulong, long, int>)Export("cublasLtMatrixLayoutCreate"))(&layout, (int)type, (ulong)rows, (ulong)columns, leading), "cublasLtMatrixLayoutCreate", what);
        if (batch == 1) return layout;
        int count = checked((int)batch);
        delegate* unmanaged<nint, int, void*, nuint, int> set = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatrixLayoutSetAttribute");
        Check(set(layout, LayoutBatchCount, &count, sizeof(int)), "cublasLtMatrixLayoutSetAttribute", $"batch of {batch}");
        Check(set(layout, LayoutBatchOffset, &batchStride, sizeof(long)), "cublasLtMatrixLayoutSetAttribute", $"batch stride {batchStride}");
        return layout;
    }

    public static void DestroyLayout(nint layout) => _ = ((delegate* unmanaged<nint, int>)Export("cublasLtMatrixLayoutDestroy"))(layout);

    /// <summary>The library's candidates, best guess first; none when it has none. Alignments are of the operands' addresses, in bytes.</summary>
    public static IReadOnlyList<CublasAlgorithm> Heuristics(nint handle, nint product, nint a, nint b, nint c, nint d, long workspace, int count, (int A, int B, int C, int D) alignment)
    {
        nint preference = 0;
        Check(((delegate* unmanaged<nint*, int>)Export("cublasLtMatmulPreferenceCreate"))(&preference), "cublasLtMatmulPreferenceCreate", "");
        try
        {
            delegate* unmanaged<nint, int, void*, nuint, int> set = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulPreferenceSetAttribute");
            ulong bytes = (ulong)workspace;
            Check(set(preference, PrefWorkspace, &bytes, sizeof(ulong)), "cublasLtMatmulPreferenceSetAttribute", $"{workspace} bytes of workspace");
            foreach ((int name, int value) in new[] { (PrefAlignmentA, alignment.A), (PrefAlignmentB, alignment.B), (PrefAlignmentC, alignment.C), (PrefAlignmentD, alignment.D) })
            {
                uint size = (uint)value;
                Check(set(preference, name, &size, sizeof(uint)), "cublasLtMatmulPreferenceSetAttribute", $"alignment {value}");
            }
            HeuristicResult[] results = new HeuristicResult[count];
            int found = 0, status;
            fixed (HeuristicResult* first = results)
            {
                status = ((delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, HeuristicResult*, int*, int>)Export("cublasLtMatmulAlgoGetHeuristic"))(handle, product, a, b, c, d, preference, count, first, &found);
            }
            // Not supported is an answer here, not a fault.
            if (status is NotSupported or InvalidValue) return [];
            Check(status, "cublasLtMatmulAlgoGetHeuristic", "");
            List<CublasAlgorithm> algorithms = [];
            for (int i = 0; i < found; i++)
            {
                if (results[i].State != 0) continue;
                fixed (byte* data = results[i].Algorithm) algorithms.Add(new CublasAlgorithm(new ReadOnlySpan<byte>(data, AlgorithmBytes).ToArray(), (long)results[i].WorkspaceSize, results[i].WavesCount));
            }
            return algorithms;
        }
        finally
        {
            _ = ((delegate* unmanaged<nint, int>)Export("cublasLtMatmulPreferenceDestroy"))(preference);
        }
    }

    /// <summary>The scratch memory that an algorithm needs for a product; null when it can't do it.</summary>
    public static long? CheckAlgorithm(nint handle, nint product, nint a, nint b, nint c, nint d, ReadOnlySpan<byte> algorithm)
    {
        if (algorithm.Length != AlgorithmBytes) return null;
        HeuristicResult result = default;
        fixed (byte* data = algorithm)
        {
            int status = ((delegate* unmanaged<nint, nint, nint, nint, nint, nint, byte*, HeuristicResult*, int>)Export("cublasLtMatmulAlgoCheck"))(handle, product, a, b, c, d, data, &result);
            return status == 0 && result.State == 0 ? (long)result.WorkspaceSize : null;
        }
    }

    /// <summary>D = epilogue(alpha·A·B + beta·C) on the stream.</summary>
    public static void Enqueue(nint handle, nint product, void* alpha, ulong a, nint layoutA, ulong b, nint layoutB, void* beta, ulong c, nint layoutC, ulong d, nint layoutD, byte* algorithm, ulong workspace, long workspaceBytes, nint stream, string subject) =>
        Check(((delegate* unmanaged<nint, nint, void*, ulong, nint, ulong, nint, void*, ulong, nint, ulong, nint, byte*, ulong, nuint, nint, int>)Export("cublasLtMatmul"))
            (handle, product, alpha, a, layoutA, b, layoutB, beta, c, layoutC, d, layoutD, algorithm, workspace, (nuint)workspaceBytes, stream), "cublasLtMatmul", subject);

    private const int InvalidValue = 7, NotSupported = 15;

    private static void SetProduct<T>(nint product, int attribute, T value) where T : unmanaged =>
        Check(((delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulDescSetAttribute"))(product, attribute, &value, (nuint)sizeof(T)), "cublasLtMatmulDescSetAttribute", $"attribute {attribute}");

    private static void Check(int status, string function, string detail)
    {
        if (status == 0) return;
        byte* text = NativeLibrary.TryGetExport(CudaLibraries.Require(CudaLibraries.CublasLt).Handle, "cublasLtGetStatusName", out nint name) ? ((delegate* unmanaged<int, byte*>)name)(status) : null;
        string word = text == null ? $"status {status}" : Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
        throw new CudaLibraryException($"{function}{(detail.Length > 0 ? $" ({detail})" : "")}: {word}");
    }

    private static nint Export(string name) => NativeLibrary.GetExport(CudaLibraries.Require(CudaLibraries.CublasLt).Handle, name);
}

/// <summary>A library refused a call: which one, with what, in the library's own word.</summary>
internal sealed class CudaLibraryException(string message) : Exception(message);
