using System.Text;
using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>What a Constant node gives.</summary>
internal static class ConstantContent
{
    /// <summary>The tensor that the attribute says; null for a sparse one, an unresolved reference, or no such attribute.</summary>
    public static TensorData? Of(Attribute? attribute) => attribute is not { Reference: null } ? null : (attribute.Name, attribute.Content) switch
    {
        ("value", TensorData data) => data,
        ("value_float", float number) => TensorData.From<float>([number], []),
        ("value_floats", float[] numbers) => TensorData.Vector<float>(numbers),
        ("value_int", long number) => TensorData.From<long>([number], []),
        ("value_ints", long[] numbers) => TensorData.Vector<long>(numbers),
        ("value_string", byte[]) => TensorData.FromStrings([], [attribute.Text]),
        ("value_strings", byte[][] texts) => TensorData.FromStrings([texts.Length], [.. texts.Select(Encoding.UTF8.GetString)]),
        _ => null,
    };
}
