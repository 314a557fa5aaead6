namespace TrtTools.Ort;

internal enum OrtOptimization { None, Full }

/// <summary>How a session runs. The default is what evaluation and references use: no graph optimization, so that every operator computes as written.</summary>
internal sealed record OrtOptions
{
    public OrtOptimization Optimization { get; init; } = OrtOptimization.None;

    /// <summary>Threads inside one operator; 0: as many as there are physical cores this process may use.</summary>
    public int Threads { get; init; }

    /// <summary>Lets ONNX Runtime write a profile; read it with <see cref="OrtSession.EndProfiling"/>.</summary>
    public bool Profile { get; init; }

    /// <summary>Lets worker threads spin between operators: lower latency for a model that runs again and again, wasted cores for one that runs once.</summary>
    public bool Spinning { get; init; }

    /// <summary>Where ONNX Runtime writes the graph as it optimized it.</summary>
    public string? OptimizedModelPath { get; init; }

    /// <summary>Folder of the external data of a model given as bytes.</summary>
    public string? ExternalDataFolder { get; init; }

    /// <summary>Further entries of ONNX Runtime's session configuration.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Configuration { get; init; } = [];

    /// <summary>What error messages call the model.</summary>
    public string Subject { get; init; } = "The model";
}

/// <summary>An input or output as the session declares it.</summary>
/// <param name="Shape">Extents; -1 where dynamic.</param>
internal sealed record OrtTensorInfo(string Name, Tensors.DataType DataType, long[] Shape, string[] Symbols, bool IsTensor);
