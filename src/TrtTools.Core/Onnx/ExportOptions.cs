namespace TrtTools.Onnx;

/// <summary>How a graph is written to a file.</summary>
public sealed record ExportOptions
{
    /// <summary>Stores large weights in a second file beside the model.</summary>
    public bool ExternalData { get; init; }

    /// <summary>Leaves initializers among the graph's inputs where the source had them there, so that a caller can replace them.</summary>
    public bool KeepOverridableInput { get; init; }

    /// <summary>Writes the operators of fused nodes instead of calls of functions.</summary>
    public bool ExpandFunction { get; init; }

    /// <summary>Replaces an existing file.</summary>
    public bool Force { get; init; }
}
