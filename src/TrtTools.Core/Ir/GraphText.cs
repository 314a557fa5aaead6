using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Graphs as text, for tests and for messages to developers.</summary>
/// <remarks><code>
/// model      = [ "&lt;" setting { "," setting } "&gt;" ] ( graph | statements ) { function }
/// setting    = "ir" int | "opset" int | domain int                         without: ir 8, opset 17
/// graph      = [ values ] "-&gt;" [ values ] "{" statements "}"                  a subgraph's inputs may stand in ( )
/// values     = value { "," value }         value = name [ ":" type ]
/// type       = DataType [ "[" [ dim { "," dim } ] "]" ]                     without brackets: unknown rank
/// dim        = int | symbol | "?"
/// statements = { value "=" tensor | targets "=" node } separated by ";" or line ends
/// tensor     = DataType [ "[" extents "]" ] content                         without brackets: a scalar
/// content    = number | string | bool | "[" … "]" | "zeros" | "ones" | "fill(" number ")" | "range" | "random(" seed ")"
/// node       = [ domain "::" ] OpType [ attributes ] "(" inputs ")" [ attributes ] [ "@" name ]
/// inputs     = names or "_" for an absent one; targets alike
/// attributes = "{" name "=" ( int | float | string | list | tensor | subgraph | "[" subgraphs "]" | "$" name ":" kind ) … "}"
/// function   = "function" domain "::" name [ "&lt;" name [ "=" literal ] … "&gt;" ] "(" names ")" "-&gt;" names "{" statements "}"
/// </code>
/// A float has a point, an exponent, or is inf, -inf or nan. Commas between the elements of a list may be left out. An empty list is one of ints; floats[] and strings[] are the others. Names with other characters
/// than letters, digits, _ . and / stand in double quotes. A node without @name has its first output's name. # starts a comment. In a model without
/// "-&gt;" every name that nothing defines is an input of unknown type, and every value that nothing reads is an output.</remarks>
internal static class GraphText
{
    /// <summary>Parses a model; throws <see cref="FormatException"/> with line and column.</summary>
    public static OnnxGraph Parse(string text) => new GraphTextParser(text).ParseModel();

    /// <summary>The model in the form that <see cref="Parse"/> reads, except that tensors of more than 16 elements show a checksum.</summary>
    public static string Print(OnnxGraph graph) => new GraphTextPrinter().Model(graph);

    /// <summary>The main graph's nodes alone, in one line: "y = Relu(x); z = Exp(y)".</summary>
    public static string PrintNodes(OnnxGraph graph) => string.Join("; ", graph.Body.Nodes.Select(n => new GraphTextPrinter { ShowNames = false }.NodeText(n)));

    /// <summary>Numbers from -1 to 1 for floating-point types and small integers for others; the same for a seed everywhere.</summary>
    public static TensorData Random(DataType type, long[] shape, ulong seed)
    {
        int count = checked((int)TensorData.CountElements(shape));
        ulong state = seed;
        double Next()
        {
            // SplitMix64
            state += 0x9E3779B97F4A7C15;
            ulong z = state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return (((z ^ (z >> 31)) >> 11) * (2.0 / (1UL << 53))) - 1;
        }
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            double v = Next();
            values[i] = type.IsFloatingPoint() ? v : type is DataType.Bool ? (v > 0 ? 1 : 0) : type is DataType.UInt8 or DataType.UInt16 or DataType.UInt32 or DataType.UInt64 ? Math.Floor((v + 1) * 8) : Math.Floor(v * 8);
        }
        return FromDoubles(type, shape, values);
    }

    public static TensorData FromDoubles(DataType type, long[] shape, double[] values) => type switch
    {
        DataType.Float32 => TensorData.From<float>([.. values.Select(v => (float)v)], shape),
        DataType.Float64 => TensorData.From<double>(values, shape),
        DataType.Float16 => TensorData.From<Half>([.. values.Select(v => (Half)v)], shape),
        DataType.BFloat16 => TensorData.FromBytes(type, shape, TensorData.Vector<ushort>([.. values.Select(ToBFloat16)]).Bytes.ToArray()),
        DataType.Int64 => TensorData.From<long>([.. values.Select(v => checked((long)v))], shape),
        DataType.Int32 => TensorData.From<int>([.. values.Select(v => checked((int)v))], shape),
        DataType.Int16 => TensorData.From<short>([.. values.Select(v => checked((short)v))], shape),
        DataType.Int8 => TensorData.From<sbyte>([.. values.Select(v => checked((sbyte)v))], shape),
        DataType.UInt64 => TensorData.From<ulong>([.. values.Select(v => checked((ulong)v))], shape),
        DataType.UInt32 => TensorData.From<uint>([.. values.Select(v => checked((uint)v))], shape),
        DataType.UInt16 => TensorData.From<ushort>([.. values.Select(v => checked((ushort)v))], shape),
        DataType.UInt8 => TensorData.From<byte>([.. values.Select(v => checked((byte)v))], shape),
        DataType.Bool => TensorData.From<bool>([.. values.Select(v => v != 0)], shape),
        _ => throw new FormatException($"Tensors of type {type} have no text form."),
    };

    private static ushort ToBFloat16(double value)
    {
        uint bits = BitConverter.SingleToUInt32Bits((float)value);
        return float.IsNaN((float)value) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
