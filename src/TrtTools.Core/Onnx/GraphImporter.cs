using TrtTools.Ir;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Onnx;

/// <summary>Reads a tensor message, wherever its content lies; the message becomes the remainder.</summary>
/// <param name="subject">Whose content it is, for errors.</param>
/// <param name="keepName">True for attributes' tensors, whose name is kept nowhere else.</param>
internal delegate TensorData TensorReader(TensorProto proto, string subject, bool keepName);

/// <summary>Makes graphs of messages. The messages become the remainders, so they must not be used afterwards.</summary>
/// <param name="file">What the model is called in errors.</param>
/// <param name="readTensor">Reads a tensor message, wherever its content lies.</param>
internal sealed class GraphImporter(string file, TensorReader readTensor, CancellationToken stop)
{
    /// <summary>Metadata key of a node under which the names of the nodes it stands for travel.</summary>
    public const string SourceNodesKey = "trt.tools.source_nodes";

    /// <summary>Metadata key of a value under which the names of the original tensors it equals travel.</summary>
    public const string OriginKey = "trt.tools.origin";

    private readonly List<Graph> _scopes = [];

    public Graph ReadGraph(GraphProto proto, string where)
    {
        Graph graph = new(proto.Name);
        _scopes.Add(graph);
        Dictionary<Value, ValueRemainder> remainders = [];
        foreach (ValueInfoProto input in proto.Input)
        {
            Value value = graph.AddInput(input.Name, TypeCodec.Read(input.Type));
            TakeOrigin(value, input);
            remainders[value] = new ValueRemainder { Input = input };
        }
        int position = 0;
        foreach (TensorProto initializer in proto.Initializer)
        {
            string name = initializer.Name;
            Value value = graph.AddInitializer(name, readTensor(initializer, $"{file}: initializer '{name}'", false));
            remainders[value] = (remainders.GetValueOrDefault(value) ?? new ValueRemainder()) with { InitializerPosition = position++ };
        }
        foreach (SparseTensorProto sparse in proto.SparseInitializer)
        {
            string name = sparse.Values.Name;
            Value value = graph.AddInitializer(name, SparseCodec.Read(sparse, $"{file}: sparse initializer '{name}'", readTensor));
            remainders[value] = (remainders.GetValueOrDefault(value) ?? new ValueRemainder()) with { InitializerPosition = position++ };
        }
        foreach (NodeProto node in NodeOrder.Sort(proto.Node, where)) ReadNode(node, graph);
        foreach (ValueInfoProto output in proto.Output) graph.AddOutput(Resolve(output.Name)!);
        List<(ValueInfoProto, int)> dangling = ReadValueInfo(proto.ValueInfo, graph, remainders);
        foreach (ValueInfoProto output in proto.Output)
        {
            if (graph.Find(output.Name) is not { } value) continue;
            value.Type ??= TypeCodec.Read(output.Type);
            TakeOrigin(value, output);
        }
        foreach ((Value value, ValueRemainder remainder) in remainders) value.Remainder = remainder;
        foreach (Value value in graph.Values)
        {
            if (value.Type is not null) value.Remainder = (value.Remainder as ValueRemainder ?? new ValueRemainder()) with { ImportedType = value.Type };
        }
        ValueInfoProto[] outputs = [.. proto.Output];
        proto.Input.Clear();
        proto.Output.Clear();
        proto.Initializer.Clear();
        proto.SparseInitializer.Clear();
        proto.Node.Clear();
        proto.ValueInfo.Clear();
        if (proto.Name.Length > 0) proto.ClearName();
        HashSet<string> strangers = [.. proto.QuantizationAnnotation.Select(a => a.TensorName).Where(n => graph.Find(n) is null)];
        graph.Remainder = new GraphRemainder(proto, outputs, dangling, strangers);
        _scopes.RemoveAt(_scopes.Count - 1);
        return graph;
    }

