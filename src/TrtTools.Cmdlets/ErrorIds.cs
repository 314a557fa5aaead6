using System.Management.Automation;

namespace TrtTools.Cmdlets;

/// <summary>What PowerShell needs to know of each error code: its category, and whether the environment is to blame.</summary>
internal static class ErrorIds
{
    public static ErrorCategory Category(ErrorCode code) => code switch
    {
        ErrorCode.ModelNotFound or ErrorCode.InputNotFound or ErrorCode.EngineNotFound or ErrorCode.DataNotFound
            or ErrorCode.NodeNotFound or ErrorCode.TensorNotFound or ErrorCode.FunctionNotFound or ErrorCode.PassUnknown or ErrorCode.PatternUnknown => ErrorCategory.ObjectNotFound,
        ErrorCode.ModelMalformed or ErrorCode.ModelTooDeep or ErrorCode.ExternalDataInvalid or ErrorCode.CalibrationDataInvalid
            or ErrorCode.CalibrationCacheInvalid or ErrorCode.EngineIncompatible or ErrorCode.EngineCorrupt or ErrorCode.DataInvalid => ErrorCategory.InvalidData,
        ErrorCode.UnsupportedOperator or ErrorCode.DeviceUnsupported => ErrorCategory.NotImplemented,
        ErrorCode.ShapeUnknown or ErrorCode.ShapeMismatch or ErrorCode.InputInvalid or ErrorCode.OptionInvalid
            or ErrorCode.ShapeOutOfProfile or ErrorCode.OutputPathCollision or ErrorCode.OutputPathInvalid => ErrorCategory.InvalidArgument,
        ErrorCode.ChangeRefused => ErrorCategory.InvalidOperation,
        ErrorCode.VerificationFailed or ErrorCode.EvaluationFailed or ErrorCode.FaultNotFound => ErrorCategory.InvalidResult,
        ErrorCode.CudaMissing or ErrorCode.NativeLibraryMissing or ErrorCode.RuntimeMismatch => ErrorCategory.NotInstalled,
        ErrorCode.OutOfDeviceMemory => ErrorCategory.ResourceUnavailable,
        ErrorCode.CudaFailed => ErrorCategory.DeviceError,
        ErrorCode.OutputPathExists => ErrorCategory.ResourceExists,
        ErrorCode.FileNotReadable => ErrorCategory.ReadError,
        ErrorCode.ObjectNotLive => ErrorCategory.InvalidType,
        ErrorCode.Cancelled => ErrorCategory.OperationStopped,
        _ => ErrorCategory.NotSpecified,
    };

    /// <summary>True where the next item of the pipeline would fail the same way, so that going on makes no sense.</summary>
    public static bool IsEnvironment(ErrorCode code) => code is ErrorCode.CudaMissing or ErrorCode.NativeLibraryMissing or ErrorCode.RuntimeMismatch;

    public static ErrorRecord Record(TrtToolsException error, object? target) =>
        new(error, error.Code.ToString(), Category(error.Code), target ?? error.Subject);

    /// <summary>The record of a fault of our own: what it was, and what the user can do.</summary>
    public static ErrorRecord Internal(Exception fault, string command, object? target)
    {
        TrtToolsException error = new(ErrorCode.InternalError, command, $"an unexpected {fault.GetType().Name} ({fault.Message.TrimEnd('.')})", "",
            "Report it with the model and the output of the same command with -Verbose", fault);
        return Record(error, target);
    }
}
