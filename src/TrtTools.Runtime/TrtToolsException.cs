namespace TrtTools;

/// <summary>What went wrong, as a script can test for it: the first part of an error record's id.</summary>
public enum ErrorCode
{
    ModelNotFound, ModelMalformed, ModelTooDeep, ExternalDataInvalid, UnsupportedOperator, ShapeUnknown, ShapeMismatch,
    InputNotFound, InputInvalid, NodeNotFound, TensorNotFound, FunctionNotFound, ChangeRefused, PassUnknown, PatternUnknown, OptionInvalid, VerificationFailed, EvaluationFailed, FaultNotFound,
    CalibrationDataInvalid, CalibrationCacheInvalid, CudaMissing, DeviceUnsupported, OutOfDeviceMemory, CudaFailed,
    EngineNotFound, EngineIncompatible, EngineCorrupt, ShapeOutOfProfile, OutputPathExists, OutputPathCollision, OutputPathInvalid,
    FileNotReadable, DataNotFound, DataInvalid, ObjectNotLive, RuntimeMismatch, NativeLibraryMissing, Cancelled, InternalError,
}

/// <summary>An error that a user can act on. Its message has four parts: where, what was found, what was expected, what to do next.</summary>
public sealed class TrtToolsException : Exception
{
    public TrtToolsException(ErrorCode code, string subject, string found, string expected, string nextStep, Exception? inner = null)
        : base(Compose(subject, found, expected, nextStep), inner)
    {
        Code = code;
        Subject = subject;
    }

    public ErrorCode Code { get; }

    /// <summary>The file, node, tensor or parameter that the error is about.</summary>
    public string Subject { get; }

    private static string Compose(string subject, string found, string expected, string nextStep)
    {
        string text = $"{subject}: {Sentence(found)}";
        if (expected.Length > 0) text += " " + Sentence(expected);
        if (nextStep.Length > 0) text += " " + Sentence(nextStep);
        return text;
    }

    private static string Sentence(string text) => text.EndsWith('.') || text.EndsWith('?') || text.EndsWith('!') ? text : text + ".";
}
