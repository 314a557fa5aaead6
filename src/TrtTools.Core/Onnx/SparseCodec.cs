using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>Sparse initializers are held dense, as every reader needs them, and written as they were.</summary>
internal static class SparseCodec
{
    /// <summary>A tensor of zeros that takes no room in a file: its one element that is written down is a zero too, since readers want one.</summary>
    public static TensorData Zeros(DataType type, ReadOnlySpan<long> shape)
    {
        SparseTensorProto sparse = new()
        {
            Values = new TensorProto { DataType = (int)type, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[type.BitSize() / 8]) },
            Indices = new TensorProto { DataType = (int)DataType.Int64, RawData = Google.Protobuf.ByteString.CopyFrom(new byte[sizeof(long)]) },
        };
        sparse.Values.Dims.Add(1);
        sparse.Indices.Dims.Add(1);
        sparse.Dims.Add(shape.ToArray());
        return TensorData.FromBytes(type, shape, new byte[type.ByteCount(TensorData.CountElements(shape))], new TensorRemainder(new TensorProto(), TensorForm.Sparse, Sparse: sparse));
    }

    public static TensorData Read(SparseTensorProto sparse, string subject, TensorReader readTensor)
    {
        if (sparse.Values is null || sparse.Indices is null) throw Malformed.Model(subject, "it has no values or no indices", "A sparse tensor holds both");
        TensorData values = readTensor(sparse.Values.Clone(), subject, true);
        TensorData indices = readTensor(sparse.Indices.Clone(), subject, true);
        long[] shape = [.. sparse.Dims];
        long count = TensorCodec.CheckShape(values.Type, shape, sparse.Values.DataType, subject);
        int size = values.Type.BitSize() / 8;
        if (size == 0) throw Malformed.Model(subject, $"its elements are {values.Type}", "Sparse tensors hold numbers of 8 bits or more");
        if (count * size > Array.MaxLength) throw Malformed.Model(subject, Invariant($"{values.Type}[{string.Join(',', shape)}] takes {count * size:N0} bytes"), "Sparse tensors of at most 2 GB");
        if (indices.Type != DataType.Int64) throw Malformed.Model(subject, $"its indices are {indices.Type}", "Indices of type Int64");
        bool linear = indices.Rank == 1;
        if (values.Rank != 1 || indices.ElementCount != values.ElementCount * (linear ? 1 : shape.Length))
        {
            throw Malformed.Model(subject, $"{values} and {indices} don't fit together", "One index, or one index per dimension, for each value");
        }
        byte[] dense = new byte[count * size];
        ReadOnlySpan<long> index = indices.AsSpan<long>();
        for (int i = 0; i < values.ElementCount; i++)
        {
            long at = linear ? index[i] : 0;
            bool inside = linear ? at >= 0 && at < count : true;
            for (int d = 0; !linear && d < shape.Length; d++)
            {
                long coordinate = index[(i * shape.Length) + d];
                inside &= coordinate >= 0 && coordinate < shape[d];
                at = (at * shape[d]) + coordinate;
            }
            if (!inside) throw Malformed.Model(subject, $"index {i} points outside [{string.Join(',', shape)}]", "Indices inside the shape");
            values.Bytes.Slice(i * size, size).CopyTo(dense.AsSpan(checked((int)(at * size))));
        }
        return TensorData.FromBytes(values.Type, shape, dense, new TensorRemainder(new TensorProto(), TensorForm.Sparse, Sparse: sparse));
    }
}
