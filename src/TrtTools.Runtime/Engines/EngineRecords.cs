using TrtTools.Tensors;

namespace TrtTools.Engines;

/// <summary>An input or output of an engine.</summary>
public sealed record EngineTensor
{
    public required string Name { get; init; }

    public required DataType DataType { get; init; }

    /// <summary>Extents; -1 where a dimension is dynamic. Empty for a scalar.</summary>
    public required long[] Shape { get; init; }

    /// <summary>Extents as text: a number, a symbol such as "batch", or "?".</summary>
    public required string[] SymbolicShape { get; init; }

    /// <summary>False when not even the number of dimensions is known.</summary>
    public bool HasRank { get; init; } = true;

    /// <summary>What the engine does to the raw image that this input takes; empty for all other tensors.</summary>
    public string Preprocessing { get; init; } = "";

    public override string ToString() => $"{Name}: {DataType}[{(HasRank ? string.Join(',', SymbolicShape) : "…")}]";
}

/// <summary>The range of shapes of one input in one optimization profile.</summary>
public sealed record EngineProfile
{
    /// <summary>Number of the profile, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>The input's name.</summary>
    public required string Input { get; init; }

    public required long[] Min { get; init; }

    public required long[] Opt { get; init; }

    public required long[] Max { get; init; }

    public override string ToString() => $"{Index}: {Input} [{Text(Min)}] … [{Text(Opt)}] … [{Text(Max)}]";

    private static string Text(long[] shape) => string.Join(',', shape);
}

/// <summary>Who built an engine, when, from what and with what. It stands outside the hash that is the engine's id.</summary>
public sealed record EngineProvenance
{
    public string User { get; init; } = "";

    public string Host { get; init; } = "";

    public DateTimeOffset BuiltAt { get; init; }

    public string TrtToolsVersion { get; init; } = "";

    public string OnnxRuntimeVersion { get; init; } = "";

    public string DotNetVersion { get; init; } = "";

    public string OperatingSystem { get; init; } = "";

    /// <summary>Name of the CPU or GPU it was built on.</summary>
    public string DeviceName { get; init; } = "";

    public string CudaVersion { get; init; } = "";

    /// <summary>The model's name.</summary>
    public string Model { get; init; } = "";

    /// <summary>Full path of the model's file at the time of the build.</summary>
    public string? ModelPath { get; init; }

    /// <summary>SHA-256 of the graph as it was given to the build.</summary>
    public string ModelHash { get; init; } = "";

    /// <summary>SHA-256 of the model's file, when there was one.</summary>
    public string ModelFileHash { get; init; } = "";

    /// <summary>The build's options that were given, as "Name=Value".</summary>
    public string[] Options { get; init; } = [];

    /// <summary>SHA-256 of the calibration cache.</summary>
    public string CalibrationHash { get; init; } = "";

    /// <summary>Room for a signature over the id and this record.</summary>
    public string Signature { get; init; } = "";
}

/// <summary>One step of an engine, as the device runs it.</summary>
public sealed record EngineLayer
{
    public required string Name { get; init; }

    /// <summary>What it computes, such as "Conv + Relu".</summary>
    public required string Kind { get; init; }

    /// <summary>The implementation that was chosen.</summary>
    public required string Tactic { get; init; }

    public required string Precision { get; init; }

    /// <summary>Types and shapes of the inputs that are computed, such as "Float32[1,3,224,224]".</summary>
    public required string InputShape { get; init; }

    public required string OutputShape { get; init; }

    public required long WeightBytes { get; init; }

    /// <summary>Median time of one run in milliseconds; empty when the layer was not measured.</summary>
    public double? MedianMs { get; init; }

    /// <summary>Share of the time of all layers, in percent; empty when the layer was not measured.</summary>
    public double? Percent { get; init; }

    /// <summary>The nodes of the imported model that it stands for.</summary>
    public required string[] SourceNode { get; init; }

    /// <summary>What the tactic was chosen from, each with its time or why it was rejected: "cublasLt:1f0c33a2: 0.0124 ms". Empty where there was no choice.</summary>
    public string[] Candidates { get; init; } = [];

    /// <summary>What the library that runs it calls it; profiles go by this name.</summary>
    internal string RuntimeName { get; init; } = "";

    /// <summary>The model's name.</summary>
    public string Model { get; init; } = "";

    public string? Path { get; init; }

    public string Device { get; init; } = "";
}

/// <summary>What the header of an engine file says.</summary>
public sealed record EngineInfo
{
    public required string Name { get; init; }

    /// <summary>SHA-256 of the engine's content: equal inputs give equal ids.</summary>
    public required string Id { get; init; }

    /// <summary>Cpu or Cuda.</summary>
    public required string Device { get; init; }

    /// <summary>Of the GPU it was built for; empty for the CPU.</summary>
    public required string ComputeCapability { get; init; }

    /// <summary>The lowest precision that layers run in.</summary>
    public required string Precision { get; init; }

    public required EngineTensor[] Inputs { get; init; }

    public required EngineTensor[] Outputs { get; init; }

    public required EngineProfile[] Profiles { get; init; }

    public required long SizeBytes { get; init; }

    public required double BuildSeconds { get; init; }

    public DateTimeOffset BuiltAt => Provenance.BuiltAt;

    public required string[] Warnings { get; init; }

    public required EngineProvenance Provenance { get; init; }

    /// <summary>The model's name.</summary>
    public string Model => Provenance.Model;

    /// <summary>Full path of the engine file.</summary>
    public string? Path { get; init; }

    /// <summary>Version of the file format.</summary>
    public required int FormatVersion { get; init; }

    public override string ToString() => $"{Name} ({Device}, {Precision})";
}

/// <summary>An engine in a few plain properties, for ConvertTo-Json.</summary>
public sealed record EngineSummary
{
    public required string Name { get; init; }
    public required string Id { get; init; }
    public required string? Path { get; init; }
    public required string Model { get; init; }
    public required string Device { get; init; }
    public required string ComputeCapability { get; init; }
    public required string Precision { get; init; }
    public required string[] Inputs { get; init; }
    public required string[] Outputs { get; init; }
    public required string[] Profiles { get; init; }
    public required long SizeBytes { get; init; }
    public required double BuildSeconds { get; init; }
    public required DateTimeOffset BuiltAt { get; init; }
    public required int LayerCount { get; init; }
    public required string[] Warnings { get; init; }
    public required EngineProvenance Provenance { get; init; }
}
