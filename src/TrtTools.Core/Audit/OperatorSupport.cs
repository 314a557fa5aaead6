namespace TrtTools.Audit;

/// <summary>What a model can be made to run on.</summary>
public enum SupportTarget
{
    /// <summary>This module's engines on an NVIDIA GPU.</summary>
    Cuda,

    /// <summary>This module's engines on the CPU, which ONNX Runtime runs.</summary>
    Cpu,

    /// <summary>TensorRT 10's ONNX parser.</summary>
    TensorRT10,

    /// <summary>TensorRT 11's ONNX parser.</summary>
    TensorRT11,
}

/// <summary>Whether a target runs an operator as a model uses it.</summary>
public sealed record OperatorSupport
{
    public required string Operator { get; init; }

    /// <summary>The operator's domain; ai.onnx under its name.</summary>
    public required string Domain { get; init; }

    /// <summary>The opset of that domain that the model, or the function around the node, imports.</summary>
    public required long Opset { get; init; }

    /// <summary>Nodes that this record stands for.</summary>
    public required int Count { get; init; }

    public required bool Supported { get; init; }

    /// <summary>Why not; for a supported operator the target's limits that can't be checked beforehand, if there are any.</summary>
    public required string Reason { get; init; }

    /// <summary>What to do or use instead; empty when supported.</summary>
    public required string Suggestion { get; init; }

    /// <summary>The first such node's name, or its first output's.</summary>
    public required string NodeName { get; init; }

    public required SupportTarget Target { get; init; }

    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    public required string? Path { get; init; }
}
