using Google.Protobuf;
using Google.Protobuf.Reflection;
using TrtTools.Onnx.Proto;

namespace TrtTools.Tests.Onnx;

/// <summary>Random models that use every message of the format. Names and tensors fit together; everything else is arbitrary.</summary>
internal sealed class RandomModel(int seed)
{
    private readonly Random _random = new(seed);
    private int _names;
    private int _depth;

    public ModelProto Next()
    {
        ModelProto model = new();
        Fill(model, ModelProto.GraphFieldNumber, ModelProto.FunctionsFieldNumber, ModelProto.OpsetImportFieldNumber, ModelProto.MetadataPropsFieldNumber, ModelProto.TrainingInfoFieldNumber);
        model.IrVersion = 10 + _random.Next(4);
        foreach (string domain in new[] { "", "com.microsoft", "ai.onnx.ml" }.Take(_random.Next(4))) model.OpsetImport.Add(Import(domain));
        for (int i = _random.Next(3); i > 0; i--) model.MetadataProps.Add(new StringStringEntryProto { Key = NewName(), Value = Text() });
        if (Chance(3)) model.TrainingInfo.Add(new TrainingInfoProto { Algorithm = Graph([], false), Initialization = Graph([], false) });
        model.Graph = Graph([], true);
        for (int i = _random.Next(3); i > 0; i--) model.Functions.Add(Function());
        return model;
    }

    private OperatorSetIdProto Import(string domain)
    {
        OperatorSetIdProto import = new() { Version = _random.Next(1, 22) };
        if (domain.Length > 0 || Chance(2)) import.Domain = domain.Length == 0 && Chance(2) ? "ai.onnx" : domain;
        return import;
    }

    private FunctionProto Function()
    {
        FunctionProto function = new();
        Fill(function, FunctionProto.InputFieldNumber, FunctionProto.OutputFieldNumber, FunctionProto.NodeFieldNumber, FunctionProto.AttributeProtoFieldNumber, FunctionProto.ValueInfoFieldNumber,
            FunctionProto.OpsetImportFieldNumber, FunctionProto.DomainFieldNumber);
        function.Name = NewName();
        function.Domain = "custom";
        function.OpsetImport.Add(Import(""));
        List<string> names = [];
        for (int i = _random.Next(3); i > 0; i--) function.Input.Add(Define(names));
        for (int i = _random.Next(3); i > 0; i--) function.AttributeProto.Add(Attribute([]));
        AddNodes(function.Node, names);
        for (int i = _random.Next(3); i > 0 && names.Count > 0; i--) function.Output.Add(Pick(names));
        foreach (string name in names.Where(_ => Chance(3))) function.ValueInfo.Add(Info(name));
        return function;
    }

    private GraphProto Graph(List<string> outer, bool isMain)
    {
        GraphProto graph = new();
        Fill(graph, GraphProto.NodeFieldNumber, GraphProto.InitializerFieldNumber, GraphProto.SparseInitializerFieldNumber, GraphProto.InputFieldNumber, GraphProto.OutputFieldNumber, GraphProto.ValueInfoFieldNumber);
        List<string> own = [];
        for (int i = _random.Next(3); i > 0; i--) graph.Input.Add(Info(Define(own)));
        for (int i = _random.Next(4); i > 0; i--) graph.Initializer.Add(Tensor(Define(own)));
        if (isMain && graph.Input.Count > 0 && Chance(3)) graph.Initializer.Insert(_random.Next(graph.Initializer.Count + 1), Tensor(graph.Input[0].Name));
        if (Chance(4)) graph.SparseInitializer.Add(Sparse(Define(own)));
        List<string> visible = [.. outer, .. own];
        int before = visible.Count;
        AddNodes(graph.Node, visible);
        own.AddRange(visible.Skip(before));
        for (int i = _random.Next(3); i > 0 && visible.Count > 0; i--) graph.Output.Add(Info(Pick(visible)));
        foreach (string name in own.OrderBy(_ => _random.Next()).Where(_ => Chance(3))) graph.ValueInfo.Add(Info(name));
        if (Chance(5)) graph.ValueInfo.Insert(_random.Next(graph.ValueInfo.Count + 1), Info("nobody" + NewName()));
        return graph;
    }

    private void AddNodes(Google.Protobuf.Collections.RepeatedField<NodeProto> nodes, List<string> names)
    {
        for (int i = _random.Next(5); i > 0; i--)
        {
            NodeProto node = new();
            Fill(node, NodeProto.InputFieldNumber, NodeProto.OutputFieldNumber, NodeProto.AttributeFieldNumber);
            for (int j = _random.Next(4); j > 0; j--) node.Input.Add(names.Count > 0 && !Chance(5) ? Pick(names) : "");
            for (int j = _random.Next(4); j > 0; j--) node.Attribute.Add(Attribute(names));
            for (int j = _random.Next(3); j > 0; j--) node.Output.Add(Chance(5) ? "" : Define(names));
            nodes.Add(node);
        }
    }

