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
    public static TensorData? ReadNode(Node node)
    {
        if (node.Attributes.FirstOrDefault() is not { Reference: null } attribute) return null;
        return (attribute.Name, attribute.Content) switch
        {
            ("value", TensorData data) => data,
            ("value_float", float number) => TensorData.From<float>([number], []),
            ("value_floats", float[] numbers) => TensorData.Vector<float>(numbers),
            ("value_int", long number) => TensorData.From<long>([number], []),
            ("value_ints", long[] numbers) => TensorData.Vector<long>(numbers),
            ("value_string", byte[]) => TensorData.FromStrings([], [attribute.Text]),
            ("value_strings", byte[][] texts) => TensorData.FromStrings([texts.Length], [.. texts.Select(System.Text.Encoding.UTF8.GetString)]),
            _ => null,
        };
    }
}
