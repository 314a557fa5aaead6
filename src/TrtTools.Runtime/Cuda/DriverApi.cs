using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace TrtTools.Cuda;

/// <summary>The driver's functions, resolved once, under the driver's own names.</summary>
/// <remarks>Every call is checked where it is made: <c>api.Check(api.cuMemAlloc_v2(&amp;address, bytes), "cuMemAlloc_v2", $"{bytes:N0} bytes")</c>.</remarks>
internal sealed unsafe class DriverApi
{
    private static readonly Lazy<DriverApi> Instance = new(() => new DriverApi(CudaDriver.Current.RequireExport), LazyThreadSafetyMode.PublicationOnly);

    public readonly delegate* unmanaged<int*, int, int> cuDeviceGet;
    public readonly delegate* unmanaged<byte*, int, int, int> cuDeviceGetName;
    public readonly delegate* unmanaged<int*, int, int, int> cuDeviceGetAttribute;
    public readonly delegate* unmanaged<nuint*, int, int> cuDeviceTotalMem_v2;
    public readonly delegate* unmanaged<byte*, int, int> cuDeviceGetUuid_v2;
    public readonly delegate* unmanaged<nint*, int, int> cuDevicePrimaryCtxRetain;
    public readonly delegate* unmanaged<int, int> cuDevicePrimaryCtxRelease_v2;
    public readonly delegate* unmanaged<nint, int> cuCtxSetCurrent, cuCtxPushCurrent_v2;
    public readonly delegate* unmanaged<nint*, int> cuCtxPopCurrent_v2;
    public readonly delegate* unmanaged<int> cuCtxSynchronize;
    public readonly delegate* unmanaged<nuint*, nuint*, int> cuMemGetInfo_v2;
    public readonly delegate* unmanaged<ulong*, nuint, int> cuMemAlloc_v2;
    public readonly delegate* unmanaged<ulong, int> cuMemFree_v2;
    public readonly delegate* unmanaged<void**, nuint, uint, int> cuMemHostAlloc;
    public readonly delegate* unmanaged<void*, int> cuMemFreeHost;
    public readonly delegate* unmanaged<ulong, void*, nuint, int> cuMemcpyHtoD_v2;
    public readonly delegate* unmanaged<void*, ulong, nuint, int> cuMemcpyDtoH_v2;
    public readonly delegate* unmanaged<ulong, void*, nuint, nint, int> cuMemcpyHtoDAsync_v2;
    public readonly delegate* unmanaged<void*, ulong, nuint, nint, int> cuMemcpyDtoHAsync_v2;
    public readonly delegate* unmanaged<ulong, ulong, nuint, nint, int> cuMemcpyDtoDAsync_v2;
    public readonly delegate* unmanaged<ulong, byte, nuint, nint, int> cuMemsetD8Async;
    public readonly delegate* unmanaged<ulong, uint, nuint, nint, int> cuMemsetD32Async;
    public readonly delegate* unmanaged<nint*, uint, int> cuStreamCreate, cuEventCreate;
    public readonly delegate* unmanaged<nint, int> cuStreamDestroy_v2, cuStreamSynchronize, cuStreamQuery, cuEventDestroy_v2, cuEventSynchronize, cuModuleUnload, cuGraphDestroy, cuGraphExecDestroy;
    public readonly delegate* unmanaged<nint, nint, uint, int> cuStreamWaitEvent;
    public readonly delegate* unmanaged<nint, nint, int> cuEventRecord, cuGraphLaunch, cuGraphUpload;
    public readonly delegate* unmanaged<float*, nint, nint, int> cuEventElapsedTime;
    public readonly delegate* unmanaged<nint, int, int> cuStreamBeginCapture_v2;
    public readonly delegate* unmanaged<nint, nint*, int> cuStreamEndCapture;
    public readonly delegate* unmanaged<nint*, nint, ulong, int> cuGraphInstantiateWithFlags;
    public readonly delegate* unmanaged<nint, nint*, nuint*, int> cuGraphGetNodes;
    /// <summary>Since CUDA 12.3; null where the driver is older.</summary>
    public readonly delegate* unmanaged<nint, int*, ulong*, nint*, nint**, void**, nuint*, int> cuStreamGetCaptureInfo_v3;
    public readonly delegate* unmanaged<nint, nint, KernelNodeParameters*, int> cuGraphExecKernelNodeSetParams_v2;
    public readonly delegate* unmanaged<nint*, void*, int> cuModuleLoadData;
    public readonly delegate* unmanaged<nint*, nint, byte*, int> cuModuleGetFunction;
    public readonly delegate* unmanaged<int*, int, nint, int> cuFuncGetAttribute;
    public readonly delegate* unmanaged<nint, int, int, int> cuFuncSetAttribute;
    public readonly delegate* unmanaged<LaunchConfiguration*, nint, void**, void**, int> cuLaunchKernelEx;
    public readonly delegate* unmanaged<int*, nint, int, nuint, int> cuOccupancyMaxActiveBlocksPerMultiprocessor;
    public readonly delegate* unmanaged<int*, nint, LaunchConfiguration*, int> cuOccupancyMaxActiveClusters;
    public readonly delegate* unmanaged<void*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int, int> cuTensorMapEncodeTiled;
    public readonly delegate* unmanaged<void*, int, uint, ulong, ulong*, ulong*, int*, int*, uint, uint, uint*, int, int, int, int, int> cuTensorMapEncodeIm2col;
    private readonly delegate* unmanaged<int, byte**, int> _getErrorName, _getErrorString;

