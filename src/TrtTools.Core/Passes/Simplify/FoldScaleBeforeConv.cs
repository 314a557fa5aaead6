using TrtTools.Data;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Mul, Div, Add, Sub or BatchNormalization with constants per channel before a Conv becomes part of its weights and bias; a summand only where the
/// Conv does not pad, since the padding is not summed to. Of a ConvTranspose, whose edges sum fewer elements than its middle, only factors do.</summary>
internal sealed class FoldScaleBeforeConv : NodePass
{
    public override string Name => "fold-scale-before-conv";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Conv", "ConvTranspose"];

    public override bool Apply(Node node, PassContext context)
    {
        if (context.Opset < 7 || node.Input(0) is not { HasSingleUse: true, Producer: { } step } || step.Graph != node.Graph || step.Domain.Length > 0) return false;
        // A calibration cache of the model knows the tensor that the preprocessing gives, and nothing before it.
        if (context.Model.Metadata.Count > 0 && PreprocessingInside.TensorsOf(context.Model).Contains(node.Input(0)!.Name, StringComparer.Ordinal)) return false;
        if (PassContext.Constant(node.Input(1)) is not { Rank: >= 3 } weights || weights.Type is not (DataType.Float32 or DataType.Float64) || weights.ByteCount > int.MaxValue) return false;
        TensorData? bias = PassContext.Constant(node.Input(2));
        if (node.Input(2) is not null && (bias is null || bias.Type != weights.Type)) return false;
        long group = node.Attributes.Int("group", 1);
        if (group < 1 || weights.Shape[1] * group is < 1 or > int.MaxValue || weights.Shape[0] % group != 0) return false;
        bool transposed = node.OpType == "ConvTranspose";
        int channels = checked((int)(transposed ? weights.Shape[0] : weights.Shape[1] * group));
        if (Read(step, channels, weights.Rank, weights.Type, context) is not var (source, scale, shift)) return false;
        bool shifts = shift is not null && shift.Any(s => s != 0);
        if (transposed) return !shifts && scale is not null && ScaleRows(node, step, source, weights, scale, context);
        if (shifts && (node.Attributes.Ints("pads") is { } pads && pads.Any(p => p != 0) || node.Attributes.String("auto_pad", "NOTSET") is not ("NOTSET" or "VALID" or ""))) return false;
        double[] numbers = weights.ToDouble();
        double[] sums = bias?.ToDouble() ?? new double[weights.Shape[0]];
        if (sums.Length != weights.Shape[0]) return false;
        long perGroup = weights.Shape[1], outputsPerGroup = weights.Shape[0] / group, kernel = numbers.Length / weights.Shape[0] / perGroup;
        for (long o = 0, at = 0; o < weights.Shape[0]; o++)
        {
            for (long i = 0; i < perGroup; i++)
            {
                long channel = (o / outputsPerGroup * perGroup) + i;
                for (long k = 0; k < kernel; k++, at++)
                {
                    if (shift is not null) sums[o] += numbers[at] * shift[channel];
                    if (scale is not null) numbers[at] *= scale[channel];
                }
            }
        }
        TensorData scaled = scale is null ? weights : TensorMath.FromDouble(weights.Type, weights.Shape, numbers);
        if (!TensorMath.IsFinite(sums) || (scale is not null && !TensorMath.IsFinite(scaled.ToDouble()))) return false;
        node.SourceNodes = PassContext.SourcesOf(step, node);
        if (scale is not null) context.SetInput(node, 1, node.Graph.AddConstant(node.Input(1)!.Name + "_scaled", scaled));
        if (shifts) context.SetInput(node, 2, node.Graph.AddConstant((node.Input(2)?.Name ?? node.DisplayName + "_bias") + "_shifted", TensorMath.FromDouble(weights.Type, [weights.Shape[0]], sums)));
        context.SetInput(node, 0, source);
        return true;
    }

    /// <summary>Weights of a ConvTranspose stand input channel by input channel.</summary>
    private static bool ScaleRows(Node node, Node step, Value source, TensorData weights, double[] scale, PassContext context)
    {
        double[] numbers = weights.ToDouble();
        int row = numbers.Length / scale.Length;
        for (int i = 0; i < numbers.Length; i++) numbers[i] *= scale[i / row];
        TensorData scaled = TensorMath.FromDouble(weights.Type, weights.Shape, numbers);
        if (!TensorMath.IsFinite(scaled.ToDouble())) return false;
        node.SourceNodes = PassContext.SourcesOf(step, node);
        context.SetInput(node, 1, node.Graph.AddConstant(node.Input(1)!.Name + "_scaled", scaled));
        context.SetInput(node, 0, source);
        return true;
    }

    /// <summary>What the step computes of what: source · scale + shift, per channel.</summary>
    private static (Value Source, double[]? Scale, double[]? Shift)? Read(Node step, int channels, int rank, DataType type, PassContext context)
    {
        if (step.OpType == "BatchNormalization")
        {
            OperatorView view = context.View(step);
            if (!view.IsBatchNormalizationInference || step.Outputs.Skip(1).Any(o => o is { HasUses: true }) || step.Input(0) is not { } normalized) return null;
            double[][] parameters = new double[4][];
            for (int i = 0; i < 4; i++)
            {
                if (PassContext.Constant(step.Input(i + 1)) is not { } data || data.Type != type || data.ElementCount != channels) return null;
                parameters[i] = data.ToDouble();
            }
            double[] scale = new double[channels], shift = new double[channels];
            for (int c = 0; c < channels; c++)
            {
                scale[c] = parameters[0][c] / Math.Sqrt(parameters[3][c] + view.Epsilon);
                shift[c] = parameters[1][c] - (parameters[2][c] * scale[c]);
            }
            return TensorMath.IsFinite(scale) && TensorMath.IsFinite(shift) ? (normalized, scale, shift) : null;
        }
        if (step.OpType is not ("Mul" or "Div" or "Add" or "Sub") || step.Inputs.Count != 2) return null;
        int side = PassContext.Constant(step.Input(1)) is not null ? 1 : step.OpType is "Mul" or "Add" ? 0 : -1;
        if (side < 0 || PassContext.Constant(step.Input(side)) is not { } constant || constant.Type != type || step.Input(1 - side) is not { } source || PassContext.Constant(source) is not null) return null;
        if (step.OpType is "Mul" or "Div" && MergeConstantArithmetic.MayEndActivation(source)) return null;
        // The constant must not add an axis or an extent to what it works on.
        if (constant.Rank > rank || Types.RankOf(source) != rank || !(Types.ShapeOf(source)![1] is { IsConstant: true } extent && extent.Value == channels)) return null;
        for (int i = 0; i < constant.Rank; i++)
        {
            if (constant.Shape[i] != 1 && !(i == constant.Rank - rank + 1 && constant.Shape[i] == channels)) return null;
        }
        double[] numbers = constant.ToDouble();
        if (numbers.Length == 1) numbers = [.. Enumerable.Repeat(numbers[0], channels)];
        if (step.OpType == "Div") numbers = [.. numbers.Select(n => 1 / n)];
        if (step.OpType == "Sub") numbers = [.. numbers.Select(n => -n)];
        if (!TensorMath.IsFinite(numbers)) return null;
        return step.OpType is "Mul" or "Div" ? (source, numbers, null) : (source, null, numbers);
    }
}
