using TrtTools.Ir;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;

namespace TrtTools.Onnx;

/// <summary>TypeProto ↔ TensorType.</summary>
internal static class TypeCodec
{
    /// <summary>The type of a dense tensor; null for anything else (sequence, map, optional, opaque, sparse) and for nothing.</summary>
    public static TensorType? Read(TypeProto? proto)
    {
        if (proto?.TensorType is not { } tensor) return null;
        return new TensorType((DataType)tensor.ElemType, ReadShape(tensor.Shape));
    }

    private static SymbolicShape? ReadShape(TensorShapeProto? shape)
    {
        if (shape is null) return null;
        DimExpr?[] dimensions = new DimExpr?[shape.Dim.Count];
        for (int i = 0; i < dimensions.Length; i++)
        {
            TensorShapeProto.Types.Dimension d = shape.Dim[i];
            // Some exporters write -1 for a dimension they don't know.
            if (d.HasDimValue) dimensions[i] = d.DimValue < 0 ? null : DimExpr.Constant(d.DimValue);
            else if (d.HasDimParam && d.DimParam.Length > 0) dimensions[i] = DimExpr.Symbol(d.DimParam);
        }
        return new SymbolicShape(dimensions);
    }

    /// <summary>Writes a type; denotations are taken from <paramref name="original"/> where the rank is the same.</summary>
    public static TypeProto Write(TensorType type, TypeProto? original = null)
    {
        TypeProto proto = new() { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type.DataType } };
        if (original is { HasDenotation: true }) proto.Denotation = original.Denotation;
        if (type.Shape is not { } shape) return proto;
        TensorShapeProto written = proto.TensorType.Shape = new TensorShapeProto();
        TensorShapeProto? old = original?.TensorType?.Shape;
        for (int i = 0; i < shape.Rank; i++)
        {
            TensorShapeProto.Types.Dimension dimension = new();
            if (shape[i] is { } d)
            {
                if (d.TryGetValue(out long extent)) dimension.DimValue = extent;
                else if (!d.HasGeneratedSymbol) dimension.DimParam = d.ToString();   // a name that only inference gave says nothing in a file
            }
            if (old is not null && old.Dim.Count == shape.Rank && old.Dim[i].HasDenotation) dimension.Denotation = old.Dim[i].Denotation;
            written.Dim.Add(dimension);
        }
        return proto;
    }
}
