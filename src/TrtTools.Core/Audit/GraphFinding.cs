namespace TrtTools.Audit;

/// <summary>How bad a finding is.</summary>
public enum FindingSeverity
{
    /// <summary>Worth knowing; nothing is wrong.</summary>
    Info,

    /// <summary>Runs, but something is odd or wasted.</summary>
    Warning,

    /// <summary>Breaks the ONNX standard: a runtime will refuse it, or compute something else than was meant.</summary>
    Error,
}

/// <summary>One fault of a graph.</summary>
/// <param name="Code">What kind of fault: a stable word for scripts.</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="NodeName">The node it is about; empty when it is about none.</param>
/// <param name="Message">What was found, where.</param>
/// <param name="Fix">What to do about it.</param>
public sealed record GraphFinding(string Code, FindingSeverity Severity, string NodeName, string Message, string Fix)
{
    /// <summary>The model's name.</summary>
    public string Model { get; init; } = "";

    public string? Path { get; init; }
}
