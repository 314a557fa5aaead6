using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>BatchNormalization after Conv, ConvTranspose or Gemm becomes part of the weights and the bias.</summary>
internal sealed class FoldBatchNormIntoConv : NodePass
{
    public override string Name => "fold-batchnorm-into-conv";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["BatchNormalization"];

    public override bool Apply(Node node, PassContext context)
    {
        OperatorView view = context.View(node);
        if (!view.IsBatchNormalizationInference || node.Outputs.Skip(1).Any(o => o is { HasUses: true }) || view.Int("spatial", 1) == 0) return false;
        if (ChannelFold.Of(node.Input(0), context) is not { } target) return false;
        double[][] parameters = new double[4][];
        for (int i = 0; i < 4; i++)
        {
            if (PassContext.Constant(node.Input(i + 1)) is not { } data || !data.Type.IsFloatingPoint() || data.ElementCount != target.Channels) return false;
            parameters[i] = data.ToDouble();
        }
        double[] scale = new double[target.Channels];
        double[] shift = new double[target.Channels];
        for (int c = 0; c < scale.Length; c++)
        {
            (double gamma, double beta, double mean, double variance) = (parameters[0][c], parameters[1][c], parameters[2][c], parameters[3][c]);
            scale[c] = gamma / Math.Sqrt(variance + view.Epsilon);
            shift[c] = beta - (mean * scale[c]);
            if (!double.IsFinite(scale[c]) || !double.IsFinite(shift[c])) return false;
        }
        return target.Apply(scale, shift, node, context);
    }
}