    /// <param name="export">Address of the driver's function of this name.</param>
    public DriverApi(Func<string, nint> export)
    {
        cuDeviceGet = (delegate* unmanaged<int*, int, int>)export(nameof(cuDeviceGet));
        cuDeviceGetName = (delegate* unmanaged<byte*, int, int, int>)export(nameof(cuDeviceGetName));
        cuDeviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)export(nameof(cuDeviceGetAttribute));
        cuDeviceTotalMem_v2 = (delegate* unmanaged<nuint*, int, int>)export(nameof(cuDeviceTotalMem_v2));
        cuDeviceGetUuid_v2 = (delegate* unmanaged<byte*, int, int>)export(nameof(cuDeviceGetUuid_v2));
        cuDevicePrimaryCtxRetain = (delegate* unmanaged<nint*, int, int>)export(nameof(cuDevicePrimaryCtxRetain));
        cuDevicePrimaryCtxRelease_v2 = (delegate* unmanaged<int, int>)export(nameof(cuDevicePrimaryCtxRelease_v2));
        cuCtxSetCurrent = (delegate* unmanaged<nint, int>)export(nameof(cuCtxSetCurrent));
        cuCtxPushCurrent_v2 = (delegate* unmanaged<nint, int>)export(nameof(cuCtxPushCurrent_v2));
        cuCtxPopCurrent_v2 = (delegate* unmanaged<nint*, int>)export(nameof(cuCtxPopCurrent_v2));
        cuCtxSynchronize = (delegate* unmanaged<int>)export(nameof(cuCtxSynchronize));
        cuMemGetInfo_v2 = (delegate* unmanaged<nuint*, nuint*, int>)export(nameof(cuMemGetInfo_v2));
        cuMemAlloc_v2 = (delegate* unmanaged<ulong*, nuint, int>)export(nameof(cuMemAlloc_v2));
        cuMemFree_v2 = (delegate* unmanaged<ulong, int>)export(nameof(cuMemFree_v2));
        cuMemHostAlloc = (delegate* unmanaged<void**, nuint, uint, int>)export(nameof(cuMemHostAlloc));
        cuMemFreeHost = (delegate* unmanaged<void*, int>)export(nameof(cuMemFreeHost));
        cuMemcpyHtoD_v2 = (delegate* unmanaged<ulong, void*, nuint, int>)export(nameof(cuMemcpyHtoD_v2));
        cuMemcpyDtoH_v2 = (delegate* unmanaged<void*, ulong, nuint, int>)export(nameof(cuMemcpyDtoH_v2));
        cuMemcpyHtoDAsync_v2 = (delegate* unmanaged<ulong, void*, nuint, nint, int>)export(nameof(cuMemcpyHtoDAsync_v2));
        cuMemcpyDtoHAsync_v2 = (delegate* unmanaged<void*, ulong, nuint, nint, int>)export(nameof(cuMemcpyDtoHAsync_v2));
        cuMemcpyDtoDAsync_v2 = (delegate* unmanaged<ulong, ulong, nuint, nint, int>)export(nameof(cuMemcpyDtoDAsync_v2));
        cuMemsetD8Async = (delegate* unmanaged<ulong, byte, nuint, nint, int>)export(nameof(cuMemsetD8Async));
        cuMemsetD32Async = (delegate* unmanaged<ulong, uint, nuint, nint, int>)export(nameof(cuMemsetD32Async));
        cuStreamCreate = (delegate* unmanaged<nint*, uint, int>)export(nameof(cuStreamCreate));
        cuEventCreate = (delegate* unmanaged<nint*, uint, int>)export(nameof(cuEventCreate));
        cuStreamDestroy_v2 = (delegate* unmanaged<nint, int>)export(nameof(cuStreamDestroy_v2));
        cuStreamSynchronize = (delegate* unmanaged<nint, int>)export(nameof(cuStreamSynchronize));
        cuStreamQuery = (delegate* unmanaged<nint, int>)export(nameof(cuStreamQuery));
        cuEventDestroy_v2 = (delegate* unmanaged<nint, int>)export(nameof(cuEventDestroy_v2));
        cuEventSynchronize = (delegate* unmanaged<nint, int>)export(nameof(cuEventSynchronize));
        cuModuleUnload = (delegate* unmanaged<nint, int>)export(nameof(cuModuleUnload));
        cuGraphDestroy = (delegate* unmanaged<nint, int>)export(nameof(cuGraphDestroy));
        cuGraphExecDestroy = (delegate* unmanaged<nint, int>)export(nameof(cuGraphExecDestroy));
        cuStreamWaitEvent = (delegate* unmanaged<nint, nint, uint, int>)export(nameof(cuStreamWaitEvent));
        cuEventRecord = (delegate* unmanaged<nint, nint, int>)export(nameof(cuEventRecord));
        cuGraphLaunch = (delegate* unmanaged<nint, nint, int>)export(nameof(cuGraphLaunch));
        cuGraphUpload = (delegate* unmanaged<nint, nint, int>)export(nameof(cuGraphUpload));
        cuEventElapsedTime = (delegate* unmanaged<float*, nint, nint, int>)export(nameof(cuEventElapsedTime));
        cuStreamBeginCapture_v2 = (delegate* unmanaged<nint, int, int>)export(nameof(cuStreamBeginCapture_v2));
        cuStreamEndCapture = (delegate* unmanaged<nint, nint*, int>)export(nameof(cuStreamEndCapture));
        cuGraphInstantiateWithFlags = (delegate* unmanaged<nint*, nint, ulong, int>)export(nameof(cuGraphInstantiateWithFlags));
        cuGraphGetNodes = (delegate* unmanaged<nint, nint*, nuint*, int>)export(nameof(cuGraphGetNodes));
        cuStreamGetCaptureInfo_v3 = (delegate* unmanaged<nint, int*, ulong*, nint*, nint**, void**, nuint*, int>)Optional(export, nameof(cuStreamGetCaptureInfo_v3));
        cuGraphExecKernelNodeSetParams_v2 = (delegate* unmanaged<nint, nint, KernelNodeParameters*, int>)Optional(export, nameof(cuGraphExecKernelNodeSetParams_v2));
        cuModuleLoadData = (delegate* unmanaged<nint*, void*, int>)export(nameof(cuModuleLoadData));
        cuModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)export(nameof(cuModuleGetFunction));
        cuFuncGetAttribute = (delegate* unmanaged<int*, int, nint, int>)export(nameof(cuFuncGetAttribute));
        cuFuncSetAttribute = (delegate* unmanaged<nint, int, int, int>)export(nameof(cuFuncSetAttribute));
        cuLaunchKernelEx = (delegate* unmanaged<LaunchConfiguration*, nint, void**, void**, int>)export(nameof(cuLaunchKernelEx));
        cuOccupancyMaxActiveBlocksPerMultiprocessor = (delegate* unmanaged<int*, nint, int, nuint, int>)export(nameof(cuOccupancyMaxActiveBlocksPerMultiprocessor));
        cuOccupancyMaxActiveClusters = (delegate* unmanaged<int*, nint, LaunchConfiguration*, int>)export(nameof(cuOccupancyMaxActiveClusters));
        cuTensorMapEncodeTiled = (delegate* unmanaged<void*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int, int>)export(nameof(cuTensorMapEncodeTiled));
        cuTensorMapEncodeIm2col = (delegate* unmanaged<void*, int, uint, ulong, ulong*, ulong*, int*, int*, uint, uint, uint*, int, int, int, int, int>)export(nameof(cuTensorMapEncodeIm2col));
        _getErrorName = (delegate* unmanaged<int, byte**, int>)export("cuGetErrorName");
        _getErrorString = (delegate* unmanaged<int, byte**, int>)export("cuGetErrorString");
        int version = 0;
        Check(((delegate* unmanaged<int*, int>)export("cuDriverGetVersion"))(&version), "cuDriverGetVersion");
        Version = version;
    }

    private static nint Optional(Func<string, nint> export, string name)
    {
        try
        {
            return export(name);
        }
        catch (TrtToolsException)
        {
            return 0;
        }
    }

    /// <summary>The installed driver's functions; the error CudaMissing says why there are none.</summary>
    public static DriverApi Current => Instance.Value;

    /// <summary>13000 for 13.0.</summary>
    public int Version { get; }

    public void Check(int status, string function)
    {
        if (status != 0) throw Fail(status, function, "");
    }

    /// <summary>The detail is put together only where the call failed.</summary>
    public void Check(int status, string function, [InterpolatedStringHandlerArgument(nameof(status))] ref CallDetail detail)
    {
        if (status != 0) throw Fail(status, function, detail.ToString());
    }

    /// <summary>The library's word for a status in .NET's spelling: CUDA_ERROR_OUT_OF_MEMORY is OutOfMemory.</summary>
    public string Word(int status)
    {
        string name = Text(_getErrorName, status);
        if (!name.StartsWith("CUDA_ERROR_", StringComparison.Ordinal)) return name;
        return string.Concat(name["CUDA_ERROR_".Length..].Split('_').Select(part => part.Length < 2 ? part : part[..1] + part[1..].ToLowerInvariant()));
    }

    private TrtToolsException Fail(int status, string function, string detail)
    {
        string subject = detail.Length > 0 ? $"{function} ({detail})" : function;
        return status switch
        {
            2 => new TrtToolsException(ErrorCode.OutOfDeviceMemory, subject, $"{Word(status)}{FreeMemory()}", "", "Close other programs that use the GPU, lower -WorkspaceLimit or the profile's maximum, or run a smaller batch"),
            100 or 101 => new TrtToolsException(ErrorCode.CudaMissing, subject, Word(status), "A CUDA device", "Run Get-EngineDevice to see what was found"),
            200 or 209 or 218 or 222 or 223 => new TrtToolsException(ErrorCode.EngineIncompatible, subject, $"{Word(status)}: {Text(_getErrorString, status)}", "Code that this device and driver load", "Update the driver, or build the engine again on this machine"),
            _ => new TrtToolsException(ErrorCode.CudaFailed, subject, $"{Word(status)}: {Text(_getErrorString, status)}", "", Advice(status)),
        };
    }

    private static string Advice(int status) => status switch
    {
        // These leave the context unusable: all later calls fail too.
        700 or 702 or 704 or 709 or 710 or 714 or 715 or 716 or 717 or 718 or 719 => "Start a new process; if it happens again, report it with the model",
        999 => "Look into the system's log for a message of the NVIDIA driver (Xid), and start a new process",
        _ => "Report it with the model",
    };

    private string FreeMemory()
    {
        nuint free = 0, total = 0;
        return cuMemGetInfo_v2(&free, &total) == 0 ? $"; {free:N0} of the device's {total:N0} bytes are free" : "";
    }

    private static string Text(delegate* unmanaged<int, byte**, int> function, int status)
    {
        byte* text = null;
        return function(status, &text) == 0 && text != null ? Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text)) : $"error {status}";
    }
}

/// <summary>Formats the detail of a call only if its status says that it failed, and then without the culture.</summary>
[InterpolatedStringHandler]
internal ref struct CallDetail
{
    private DefaultInterpolatedStringHandler _text;

    public CallDetail(int literalLength, int formattedCount, int status, out bool enabled)
    {
        enabled = status != 0;
        if (enabled) _text = new DefaultInterpolatedStringHandler(literalLength, formattedCount, System.Globalization.CultureInfo.InvariantCulture);
    }

    public void AppendLiteral(string value) => _text.AppendLiteral(value);

    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    public void AppendFormatted<T>(T value, string format) => _text.AppendFormatted(value, format);

    public override string ToString() => _text.ToStringAndClear();
}
