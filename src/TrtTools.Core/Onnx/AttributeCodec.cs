using Google.Protobuf;
using TrtTools.Ir;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;
using Type = TrtTools.Onnx.Proto.AttributeProto.Types.AttributeType;

namespace TrtTools.Onnx;

/// <summary>AttributeProto ↔ Attribute.</summary>
internal static class AttributeCodec
{
    /// <summary>Reads a message; it becomes the husk, so the caller must not use it afterwards.</summary>
    /// <param name="subject">The node or function it belongs to, for errors.</param>
    public static Attribute Read(AttributeProto proto, string subject, Func<TensorProto, string, TensorData> readTensor, Func<GraphProto, Graph> readGraph)
    {
        string name = proto.Name;
        string where = $"Attribute '{name}' of {subject}";
        AttributeKind kind = proto.HasType ? (AttributeKind)proto.Type : Guess(proto);
        string? reference = proto.HasRefAttrName && proto.RefAttrName.Length > 0 ? proto.RefAttrName : null;
        object? content = reference is null ? TakeContent(proto, kind, where, readTensor, readGraph) : null;
        bool omitted = (name.Length == 0 && !proto.HasName)
            || content switch { float v => v == 0 && !proto.HasF, long v => v == 0 && !proto.HasI, byte[] v => v.Length == 0 && !proto.HasS, _ => false };
        if (proto.Name.Length > 0) proto.ClearName();
        if (proto.Type != Type.Undefined) proto.ClearType(); else if (kind != AttributeKind.Undefined) proto.Type = Type.Undefined;
        if (reference is not null) proto.ClearRefAttrName();
        return new Attribute(name, kind, content) { Reference = reference, Remainder = proto.CalculateSize() > 0 || omitted ? proto : null };
    }

    /// <summary>The kind of an attribute of ONNX's first versions, which did not state it.</summary>
    private static AttributeKind Guess(AttributeProto proto) =>
        proto.HasF ? AttributeKind.Float : proto.HasI ? AttributeKind.Int : proto.HasS ? AttributeKind.String
        : proto.T is not null ? AttributeKind.Tensor : proto.G is not null ? AttributeKind.Graph
        : proto.SparseTensor is not null ? AttributeKind.SparseTensor : proto.Tp is not null ? AttributeKind.Type
        : proto.Floats.Count > 0 ? AttributeKind.Floats : proto.Ints.Count > 0 ? AttributeKind.Ints : proto.Strings.Count > 0 ? AttributeKind.Strings
        : proto.Tensors.Count > 0 ? AttributeKind.Tensors : proto.Graphs.Count > 0 ? AttributeKind.Graphs
        : proto.SparseTensors.Count > 0 ? AttributeKind.SparseTensors : proto.TypeProtos.Count > 0 ? AttributeKind.Types : AttributeKind.Undefined;

    private static object? TakeContent(AttributeProto proto, AttributeKind kind, string where, Func<TensorProto, string, TensorData> readTensor, Func<GraphProto, Graph> readGraph)
    {
        object? content;
        switch (kind)
        {
            case AttributeKind.Float:
                content = proto.F;
                if (BitConverter.SingleToInt32Bits(proto.F) != 0) proto.ClearF();
                return content;
            case AttributeKind.Int:
                content = proto.I;
                if (proto.I != 0) proto.ClearI();
                return content;
            case AttributeKind.String:
                content = proto.S.ToByteArray();
                if (proto.S.Length > 0) proto.ClearS();
                return content;
            case AttributeKind.Tensor:
                content = proto.T is { } t ? readTensor(t, where) : null;
                proto.T = null;
                return content;
            case AttributeKind.Graph:
                content = proto.G is { } g ? readGraph(g) : null;
                proto.G = null;
                return content;
            case AttributeKind.Floats: return Take(proto.Floats, static v => v);
            case AttributeKind.Ints: return Take(proto.Ints, static v => v);
            case AttributeKind.Strings: return Take(proto.Strings, static v => v.ToByteArray());
            case AttributeKind.Tensors: return Take(proto.Tensors, t => readTensor(t, where));
            case AttributeKind.Graphs: return Take(proto.Graphs, readGraph);
            case AttributeKind.SparseTensor:
                content = proto.SparseTensor;
                proto.SparseTensor = null;
                return content;
            case AttributeKind.SparseTensors: return Take(proto.SparseTensors, static v => v);
            case AttributeKind.Type:
                content = proto.Tp;
                proto.Tp = null;
                return content;
            case AttributeKind.Types: return Take(proto.TypeProtos, static v => v);
            default: return null;
        }
    }

    private static TTo[] Take<TFrom, TTo>(Google.Protobuf.Collections.RepeatedField<TFrom> field, Func<TFrom, TTo> convert)
    {
        TTo[] result = [.. field.Select(convert)];
        field.Clear();
        return result;
    }

    public static AttributeProto Write(Attribute attribute, Func<Graph, GraphProto> writeGraph)
    {
        bool imported = attribute.Remainder is AttributeProto;
        AttributeProto proto = (attribute.Remainder as AttributeProto)?.Clone() ?? new AttributeProto();
        if (attribute.Name.Length > 0 || !imported) proto.Name = attribute.Name;
        // A husk that says Undefined comes from a file that did not state the kind.
        if (proto.HasType && proto.Type == Type.Undefined && attribute.Kind != AttributeKind.Undefined) proto.ClearType();
        else if (attribute.Kind != AttributeKind.Undefined) proto.Type = (Type)attribute.Kind;
        if (attribute.Reference is { } reference)
        {
            proto.RefAttrName = reference;
            return proto;
        }
        switch (attribute.Content)
        {
            // Some writers leave zeros out: then there is a husk, and it has no such field.
            case float v: if (!imported || BitConverter.SingleToInt32Bits(v) != 0) proto.F = v; break;
            case long v: if (!imported || v != 0) proto.I = v; break;
            case byte[] v: if (!imported || v.Length > 0) proto.S = ByteString.CopyFrom(v); break;
            case TensorData v: proto.T = TensorCodec.Write(v, null); break;
            case Graph v: proto.G = writeGraph(v); break;
            case float[] v: proto.Floats.AddRange(v); break;
            case long[] v: proto.Ints.AddRange(v); break;
            case byte[][] v: proto.Strings.AddRange(v.Select(ByteString.CopyFrom)); break;
            case TensorData[] v: proto.Tensors.AddRange(v.Select(t => TensorCodec.Write(t, null))); break;
            case Graph[] v: proto.Graphs.AddRange(v.Select(writeGraph)); break;
            case SparseTensorProto v: proto.SparseTensor = v.Clone(); break;
            case SparseTensorProto[] v: proto.SparseTensors.AddRange(v.Select(s => s.Clone())); break;
            case TypeProto v: proto.Tp = v.Clone(); break;
            case TypeProto[] v: proto.TypeProtos.AddRange(v.Select(t => t.Clone())); break;
        }
        return proto;
    }
}