    private AttributeProto Attribute(List<string> visible)
    {
        AttributeProto attribute = new();
        if (Chance(8))
        {
            // Any fields together: whatever the type does not claim must survive as well.
            Fill(attribute, AttributeProto.TFieldNumber, AttributeProto.GFieldNumber, AttributeProto.TensorsFieldNumber, AttributeProto.GraphsFieldNumber,
                AttributeProto.SparseTensorFieldNumber, AttributeProto.SparseTensorsFieldNumber);
        }
        attribute.Name = NewName();
        if (Chance(4)) attribute.DocString = Text();
        int kind = _random.Next(16);
        if (!Chance(6)) attribute.Type = (AttributeProto.Types.AttributeType)kind;
        if (Chance(10)) return attribute;
        if (Chance(10))
        {
            attribute.RefAttrName = Text();
            return attribute;
        }
        switch (kind)
        {
            case 1: attribute.F = Chance(3) ? 0 : _random.NextSingle(); break;
            case 2: attribute.I = _random.Next(-3, 3); break;
            case 3: attribute.S = Bytes(); break;
            case 4: attribute.T = Tensor(Chance(2) ? Text() : null); break;
            case 5: if (_depth++ < 3) attribute.G = Graph(visible, false); _depth--; break;
            case 6: for (int i = _random.Next(4); i > 0; i--) attribute.Floats.Add(_random.NextSingle()); break;
            case 7: for (int i = _random.Next(4); i > 0; i--) attribute.Ints.Add(_random.NextInt64()); break;
            case 8: for (int i = _random.Next(4); i > 0; i--) attribute.Strings.Add(Bytes()); break;
            case 9: for (int i = _random.Next(3); i > 0; i--) attribute.Tensors.Add(Tensor(null)); break;
            case 10: if (_depth++ < 3) attribute.Graphs.Add(Graph(visible, false)); _depth--; break;
            case 11: attribute.SparseTensor = Sparse(""); break;
            case 12: attribute.SparseTensors.Add(Sparse("")); break;
            case 13: attribute.Tp = Type(); break;
            case 14: attribute.TypeProtos.Add(Type()); break;
        }
        return attribute;
    }

    private TensorProto Tensor(string? name)
    {
        TensorProto tensor = new();
        Fill(tensor, TensorProto.DimsFieldNumber, TensorProto.FloatDataFieldNumber, TensorProto.Int32DataFieldNumber, TensorProto.StringDataFieldNumber, TensorProto.Int64DataFieldNumber,
            TensorProto.RawDataFieldNumber, TensorProto.DoubleDataFieldNumber, TensorProto.Uint64DataFieldNumber, TensorProto.ExternalDataFieldNumber, TensorProto.DataLocationFieldNumber, TensorProto.NameFieldNumber);
        if (name is not null) tensor.Name = name;
        if (Chance(4)) tensor.DataLocation = TensorProto.Types.DataLocation.Default;
        int type = _random.Next(1, 27);
        tensor.DataType = type;
        int count = 1;
        for (int i = _random.Next(4); i > 0; i--)
        {
            tensor.Dims.Add(_random.Next(0, 4));
            count *= (int)tensor.Dims[^1];
        }
        TrtTools.Tensors.DataType data = (TrtTools.Tensors.DataType)type;
        int bits = TrtTools.Tensors.DataTypes.BitSize(data);
        if (data == TrtTools.Tensors.DataType.String)
        {
            for (int i = 0; i < count; i++) tensor.StringData.Add(Bytes());
            return tensor;
        }
        int bytes = ((count * bits) + 7) / 8;
        if (Chance(2))
        {
            if (count > 0 || Chance(2)) tensor.RawData = ByteString.CopyFrom(RandomBytes(Chance(4) && count > 0 ? bytes : bytes));
            return tensor;
        }
        int fields = bits < 8 ? bytes : count;
        for (int i = 0; i < fields; i++)
        {
            switch (type)
            {
                case 1: tensor.FloatData.Add(_random.NextSingle()); break;
                case 14: tensor.FloatData.Add([_random.NextSingle(), float.NaN]); break;
                case 11: tensor.DoubleData.Add(_random.NextDouble()); break;
                case 15: tensor.DoubleData.Add([_random.NextDouble(), double.NaN]); break;
                case 7: tensor.Int64Data.Add(_random.NextInt64(long.MinValue, long.MaxValue)); break;
                case 12: tensor.Uint64Data.Add(Chance(20) ? ulong.MaxValue : (ulong)_random.Next()); break;
                case 13: tensor.Uint64Data.Add((ulong)_random.NextInt64()); break;
                default: tensor.Int32Data.Add(Chance(10) ? _random.Next(int.MinValue, int.MaxValue) : _random.Next(0, 100)); break;
            }
        }
        return tensor;
    }

