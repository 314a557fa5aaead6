using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Evaluation;

/// <summary>Contents of constants, whichever way the model writes them.</summary>
internal static class ConstantReader
{
    /// <summary>The content of an initializer that nobody can replace, or of a Constant node's output; null for anything else.</summary>
    public static TensorData? Read(Value? value) =>
        value is null ? null : value.IsConstant ? value.Data : value.Producer is { } producer && producer.Is("Constant") ? ReadNode(producer) : null;

    /// <summary>What a Constant node gives; null for a sparse one or a reference to a function's attribute.</summary>
    public static TensorData? ReadNode(Node node) => ConstantContent.Of(node.Attributes.FirstOrDefault());
}
