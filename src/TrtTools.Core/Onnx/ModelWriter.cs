using Google.Protobuf;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>Streams a model, so that weights go from the mapped file to the new one without a copy in memory.</summary>
internal static class ModelWriter
{
    private const int GraphField = 7;
    private const int InitializerField = 5;
    private const int RawDataField = 9;

    /// <summary>The largest message protobuf readers accept.</summary>
    public const long Limit = int.MaxValue;

    public static TrtToolsException TooLarge(string subject, long byteCount) => new(ErrorCode.OptionInvalid, subject,
        Invariant($"it takes {byteCount:N0} bytes"), Invariant($"A protobuf message holds at most {Limit:N0}"), "Use a model with smaller weights, or one whose weights lie in external data");

    public static long Size(ModelProto model, Dictionary<TensorProto, TensorData> deferred)
    {
        GraphProto graph = Detach(model);
        try
        {
            long graphSize = GraphSize(graph, deferred);
            return model.CalculateSize() + Prefix(GraphField, graphSize) + graphSize;
        }
        finally
        {
            model.Graph = graph;
        }
    }

    /// <summary>Writes a model; the raw data of <paramref name="deferred"/> tensors of its graph comes from there.</summary>
    /// <param name="copy">Copies such data to the stream; for progress and cancellation.</param>
    public static void Write(ModelProto model, Dictionary<TensorProto, TensorData> deferred, Stream stream, string subject, Action<TensorData, Stream>? copy = null)
    {
        GraphProto graph = Detach(model);
        TensorProto[] initializers = [.. graph.Initializer];
        try
        {
            long graphSize = GraphSize(graph, deferred);
            long total = model.CalculateSize() + Prefix(GraphField, graphSize) + graphSize;
            if (total > Limit) throw TooLarge(subject, total);
            graph.Initializer.Clear();
            using CodedOutputStream output = new(stream, 1 << 16, leaveOpen: true);
            model.WriteTo(output);
            output.WriteTag(GraphField, WireFormat.WireType.LengthDelimited);
            output.WriteLength((int)graphSize);
            graph.WriteTo(output);
            foreach (TensorProto initializer in initializers)
            {
                output.WriteTag(InitializerField, WireFormat.WireType.LengthDelimited);
                output.WriteLength((int)TensorSize(initializer, deferred));
                initializer.WriteTo(output);
                if (!deferred.TryGetValue(initializer, out TensorData? data)) continue;
                output.WriteTag(RawDataField, WireFormat.WireType.LengthDelimited);
                output.WriteLength((int)data.ByteCount);
                output.Flush();
                if (copy is null) data.CopyTo(stream);
                else copy(data, stream);
            }
            output.Flush();
        }
        finally
        {
            graph.Initializer.Clear();
            graph.Initializer.AddRange(initializers);
            model.Graph = graph;
        }
    }

    private static GraphProto Detach(ModelProto model)
    {
        GraphProto graph = model.Graph;
        model.Graph = null;
        return graph;
    }

    private static long GraphSize(GraphProto graph, Dictionary<TensorProto, TensorData> deferred)
    {
        TensorProto[] initializers = [.. graph.Initializer];
        graph.Initializer.Clear();
        long size = graph.CalculateSize();
        foreach (TensorProto initializer in initializers)
        {
            long tensor = TensorSize(initializer, deferred);
            size += Prefix(InitializerField, tensor) + tensor;
        }
        graph.Initializer.AddRange(initializers);
        return size;
    }

    private static long TensorSize(TensorProto tensor, Dictionary<TensorProto, TensorData> deferred)
    {
        long size = tensor.CalculateSize();
        return deferred.TryGetValue(tensor, out TensorData? data) ? size + Prefix(RawDataField, data.ByteCount) + data.ByteCount : size;
    }

    /// <summary>Bytes of a field's tag and length.</summary>
    private static int Prefix(int field, long length) => CodedOutputStream.ComputeTagSize(field) + CodedOutputStream.ComputeUInt64Size((ulong)length);
}
