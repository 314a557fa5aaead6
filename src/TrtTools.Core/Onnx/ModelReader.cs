using Google.Protobuf;
using TrtTools.Files;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>Parses a mapped model. The raw data of large tensors stays in the file: it is cut out of the wire stream, so that weights are not
/// copied and models over 2 GB can be read. Everything else is parsed by Google.Protobuf, a run of fields at a time.</summary>
/// <remarks>Raw data in a protobuf file has no alignment. x64 reads unaligned numbers, so spans over it are used as they are.</remarks>
internal sealed class ModelReader(MappedFile file, string subject)
{
    /// <summary>Raw data from here on stays in the file.</summary>
    private const int MappedFrom = 4096;

    /// <summary>Messages from here on are walked field by field, since they may hold such data.</summary>
    private const int WalkedFrom = 1 << 16;

    private const int LongestRun = 1 << 26;

    /// <summary>As deep as Google.Protobuf itself goes.</summary>
    private const int DeepestNesting = 100;

    private readonly WireScanner _scanner = new(file, subject);
    private readonly Dictionary<TensorProto, (long Offset, long Length)> _raw = new(ReferenceEqualityComparer.Instance);
    private int _depth;

    public ModelProto Read()
    {
        ModelProto model = new();
        Walk(model, 0, file.Length, field =>
        {
            switch (field.Number)
            {
                case ModelProto.GraphFieldNumber:
                    ReadGraph(model.Graph ??= new GraphProto(), field);
                    return true;
                case ModelProto.FunctionsFieldNumber when field.Length >= WalkedFrom:
                    model.Functions.Add(ReadFunction(field));
                    return true;
                default:
                    return false;
            }
        });
        return model;
    }

    /// <summary>Reads a tensor that <see cref="Read"/> gave.</summary>
    public TensorData ReadTensor(TensorProto proto, string where, bool keepName)
    {
        if (!_raw.TryGetValue(proto, out (long Offset, long Length) raw)) return TensorCodec.Read(proto, where, keepName);
        DataType type = (DataType)proto.DataType;
        long[] shape = [.. proto.Dims];
        long expected = type.ByteCount(TensorCodec.CheckShape(type, shape, proto.DataType, where));
        if (raw.Length != expected || type == DataType.String) throw TensorCodec.WrongLength(where, type, shape, expected, Invariant($"{raw.Length:N0} bytes of raw data"));
        if (!keepName) proto.ClearName();
        return TensorData.FromFile(type, shape, file, raw.Offset, raw.Length, TensorCodec.Strip(proto, type, TensorForm.Raw));
    }

    private void ReadGraph(GraphProto graph, WireField at) => Walk(graph, at.Content, at.End, field =>
    {
        switch (field.Number)
        {
            case GraphProto.NodeFieldNumber when field.Length >= WalkedFrom:
                graph.Node.Add(ReadNode(field));
                return true;
            case GraphProto.InitializerFieldNumber when field.Length >= MappedFrom:
                TensorProto tensor = new();
                ReadTensor(tensor, field);
                graph.Initializer.Add(tensor);
                return true;
            default:
                return false;
        }
    });

    private FunctionProto ReadFunction(WireField at)
    {
        FunctionProto function = new();
        Walk(function, at.Content, at.End, field =>
        {
            if (field.Number != FunctionProto.NodeFieldNumber || field.Length < WalkedFrom) return false;
            function.Node.Add(ReadNode(field));
            return true;
        });
        return function;
    }

    private NodeProto ReadNode(WireField at)
    {
        NodeProto node = new();
        Walk(node, at.Content, at.End, field =>
        {
            if (field.Number != NodeProto.AttributeFieldNumber || field.Length < WalkedFrom) return false;
            node.Attribute.Add(ReadAttribute(field));
            return true;
        });
        return node;
    }

    private AttributeProto ReadAttribute(WireField at)
    {
        AttributeProto attribute = new();
        Walk(attribute, at.Content, at.End, field =>
        {
            switch (field.Number)
            {
                case AttributeProto.TFieldNumber when field.Length >= MappedFrom:
                    ReadTensor(attribute.T ??= new TensorProto(), field);
                    return true;
                case AttributeProto.GFieldNumber when field.Length >= WalkedFrom:
                    ReadGraph(attribute.G ??= new GraphProto(), field);
                    return true;
                case AttributeProto.TensorsFieldNumber when field.Length >= MappedFrom:
                    TensorProto tensor = new();
                    ReadTensor(tensor, field);
                    attribute.Tensors.Add(tensor);
                    return true;
                case AttributeProto.GraphsFieldNumber when field.Length >= WalkedFrom:
                    GraphProto graph = new();
                    ReadGraph(graph, field);
                    attribute.Graphs.Add(graph);
                    return true;
                default:
                    return false;
            }
        });
        return attribute;
    }

    private void ReadTensor(TensorProto tensor, WireField at) => Walk(tensor, at.Content, at.End, field =>
    {
        if (field.Number != TensorProto.RawDataFieldNumber || field.Length < MappedFrom) return false;
        _raw[tensor] = (field.Content, field.Length);
        return true;
    });

    /// <summary>Goes through a message. <paramref name="take"/> handles a length-delimited field and says so; runs of all others are merged into <paramref name="target"/>.</summary>
    private void Walk(IMessage target, long start, long end, Func<WireField, bool> take)
    {
        if (++_depth > DeepestNesting) throw TooDeep(subject);
        long run = start;
        foreach (WireField field in _scanner.Fields(start, end))
        {
            // What comes before must be there first, or repeated fields change their order.
            bool large = field.IsMessage && field.Length >= MappedFrom;
            if (large || field.End - run > LongestRun || (field.IsMessage && target is ModelProto && field.Number == ModelProto.GraphFieldNumber))
            {
                Merge(target, run, field.Start);
                run = field.Start;
                if (field.IsMessage && take(field)) run = field.End;
            }
        }
        Merge(target, run, end);
        _depth--;
    }

    private void Merge(IMessage target, long start, long end)
    {
        if (start == end) return;
        if (end - start > int.MaxValue)
        {
            throw Malformed.Model(subject, Invariant($"the field at byte {start:N0} has {end - start:N0} bytes"), "Only tensors' raw data may be over 2 GB", "Store the model's weights as initializers with raw data");
        }
        Parse(() => target.MergeFrom(file.Span(start, (int)(end - start))), subject);
    }

    /// <summary>Runs a parser and gives its errors our form.</summary>
    public static void Parse(Action parse, string subject)
    {
        try
        {
            parse();
        }
        catch (InvalidProtocolBufferException e)
        {
            // The library tells them apart by text alone.
            if (e.Message.Contains("levels of nesting", StringComparison.Ordinal)) throw TooDeep(subject, e);
            throw Malformed.Model(subject, "it is no ONNX model, or a damaged one", "A file in ONNX's protobuf format", "Copy or download it again", e);
        }
    }

    private static TrtToolsException TooDeep(string subject, Exception? inner = null) => new(ErrorCode.ModelTooDeep, subject, "its messages are nested too deeply",
        $"At most {DeepestNesting} levels, which is about {DeepestNesting / 3} subgraphs inside each other (protobuf's limit)", "Export the model with less deeply nested If, Loop or Scan", inner);
}
