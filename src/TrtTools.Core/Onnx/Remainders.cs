using TrtTools.Ir;
using TrtTools.Onnx.Proto;

namespace TrtTools.Onnx;

// What the file says beyond the IR rides along in the IR's Remainder slots. Most are "husks": the original message with everything cleared that
// the IR holds. Where the IR's content is a default ("" or 0), the husk keeps the field if the file had it, so that presence survives too.
// Copies of a graph share husks: they never change after import.

/// <summary>How a TensorProto held its elements.</summary>
internal enum TensorForm
{
    /// <summary>raw_data.</summary>
    Raw,

    /// <summary>The typed field of its data type (float_data and so on).</summary>
    Typed,

    /// <summary>No field at all; only for tensors without elements.</summary>
    Nothing,

    /// <summary>A SparseTensorProto, held dense in the IR.</summary>
    Sparse,
}

/// <summary>Of a tensor. Absent for one that has nothing but name, type, shape and raw data.</summary>
/// <param name="Husk">The message without content; its name stays where it is an attribute's.</param>
/// <param name="Verbatim">The whole message, where the form can't be made again from the elements (such as a bool stored as 2).</param>
internal sealed record TensorRemainder(TensorProto Husk, TensorForm Form, TensorProto? Verbatim = null, SparseTensorProto? Sparse = null);

/// <summary>Of a value.</summary>
internal sealed record ValueRemainder
{
    /// <summary>As one of the graph's inputs.</summary>
    public ValueInfoProto? Input { get; init; }

    /// <summary>As an entry of value_info, with its place there.</summary>
    public ValueInfoProto? Info { get; init; }

    public int InfoPosition { get; init; } = int.MaxValue;

    /// <summary>Place among the initializers.</summary>
    public int InitializerPosition { get; init; } = int.MaxValue;

    /// <summary>The type that these messages gave; while the value has it, they are written as they were.</summary>
    public TensorType? ImportedType { get; init; }
}

/// <summary>Of a body.</summary>
/// <param name="Husk">Doc string, metadata, annotations, unknown fields.</param>
/// <param name="Outputs">The output entries, in order.</param>
/// <param name="Dangling">value_info of names that the body does not define, with their places.</param>
/// <param name="Strangers">Names with a quantization annotation that the body does not define.</param>
internal sealed record GraphRemainder(GraphProto Husk, IReadOnlyList<ValueInfoProto> Outputs, IReadOnlyList<(ValueInfoProto Info, int Position)> Dangling, IReadOnlySet<string> Strangers);