    private SparseTensorProto Sparse(string name)
    {
        SparseTensorProto sparse = new() { Values = new TensorProto { DataType = 1, Name = name }, Indices = new TensorProto { DataType = 7 } };
        sparse.Dims.Add([3, 4]);
        sparse.Values.Dims.Add(2);
        sparse.Values.FloatData.Add([1, 2]);
        bool linear = Chance(2);
        sparse.Indices.Dims.Add(linear ? [2] : [2, 2]);
        sparse.Indices.Int64Data.Add(linear ? [1, 11] : [0, 1, 2, 3]);
        AddUnknown(sparse);
        return sparse;
    }

    private ValueInfoProto Info(string name)
    {
        ValueInfoProto info = new();
        Fill(info, ValueInfoProto.TypeFieldNumber);
        info.Name = name;
        if (!Chance(5)) info.Type = Type();
        return info;
    }

    private TypeProto Type(int depth = 0)
    {
        TypeProto type = new();
        Fill(type, TypeProto.TensorTypeFieldNumber, TypeProto.SequenceTypeFieldNumber, TypeProto.MapTypeFieldNumber, TypeProto.OpaqueTypeFieldNumber, TypeProto.SparseTensorTypeFieldNumber, TypeProto.OptionalTypeFieldNumber);
        switch (_random.Next(depth > 2 ? 2 : 8))
        {
            case 2: type.SequenceType = new TypeProto.Types.Sequence { ElemType = Type(depth + 1) }; break;
            case 3: type.MapType = new TypeProto.Types.Map { KeyType = _random.Next(20), ValueType = Type(depth + 1) }; break;
            case 4: type.OpaqueType = new TypeProto.Types.Opaque { Domain = Text(), Name = Text() }; break;
            case 5: type.SparseTensorType = new TypeProto.Types.SparseTensor { ElemType = 1, Shape = Shape() }; break;
            case 6: type.OptionalType = new TypeProto.Types.Optional { ElemType = Type(depth + 1) }; break;
            default:
                type.TensorType = new TypeProto.Types.Tensor();
                if (!Chance(8)) type.TensorType.ElemType = _random.Next(30);
                if (!Chance(4)) type.TensorType.Shape = Shape();
                AddUnknown(type.TensorType);
                break;
        }
        return type;
    }

    private TensorShapeProto Shape()
    {
        TensorShapeProto shape = new();
        for (int i = _random.Next(4); i > 0; i--)
        {
            TensorShapeProto.Types.Dimension dimension = new();
            if (Chance(2)) dimension.DimValue = _random.Next(-1, 5);
            else if (Chance(2)) dimension.DimParam = Text();
            if (Chance(4)) dimension.Denotation = Text();
            AddUnknown(dimension);
            shape.Dim.Add(dimension);
        }
        return shape;
    }

    /// <summary>Gives every field but the ones named a random content, or none, and adds unknown fields.</summary>
    private void Fill(IMessage message, params int[] except)
    {
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (except.Contains(field.FieldNumber) || Chance(2)) continue;
            if (field.IsRepeated)
            {
                System.Collections.IList list = (System.Collections.IList)field.Accessor.GetValue(message);
                for (int i = _random.Next(3); i > 0; i--) list.Add(Content(field));
            }
            else
            {
                field.Accessor.SetValue(message, Content(field));
            }
        }
        AddUnknown(message);
    }

    private object Content(FieldDescriptor field)
    {
        switch (field.FieldType)
        {
            case FieldType.String: return field.Name == "op_type" ? Pick(["Relu", "Conv", ""]) : field.Name == "domain" ? Pick(["", "ai.onnx", "com.microsoft"]) : Text();
            case FieldType.Bytes: return Bytes();
            case FieldType.Float: return _random.NextSingle();
            case FieldType.Double: return _random.NextDouble();
            case FieldType.Int32: return _random.Next(-2, 3);
            case FieldType.Int64: return (long)_random.Next(-2, 3);
            case FieldType.UInt64: return (ulong)_random.Next(3);
            case FieldType.Enum: return Enum.ToObject(field.EnumType.ClrType, 0);
            default:
                IMessage message = field.MessageType.Parser.ParseFrom(ByteString.Empty);
                if (message is TypeProto) return Type();
                Fill(message);
                return message;
        }
    }

    private void AddUnknown(IMessage message)
    {
        if (!Chance(6)) return;
        byte[] field = new byte[16];
        using CodedOutputStream stream = new(field);
        stream.WriteTag(1000 + _random.Next(3), WireFormat.WireType.Varint);
        stream.WriteInt64(_random.Next());
        stream.Flush();
        message.MergeFrom(field.AsSpan(0, (int)stream.Position));
    }

    private string Define(List<string> names)
    {
        names.Add(NewName());
        return names[^1];
    }

    private string NewName() => (Chance(3) ? "näme/ö:" : "n") + _names++;

    private string Text() => Pick(["", "a", "b c", "ü", "0"]);

    private ByteString Bytes() => Chance(6) ? ByteString.CopyFrom(0xFF, 0xFE, 0x00) : ByteString.CopyFromUtf8(Text());

    private byte[] RandomBytes(int count)
    {
        byte[] bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }

    private T Pick<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];

    private bool Chance(int of) => _random.Next(of) == 0;
}
