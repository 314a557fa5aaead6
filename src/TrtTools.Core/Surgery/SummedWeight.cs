using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>The constant that a Conv, ConvTranspose, Gemm or MatMul multiplies by, behind DequantizeLinear and casts too, and the axis along which products are summed.</summary>
internal sealed record SummedWeight(Value Value, TensorData Data, int Axis)
{
    public static SummedWeight? Of(Node node)
    {
        if (!(node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm") || node.Is("MatMul"))) return null;
        Value? value = node.Input(1);
        while (value?.Producer is { } producer && (producer.Is("DequantizeLinear") || producer.Is("QuantizeLinear") || producer.Is("Identity") || producer.Is("Cast"))) value = producer.Input(0);
        if (value is null || (value.Data ?? ConstantReader.Read(value)) is not { } data || !TrtTools.Data.TensorStatistics.Knows(data.Type) || data.Rank < 2 || data.ElementCount == 0) return null;
        return new SummedWeight(value, data, AxisOf(node, data.Rank));
    }

    /// <summary>A Conv's input channels, a product's inner extent.</summary>
    private static int AxisOf(Node node, int rank) => node.OpType switch
    {
        "Conv" => 1,
        "ConvTranspose" => 0,
        "Gemm" => node.Attributes.Int("transB", 0) != 0 ? 1 : 0,
        _ => rank - 2,
    };
}