    public Function ReadFunction(FunctionProto proto)
    {
        string where = $"{file}: function '{proto.Domain}::{proto.Name}'";
        GraphProto body = new() { Name = proto.Name };
        body.Input.AddRange(proto.Input.Select(i => new ValueInfoProto { Name = i }));
        body.Output.AddRange(proto.Output.Select(o => new ValueInfoProto { Name = o }));
        body.Node.AddRange(proto.Node);
        body.ValueInfo.AddRange(proto.ValueInfo);
        Function function = new(Domain(proto.Domain), proto.Name, proto.Overload, ReadGraph(body, where));
        function.RequiredAttributes.AddRange(proto.Attribute);
        function.DefaultAttributes.AddRange(proto.AttributeProto.Select(a => ReadAttribute(a, where)));
        foreach (OperatorSetIdProto import in proto.OpsetImport) function.Opset[Domain(import.Domain)] = import.Version;
        proto.Input.Clear();
        proto.Output.Clear();
        proto.Node.Clear();
        proto.ValueInfo.Clear();
        proto.Attribute.Clear();
        proto.AttributeProto.Clear();
        if (proto.Name.Length > 0) proto.ClearName();
        if (proto.Overload.Length > 0) proto.ClearOverload();
        if (function.Domain.Length > 0) proto.ClearDomain();
        function.Remainder = proto;
        return function;
    }

    /// <summary>ai.onnx is the empty domain's other name.</summary>
    public static string Domain(string domain) => string.Equals(domain, "ai.onnx", StringComparison.Ordinal) ? "" : domain;

    private void ReadNode(NodeProto proto, Graph graph)
    {
        stop.ThrowIfCancellationRequested();
        List<Value?> inputs = [.. proto.Input.Select(i => i.Length == 0 ? null : Resolve(i))];
        List<string?> outputs = [.. proto.Output.Select(o => o.Length == 0 ? null : o)];
        Node node = graph.AddNode(proto.OpType, inputs, outputs, Domain(proto.Domain));
        node.Name = proto.Name;
        node.Overload = proto.Overload;
        string subject = $"{file}: {StructureCheck.Describe(proto)}";
        foreach (AttributeProto attribute in proto.Attribute) node.Attributes.Set(ReadAttribute(attribute, subject));
        proto.Input.Clear();
        proto.Output.Clear();
        proto.Attribute.Clear();
        if (proto.Name.Length > 0) proto.ClearName();
        if (proto.OpType.Length > 0) proto.ClearOpType();
        if (node.Domain.Length > 0) proto.ClearDomain();
        if (proto.Overload.Length > 0) proto.ClearOverload();
        node.SourceNodes = NameList.Take(proto.MetadataProps, SourceNodesKey) ?? [];
        if (proto.CalculateSize() > 0) node.Remainder = proto;
    }

    private Attribute ReadAttribute(AttributeProto proto, string subject) => AttributeCodec.Read(proto, subject,
        (tensor, where) => readTensor(tensor, where, true), graph => ReadGraph(graph, $"'{proto.Name}' of {subject}"));

    private static void TakeOrigin(Value value, ValueInfoProto info)
    {
        if (NameList.Take(info.MetadataProps, OriginKey) is { } names) value.Origin = value.Origin.Join(new Origin(names));
    }

    private Value? Resolve(string name)
    {
        for (int i = _scopes.Count - 1; i >= 0; i--)
        {
            if (_scopes[i].Find(name) is { } value) return value;
        }
        return null;
    }

    private static List<(ValueInfoProto, int)> ReadValueInfo(IReadOnlyList<ValueInfoProto> infos, Graph graph, Dictionary<Value, ValueRemainder> remainders)
    {
        List<(ValueInfoProto, int)> dangling = [];
        for (int i = 0; i < infos.Count; i++)
        {
            if (graph.Find(infos[i].Name) is not { } value || remainders.GetValueOrDefault(value) is { Info: not null })
            {
                dangling.Add((infos[i], i));
                continue;
            }
            remainders[value] = (remainders.GetValueOrDefault(value) ?? new ValueRemainder()) with { Info = infos[i], InfoPosition = i };
            value.Type ??= TypeCodec.Read(infos[i].Type);
            TakeOrigin(value, infos[i]);
        }
        return dangling;
    }
}
