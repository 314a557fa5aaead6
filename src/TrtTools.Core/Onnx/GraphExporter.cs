using Google.Protobuf.Collections;
using TrtTools.Ir;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Onnx;

/// <summary>Makes messages of graphs.</summary>
/// <param name="graph">The model.</param>
/// <param name="keepOverridable">Leaves initializers of the main graph among its inputs where they are.</param>
/// <param name="inferredTypes">Writes value_info also for values whose type the file did not state.</param>
internal sealed class GraphExporter(OnnxGraph graph, bool keepOverridable, bool inferredTypes)
{
    /// <summary>Initializers of the main graph whose raw data is left out of the message, to be streamed.</summary>
    public Dictionary<TensorProto, TensorData> Deferred { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>Initializers of so many bytes are written as raw data, whatever form they had, so that they can go into external data.</summary>
    public long StoredOutsideFrom { get; init; } = long.MaxValue;

    /// <summary>Names that the main graph's inputs lost since they are initializers.</summary>
    public List<string> DroppedInputs { get; } = [];

    private bool _hasMetadata;
    private bool _hasOverload;

    public ModelProto Write()
    {
        ModelProto model = (graph.Remainder as ModelProto)?.Clone() ?? new ModelProto();
        if (graph.Producer.Length > 0) model.ProducerName = graph.Producer;
        WriteMetadata(model.MetadataProps);
        SortedDictionary<string, long> opset = new(graph.OpsetImports, StringComparer.Ordinal);
        if (graph.FunctionTable.Keys.Any(k => k.Domain == OnnxGraph.FusionDomain)) opset.TryAdd(OnnxGraph.FusionDomain, 1);
        WriteOpset(model.OpsetImport, opset);
        model.Graph = WriteGraph(graph.Body, isMain: true);
        foreach (Function function in graph.FunctionTable.Values) model.Functions.Add(WriteFunction(function));
        bool freeInitializers = model.Graph.Initializer.Count + model.Graph.SparseInitializer.Count > 0
            && graph.Body.Initializers.Any(v => !v.IsGraphInput || !keepOverridable);
        long needed = _hasMetadata || _hasOverload ? 10 : model.Functions.Count > 0 ? 8 : freeInitializers ? 4 : 0;
        long version = Math.Max(graph.IrVersion, needed);
        if (version > 0) model.IrVersion = version;
        return model;
    }

    private void WriteMetadata(RepeatedField<StringStringEntryProto> entries)
    {
        Dictionary<string, string> written = new(StringComparer.Ordinal);
        foreach (StringStringEntryProto entry in entries) written[entry.Key] = entry.Value;
        if (written.Count == graph.Metadata.Count && written.All(p => graph.Metadata.TryGetValue(p.Key, out string? value) && value == p.Value)) return;
        entries.Clear();
        foreach ((string key, string value) in graph.Metadata.OrderBy(p => p.Key, StringComparer.Ordinal)) entries.Add(new StringStringEntryProto { Key = key, Value = value });
    }

    private static void WriteOpset(RepeatedField<OperatorSetIdProto> entries, SortedDictionary<string, long> opset)
    {
        HashSet<string> done = new(StringComparer.Ordinal);
        for (int i = 0; i < entries.Count;)
        {
            string domain = GraphImporter.Domain(entries[i].Domain);
            if (!opset.TryGetValue(domain, out long version))
            {
                entries.RemoveAt(i);
                continue;
            }
            // Of two entries for one domain the last is in force.
            bool last = !entries.Skip(i + 1).Any(e => GraphImporter.Domain(e.Domain) == domain);
            if (last && entries[i].Version != version) entries[i].Version = version;
            done.Add(domain);
            i++;
        }
        foreach ((string domain, long version) in opset)
        {
            if (done.Add(domain)) entries.Add(new OperatorSetIdProto { Domain = domain, Version = version });
        }
    }

    private GraphProto WriteGraph(Graph body, bool isMain = false)
    {
        GraphRemainder? remainder = body.Remainder as GraphRemainder;
        GraphProto proto = remainder?.Husk.Clone() ?? new GraphProto();
        if (body.Name.Length > 0 || remainder is null) proto.Name = body.Name.Length > 0 ? body.Name : "graph";
        foreach (Value input in body.Inputs)
        {
            if (isMain && !keepOverridable && input.Data is not null) DroppedInputs.Add(input.Name);
            else proto.Input.Add(WriteInput(input));
        }
        foreach (Value value in body.Initializers.OrderBy(v => (v.Remainder as ValueRemainder)?.InitializerPosition ?? int.MaxValue)) WriteInitializer(proto, value, isMain);
        foreach (Node node in body.Nodes) proto.Node.Add(WriteNode(node));
        for (int i = 0; i < body.Outputs.Count; i++) proto.Output.Add(WriteOutput(body.Outputs[i], i, remainder));
        proto.ValueInfo.AddRange(WriteValueInfo(body, remainder, inferredTypes));
        if (remainder is not null) DropStaleAnnotations(proto, body, remainder);
        _hasMetadata |= proto.MetadataProps.Count > 0;
        return proto;
    }

    private void WriteInitializer(GraphProto proto, Value value, bool isMain)
    {
        TensorData data = value.Data!;
        if (data.Remainder is TensorRemainder { Sparse: { } sparse })
        {
            SparseTensorProto copy = sparse.Clone();
            copy.Values.Name = value.Name;
            proto.SparseInitializer.Add(copy);
            return;
        }
        bool outside = isMain && data.ByteCount >= StoredOutsideFrom && data.Type != DataType.String;
        bool deferred = outside || (isMain && TensorCodec.NeedsRawData(data));
        TensorProto tensor = outside ? TensorCodec.WriteHeader(data, value.Name) : TensorCodec.Write(data, value.Name, deferRaw: isMain);
        if (deferred) Deferred.Add(tensor, data);
        _hasMetadata |= tensor.MetadataProps.Count > 0;
        proto.Initializer.Add(tensor);
    }

    private ValueInfoProto WriteInput(Value value)
    {
        ValueRemainder? remainder = value.Remainder as ValueRemainder;
        return WriteInfo(value, remainder?.Input, remainder?.ImportedType);
    }

    private ValueInfoProto WriteOutput(Value value, int index, GraphRemainder? remainder)
    {
        ValueInfoProto? original = null;
        if (remainder is not null)
        {
            if (index < remainder.Outputs.Count && remainder.Outputs[index].Name == value.Name) original = remainder.Outputs[index];
            original ??= remainder.Outputs.FirstOrDefault(o => o.Name == value.Name);
        }
        return WriteInfo(value, original, (value.Remainder as ValueRemainder)?.ImportedType);
    }

    private ValueInfoProto WriteInfo(Value value, ValueInfoProto? original, TensorType? imported)
    {
        ValueInfoProto proto = original?.Clone() ?? new ValueInfoProto();
        proto.Name = value.Name;
        if (value.Type is { } type && (original is null || !type.Equals(imported))) proto.Type = TypeCodec.Write(type, original?.Type);
        if (HasForeignOrigin(value)) proto.MetadataProps.Add(NameList.Entry(GraphImporter.OriginKey, value.Origin.TensorNames));
        _hasMetadata |= proto.MetadataProps.Count > 0;
        return proto;
    }

    /// <summary>True when calibration caches know the value by another name than its own.</summary>
    private static bool HasForeignOrigin(Value value) => value.Origin.TensorNames.Any(n => n != value.Name);

    private IEnumerable<ValueInfoProto> WriteValueInfo(Graph body, GraphRemainder? remainder, bool inferred)
    {
        List<(ValueInfoProto Info, int Position)> infos = [];
        HashSet<string> written = new(StringComparer.Ordinal);
        foreach (Value value in body.Values)
        {
            ValueRemainder? known = value.Remainder as ValueRemainder;
            bool wanted = known?.Info is not null
                || (inferred && value is { Type: not null, Producer: not null, IsGraphOutput: false } && value.Type.DataType != DataType.Undefined && (!value.Type.Equals(known?.ImportedType) || HasForeignOrigin(value)));
            if (!wanted) continue;
            infos.Add((WriteInfo(value, known?.Info, known?.ImportedType), known?.InfoPosition ?? int.MaxValue));
            written.Add(value.Name);
        }
        foreach ((ValueInfoProto info, int position) in remainder?.Dangling ?? [])
        {
            bool second = written.Contains(info.Name) && infos.Any(i => i.Position < position && i.Info.Name == info.Name);
            if (second || body.Find(info.Name) is null) infos.Add((info.Clone(), position));
        }
        return infos.OrderBy(i => i.Position).Select(i => i.Info);
    }

    /// <summary>Drops quantization annotations of tensors that are gone.</summary>
    private static void DropStaleAnnotations(GraphProto proto, Graph body, GraphRemainder remainder)
    {
        for (int i = proto.QuantizationAnnotation.Count - 1; i >= 0; i--)
        {
            string name = proto.QuantizationAnnotation[i].TensorName;
            if (body.Find(name) is null && !remainder.Strangers.Contains(name)) proto.QuantizationAnnotation.RemoveAt(i);
        }
    }

    private NodeProto WriteNode(Node node)
    {
        NodeProto? husk = node.Remainder as NodeProto;
        NodeProto proto = husk?.Clone() ?? new NodeProto();
        proto.Input.AddRange(node.Inputs.Select(i => i?.Name ?? ""));
        proto.Output.AddRange(node.Outputs.Select(o => o?.Name ?? ""));
        if (node.Name.Length > 0) proto.Name = node.Name;
        if (node.OpType.Length > 0) proto.OpType = node.OpType;
        if (node.Domain.Length > 0) proto.Domain = node.Domain;
        else if (husk is { HasDomain: true } && GraphImporter.Domain(husk.Domain).Length > 0) proto.ClearDomain();
        if (node.Overload.Length > 0) proto.Overload = node.Overload;
        foreach (Attribute attribute in node.Attributes) proto.Attribute.Add(AttributeCodec.Write(attribute, g => WriteGraph(g)));
        if (node.SourceNodes.Count > 0)
        {
            proto.MetadataProps.Add(NameList.Entry(GraphImporter.SourceNodesKey, node.SourceNodes));
        }
        _hasMetadata |= proto.MetadataProps.Count > 0;
        _hasOverload |= proto.Overload.Length > 0;
        return proto;
    }

    private FunctionProto WriteFunction(Function function)
    {
        FunctionProto proto = (function.Remainder as FunctionProto)?.Clone() ?? new FunctionProto();
        if (function.Name.Length > 0) proto.Name = function.Name;
        if (function.Domain.Length > 0) proto.Domain = function.Domain;
        if (function.Overload.Length > 0) proto.Overload = function.Overload;
        proto.Input.AddRange(function.Body.Inputs.Select(i => i.Name));
        proto.Output.AddRange(function.Body.Outputs.Select(o => o.Name));
        proto.Attribute.AddRange(function.RequiredAttributes);
        proto.AttributeProto.AddRange(function.DefaultAttributes.Select(a => AttributeCodec.Write(a, g => WriteGraph(g))));
        // A function's body has no initializers: constants go in as Constant nodes.
        foreach (Value constant in function.Body.Initializers)
        {
            NodeProto node = new() { OpType = "Constant", Name = constant.Name };
            node.Output.Add(constant.Name);
            node.Attribute.Add(AttributeCodec.Write(Attribute.Tensor("value", constant.Data!), g => WriteGraph(g)));
            proto.Node.Add(node);
        }
        foreach (Node node in function.Body.Nodes) proto.Node.Add(WriteNode(node));
        proto.ValueInfo.AddRange(WriteValueInfo(function.Body, function.Body.Remainder as GraphRemainder, inferred: false));
        SortedDictionary<string, long> opset = new(function.Opset, StringComparer.Ordinal);
        if (function.Domain == OnnxGraph.FusionDomain)
        {
            foreach ((string domain, long version) in graph.OpsetImports) opset.TryAdd(domain, version);
        }
        WriteOpset(proto.OpsetImport, opset);
        _hasOverload |= proto.Overload.Length > 0;
        _hasMetadata |= proto.MetadataProps.Count > 0;
        return proto;
    }
}
