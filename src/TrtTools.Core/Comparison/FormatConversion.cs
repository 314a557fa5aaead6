using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>Bridges -InputFormat and -OutputFormat: the engine may take and give another type and layout than the model.</summary>
internal static class FormatConversion
{
    public static TensorData ToModel(TensorData tensor, OrtTensorInfo input)
    {
        TensorData converted = tensor;
        if (tensor.Rank == 4 && input.Shape.Length == 4 && !Fits(tensor.Shape, input.Shape) && Fits(Permute(tensor.Shape, ToChannelsFirst), input.Shape)) converted = Transpose(tensor, ToChannelsFirst);
        return Cast(converted, input.DataType, input.Name);
    }

    public static TensorData ToEngine(TensorData tensor, EngineTensor output)
    {
        TensorData converted = tensor;
        if (tensor.Rank == 4 && output.Shape.Length == 4 && !Fits(tensor.Shape, output.Shape) && Fits(Permute(tensor.Shape, ToChannelsLast), output.Shape)) converted = Transpose(tensor, ToChannelsLast);
        return Cast(converted, output.DataType, output.Name);
    }

    private static readonly int[] ToChannelsFirst = [0, 3, 1, 2], ToChannelsLast = [0, 2, 3, 1];

    private static TensorData Cast(TensorData tensor, DataType type, string name)
    {
        if (tensor.Type == type || tensor.Type == DataType.String || type is DataType.String or DataType.Undefined) return tensor;
        double[] values = tensor.ToDouble();
        if (type.IsInteger())
        {
            for (int i = 0; i < values.Length; i++) values[i] = Math.Truncate(values[i]);
        }
        else if (type == DataType.Float32)
        {
            for (int i = 0; i < values.Length; i++) values[i] = (float)values[i];
        }
        else if (type == DataType.Float16)
        {
            for (int i = 0; i < values.Length; i++) values[i] = (double)(Half)values[i];
        }
        return TensorConversion.From(values, name, type, tensor.Shape.ToArray()).Content;
    }

    private static bool Fits(ReadOnlySpan<long> shape, long[] expected)
    {
        for (int d = 0; d < shape.Length; d++)
        {
            if (expected[d] >= 0 && expected[d] != shape[d]) return false;
        }
        return true;
    }

    private static long[] Permute(ReadOnlySpan<long> shape, int[] order) => [shape[order[0]], shape[order[1]], shape[order[2]], shape[order[3]]];

    private static TensorData Transpose(TensorData tensor, int[] order)
    {
        long[] from = tensor.Shape.ToArray(), to = Permute(from, order);
        int size = tensor.Type.BitSize() / 8;
        long[] strides = [from[1] * from[2] * from[3], from[2] * from[3], from[3], 1];
        byte[] result = new byte[tensor.ByteCount];
        ReadOnlySpan<byte> source = tensor.Bytes;
        int at = 0;
        for (long a = 0; a < to[0]; a++)
        for (long b = 0; b < to[1]; b++)
        for (long c = 0; c < to[2]; c++)
        for (long d = 0; d < to[3]; d++, at += size)
        {
            long offset = a * strides[order[0]] + b * strides[order[1]] + c * strides[order[2]] + d * strides[order[3]];
            source.Slice((int)(offset * size), size).CopyTo(result.AsSpan(at));
        }
        return TensorData.FromBytes(tensor.Type, to, result);
    }
}
