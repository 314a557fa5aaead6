using TrtTools.Cuda;

namespace TrtTools.Launch;

/// <summary>
/// Convolutions by cuDNN's graph API. Operation "convolution": y = activation(conv(x, w) + Σ before) + Σ after. Operands: x, w, y, the addends before, the addends after, then the workspace.
/// Extents: for each operand but the workspace its dimensions in the order N, C, spatial (w: K, C/group, spatial), then its strides in elements.
/// Settings: rank, types ("f16,f16,f16,…", of the operands), align (bytes, of the operands), stride, dilation, before-pad, after-pad ("1,1"), before and after (numbers of addends),
/// activation (relu, sigmoid, tanh, silu, gelu, gelu-tanh, or none), tf32 (1: FP32 may be computed in TF32).
/// </summary>
internal sealed class CudnnAdapter : ILibraryAdapter
{
    public const string Library = "cudnn", Operation = "convolution";

    private nint _handle = Cudnn.Create();
    private nint _stream = -1;

    public string Version => Cudnn.Version;

    public IPreparedCall Prepare(LibraryRequest request)
    {
        CudnnConvolution? convolution = null;
        try
        {
            convolution = Describe(request);
            convolution.Build(Version);
            return convolution;
        }
        catch (CudaLibraryException e)
        {
            convolution?.Dispose();
            throw Refuse(request, e.Message);
        }
        catch
        {
            convolution?.Dispose();
            throw;
        }
    }

    public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count)
    {
        try
        {
            using CudnnConvolution convolution = Describe(request);
            return convolution.IsEmpty ? [] : convolution.Candidates(count);
        }
        catch (CudaLibraryException)
        {
            // A graph that it does not take is one that it has no candidates for.
            return [];
        }
    }

    public byte[] Compiled(LibraryRequest request)
    {
        try
        {
            using CudnnConvolution convolution = Describe(request);
            return convolution.Compiled(Version);
        }
        catch (CudaLibraryException e)
        {
            throw Refuse(request, e.Message);
        }
    }

    public void Dispose()
    {
        if (_handle != 0) Cudnn.Destroy(_handle);
        _handle = 0;
    }

    private CudnnConvolution Describe(LibraryRequest request)
    {
        if (!string.Equals(request.Operation, Operation, StringComparison.Ordinal)) throw Refuse(request, $"it does not know the operation '{request.Operation}'");
        return new CudnnConvolution(request, _handle, SetStream);
    }

    private void SetStream(nint stream)
    {
        if (stream == _stream) return;
        Cudnn.SetStream(_handle, stream);
        _stream = stream;
    }

    internal static TrtToolsException Refuse(LibraryRequest request, string found) => new(ErrorCode.EngineIncompatible, request.Subject.Length > 0 ? request.Subject : "cuDNN", $"cuDNN: {found}", "",
        "Build the engine again on this machine, or with -NoLibrary");
}
