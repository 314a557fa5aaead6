using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Experimental operators that early exporters wrote and ONNX dropped before opset 7. They are here so that
/// an audit can say what to use instead, and shapes flow past them.</summary>
internal static class RemovedOperators
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Affine", "1", ComputeForm.Pointwise, "1", "1", "alpha:float=1.0 beta:float=0.0").Computes("alpha * x + beta").Shape(Same)
            .Removed("Write it as Mul by alpha, then Add of beta."),
        new OperatorDefinition("ATen", "1", ComputeForm.HostOnly, "1-*", "1-*").Removed("Export the model again without the ATen fallback."),
        new OperatorDefinition("ConstantFill", "1", ComputeForm.Fill, "0-1", "1", "dtype:int=1 extra_shape:ints input_as_shape:int shape:ints value:float=0.0")
            .Removed("Use ConstantOfShape."),
        new OperatorDefinition("Crop", "1", ComputeForm.Movement, "1", "1", "border:ints scale:ints").Shape(Crop).With(OperatorTraits.ScalePreserving)
            .Removed("Use Slice with starts (top, left) and ends on the last two axes."),
        new OperatorDefinition("DynamicSlice", "1", ComputeForm.Movement, "3-4", "1").Removed("Use Slice of opset 10 or later, which takes its bounds as inputs."),
        new OperatorDefinition("GivenTensorFill", "1", ComputeForm.Fill, "0-1", "1", "extra_shape:ints input_as_shape:int shape:ints values:floats").Removed("Use Constant."),
        new OperatorDefinition("GRUUnit", "1", ComputeForm.Recurrence, "4", "1", "drop_states:int").Removed("Use GRU."),
        new OperatorDefinition("ImageScaler", "1", ComputeForm.Pointwise, "1", "1", "bias:floats scale:float=1.0").Shape(Same)
            .Removed("Write it as Mul by scale, then Add of the bias as a constant of shape [1, C, 1, 1]."),
        new OperatorDefinition("ParametricSoftplus", "1", ComputeForm.Pointwise, "1", "1", "alpha:float beta:float")
            .Computes("(alpha ?? 1) * ((beta ?? 1) * x > 0 ? (beta ?? 1) * x + log1p(exp(-((beta ?? 1) * x))) : log1p(exp((beta ?? 1) * x)))").Shape(Same)
            .Removed("Write it as Mul by beta, Softplus, then Mul by alpha."),
        new OperatorDefinition("Scale", "1", ComputeForm.Pointwise, "1", "1", "scale:float=1.0").Computes("scale * x").Shape(Same).Removed("Use Mul."),
        new OperatorDefinition("ScaledTanh", "1", ComputeForm.Pointwise, "1", "1", "alpha:float beta:float").Computes("(alpha ?? 1) * tanh((beta ?? 1) * x)").Shape(Same)
            .Removed("Write it as Mul by beta, Tanh, then Mul by alpha."),
    ];

    // Border is left, top, right, bottom; scale, when given, is the height and width to keep.
    private static void Crop(InferenceContext context)
    {
        SymbolicShape? result = context.Shape(0);
        if (result is { Rank: >= 2 } shape)
        {
            DimExpr?[] extents = Copy(shape);
            long[]? border = context.View.Ints("border"), scale = context.View.Ints("scale");
            if (scale is [long height, long width])
            {
                extents[^2] = height;
                extents[^1] = width;
            }
            else if (border is [long left, long top, long right, long bottom])
            {
                extents[^2] = Dims.Subtract(extents[^2], top + bottom);
                extents[^1] = Dims.Subtract(extents[^1], left + right);
            }
            else
            {
                extents[^2] = extents[^1] = null;
            }
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
    }
}
