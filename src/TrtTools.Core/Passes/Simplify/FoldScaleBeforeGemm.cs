using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Mul or Div by constants along the last axis before a Gemm or a MatMul with constant weights becomes part of these; before a Gemm, Add and Sub become part of its bias.</summary>
internal sealed class FoldScaleBeforeGemm : NodePass
{
    public override string Name => "fold-scale-before-gemm";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Gemm", "MatMul"];

    public override bool Apply(Node node, PassContext context)
    {
        if (context.Opset < 11 || node.Input(0) is not { HasSingleUse: true, Producer: { } step } || step.Graph != node.Graph || step.Domain.Length > 0 || node.Output() is null) return false;
        // The file must not grow: weights that others read too stay.
        if (node.Input(1) is not { HasSingleUse: true } stored || PassContext.Constant(stored) is not { Rank: 2 } weights || weights.Type is not (DataType.Float32 or DataType.Float64)) return false;
        OperatorView view = context.View(node);
        bool isGemm = node.OpType == "Gemm";
        if (isGemm && (view.Int("transA", 0) != 0 || view.Float("alpha", 1) != 1 || view.Float("beta", 1) != 1)) return false;
        bool turned = isGemm && view.Int("transB", 0) != 0;
        int inner = checked((int)weights.Shape[turned ? 1 : 0]), columns = checked((int)weights.Shape[turned ? 0 : 1]);
        if (inner == 0 || columns == 0 || Read(step, inner, weights.Type) is not var (source, numbers)) return false;
        double[] content = weights.ToDouble();
        int At(int row, int column) => turned ? (column * inner) + row : (row * columns) + column;
        if (step.OpType is "Add" or "Sub")
        {
            if (!isGemm || Bias(node, columns, weights.Type) is not { } sums) return false;
            for (int r = 0; r < inner; r++)
            {
                for (int c = 0; c < columns; c++) sums[c] += numbers[r] * content[At(r, c)];
            }
            if (!TensorMath.IsFinite(sums)) return false;
            node.SourceNodes = PassContext.SourcesOf(step, node);
            context.SetInput(node, 2, node.Graph.AddConstant((node.Input(2)?.Name ?? node.DisplayName + "_bias") + "_shifted", TensorMath.FromDouble(weights.Type, [columns], sums)));
        }
        else
        {
            for (int r = 0; r < inner; r++)
            {
                for (int c = 0; c < columns; c++) content[At(r, c)] *= numbers[r];
            }
            TensorData scaled = TensorMath.FromDouble(weights.Type, weights.Shape, content);
            if (!TensorMath.IsFinite(scaled.ToDouble())) return false;
            node.SourceNodes = PassContext.SourcesOf(step, node);
            context.SetInput(node, 1, node.Graph.AddConstant(stored.Name + "_scaled", scaled));
        }
        context.SetInput(node, 0, source);
        return true;
    }

    /// <summary>The bias of each column; null when it is not constant, or not one row.</summary>
    private static double[]? Bias(Node node, int columns, DataType type)
    {
        if (node.Input(2) is not { } third) return new double[columns];
        if (PassContext.Constant(third) is not { } bias || bias.Type != type || bias.ElementCount != columns || bias.Rank is 0 or > 2 || bias.Shape[^1] != columns) return null;
        return bias.ToDouble();
    }

    /// <summary>What the step works on, and its factor or summand for each element of the last axis.</summary>
    private static (Value Source, double[] Numbers)? Read(Node step, int inner, DataType type)
    {
        if (step.OpType is not ("Mul" or "Div" or "Add" or "Sub") || step.Inputs.Count != 2) return null;
        int side = PassContext.Constant(step.Input(1)) is not null ? 1 : step.OpType is "Mul" or "Add" ? 0 : -1;
        if (side < 0 || PassContext.Constant(step.Input(side)) is not { } constant || constant.Type != type || step.Input(1 - side) is not { } source || PassContext.Constant(source) is not null) return null;
        if (step.OpType is "Mul" or "Div" && MergeConstantArithmetic.MayEndActivation(source)) return null;
        // The constant must not add an axis or an extent to what it works on.
        if (Types.ShapeOf(source) is not { Rank: > 0 } shape || constant.Rank > shape.Rank || shape[shape.Rank - 1] is not { IsConstant: true } extent || extent.Value != inner) return null;
        for (int i = 0; i < constant.Rank; i++)
        {
            if (constant.Shape[i] != 1 && !(i == constant.Rank - 1 && constant.Shape[i] == inner)) return null;
        }
        double[] numbers = constant.ToDouble();
        if (numbers.Length == 1) numbers = [.. Enumerable.Repeat(numbers[0], inner)];
        if (step.OpType == "Div") numbers = [.. numbers.Select(n => 1 / n)];
        if (step.OpType == "Sub") numbers = [.. numbers.Select(n => -n)];
        return TensorMath.IsFinite(numbers) ? (source, numbers) : null;
    }
}
