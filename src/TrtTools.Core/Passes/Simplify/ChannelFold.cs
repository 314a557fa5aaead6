using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>A Conv, ConvTranspose or Gemm with constant weights, into which a factor and a summand per output channel can be folded.</summary>
internal sealed class ChannelFold
{
    private readonly Node _node;
    private readonly TensorData _weights;
    private readonly TensorData? _bias;
    private readonly int _group;

    private ChannelFold(Node node, TensorData weights, TensorData? bias, int channels, int group, int spatialRank)
    {
        _node = node;
        _weights = weights;
        _bias = bias;
        _group = group;
        Channels = channels;
        SpatialRank = spatialRank;
    }

    public int Channels { get; }

    /// <summary>Dimensions after the channel.</summary>
    public int SpatialRank { get; }

    public Node Node => _node;

    public DataType Type => _weights.Type;

    /// <summary>Reads the node that computes <paramref name="value"/>; null unless it is one of these, nobody else reads the value, and weights and bias are constants.</summary>
    public static ChannelFold? Of(Value? value, PassContext context)
    {
        if (value is not { HasSingleUse: true, Producer: { } node } || node.Domain.Length > 0 || node.OpType is not ("Conv" or "ConvTranspose" or "Gemm")) return null;
        if (value.UseList[0].Node.Graph != node.Graph) return null;
        if (PassContext.Constant(node.Input(1)) is not { } weights || !IsSupported(weights.Type) || weights.ByteCount > int.MaxValue) return null;
        TensorData? bias = null;
        if (node.Input(2) is { } third)
        {
            bias = PassContext.Constant(third);
            if (bias is null || bias.Type != weights.Type) return null;
        }
        if (node.OpType == "Gemm") return OfGemm(node, weights, bias, context);
        int group = (int)node.Attributes.Int("group", 1);
        if (weights.Rank < 3 || group < 1) return null;
        long channels = node.OpType == "Conv" ? weights.Shape[0] : weights.Shape[1] * group;
        if (channels is < 1 or > int.MaxValue || (bias is not null && bias.ElementCount != channels)) return null;
        return new ChannelFold(node, weights, bias, (int)channels, group, weights.Rank - 2);
    }

    private static ChannelFold? OfGemm(Node node, TensorData weights, TensorData? bias, PassContext context)
    {
        // Other factors than 1 would have to be folded too; exporters do not write them.
        OperatorView view = context.View(node);
        if (weights.Rank != 2 || view.Float("alpha", 1) != 1 || view.Float("beta", 1) != 1) return null;
        int channels = checked((int)weights.Shape[view.Int("transB", 0) != 0 ? 0 : 1]);
        if (bias is not null && !(bias.ElementCount == channels && bias.Shape[^1] == channels)) return null;
        return new ChannelFold(node, weights, bias, channels, 1, 0);
    }

    private static bool IsSupported(DataType type) => type is DataType.Float32 or DataType.Float64 or DataType.Float16;

    /// <summary>A constant operand as one number per channel; null when it varies along another axis or would add one.</summary>
    public double[]? PerChannel(TensorData? operand)
    {
        if (operand is null || operand.Type != Type || operand.Rank > SpatialRank + 2) return null;
        int channelAxis = operand.Rank - 1 - SpatialRank;
        for (int i = 0; i < operand.Rank; i++)
        {
            if (operand.Shape[i] != 1 && !(i == channelAxis && operand.Shape[i] == Channels)) return null;
        }
        double[] numbers = operand.ToDouble();
        if (numbers.Length == 1 && Channels > 1) numbers = [.. Enumerable.Repeat(numbers[0], Channels)];
        return numbers.Length == Channels && TensorMath.IsFinite(numbers) ? numbers : null;
    }

    /// <summary>From now on the node computes scale · x + shift, and gives what <paramref name="absorbed"/> gave. False when the numbers would leave the type's range.</summary>
    public bool Apply(double[]? scale, double[]? shift, Node absorbed, PassContext context)
    {
        TensorData? weights = scale is null ? null : ScaledWeights(scale);
        if (scale is not null && weights is null) return false;
        double[] bias = new double[Channels];
        double[]? old = _bias?.ToDouble();
        for (int c = 0; c < Channels; c++) bias[c] = ((old?[c] ?? 0) * (scale?[c] ?? 1)) + (shift?[c] ?? 0);
        bool needsBias = old is not null || shift is not null;
        TensorData? newBias = needsBias ? TensorMath.FromDouble(Type, [Channels], bias) : null;
        if (newBias is not null && !TensorMath.IsFinite(newBias.ToDouble())) return false;
        Graph graph = _node.Graph;
        Value result = absorbed.Output()!;
        if (weights is not null)
        {
            Value constant = graph.AddConstant(_node.Input(1)!.Name + "_scaled", weights);
            context.SetInput(_node, 1, constant);
        }
        if (newBias is not null) context.SetInput(_node, 2, graph.AddConstant((_node.Input(2)?.Name ?? _node.DisplayName + "_bias") + "_folded", newBias));
        _node.SourceNodes = PassContext.SourcesOf(_node, absorbed);
        result.Type = Types.MoreSpecific(result.Type, _node.Output()!.Type);
        // Not through the context: the node that nobody reads for a moment must not go.
        absorbed.SetInputs();
        context.Reproduce(result, _node);
        return true;
    }

    private TensorData? ScaledWeights(double[] scale)
    {
        long inner = _weights.ElementCount;
        bool channelFirst = _node.OpType == "Conv" || (_node.OpType == "Gemm" && _node.Attributes.Int("transB", 0) != 0);
        Func<long, int> channelOf;
        if (channelFirst)
        {
            long block = inner / Channels;
            channelOf = i => (int)(i / block);
        }
        else if (_node.OpType == "Gemm")
        {
            channelOf = i => (int)(i % Channels);
        }
        else
        {
            // ConvTranspose: [input channels, output channels of one group, …].
            long perGroup = _weights.Shape[1];
            long inputsPerGroup = _weights.Shape[0] / _group;
            long kernel = inner / (_weights.Shape[0] * perGroup);
            channelOf = i => (int)((i / kernel / perGroup / inputsPerGroup * perGroup) + (i / kernel % perGroup));
        }
        return _weights.Type == DataType.Float32 ? ScaleFloats(scale, channelOf) : ScaleOthers(scale, channelOf);
    }

    private TensorData? ScaleFloats(double[] scale, Func<long, int> channelOf)
    {
        ReadOnlySpan<float> source = _weights.AsSpan<float>();
        float[] result = new float[source.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = (float)(source[i] * scale[channelOf(i)]);
            if (!float.IsFinite(result[i])) return null;
        }
        return TensorData.From<float>(result, _weights.Shape);
    }

    private TensorData? ScaleOthers(double[] scale, Func<long, int> channelOf)
    {
        double[] numbers = _weights.ToDouble();
        for (int i = 0; i < numbers.Length; i++) numbers[i] *= scale[channelOf(i)];
        TensorData result = TensorMath.FromDouble(_weights.Type, _weights.Shape, numbers);
        return TensorMath.IsFinite(result.ToDouble()) ? result : null;
    }
}
