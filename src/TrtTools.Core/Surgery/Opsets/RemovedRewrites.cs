using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

/// <summary>Experimental operators of the first exporters, which ONNX dropped.</summary>
internal static class RemovedRewrites
{
    public static void Affine(OpsetStep step)
    {
        DataType type = Floating(step);
        Value scaled = step.Emit("Mul", "scaled", [step.Node.Input(0), step.Number("alpha", step.Node.Attributes.Float("alpha", 1), type)]);
        step.Become("Add", [scaled, step.Number("beta", step.Node.Attributes.Float("beta", 0), type)]);
    }

    public static void ImageScaler(OpsetStep step)
    {
        DataType type = Floating(step);
        Value scaled = step.Emit("Mul", "scaled", [step.Node.Input(0), step.Number("scale", step.Node.Attributes.Float("scale", 1), type)]);
        float[] bias = step.Node.Attributes.Floats("bias") ?? [0];
        step.Become("Add", [scaled, step.Constant("bias", Evaluation.TensorMath.FromDouble(type, [1, bias.Length, 1, 1], [.. bias.Select(b => (double)b)]))]);
    }

    /// <summary>Takes a border of left, top, right and bottom off; with a scale, so many pixels stay from the left and top border on.</summary>
    public static void Crop(OpsetStep step)
    {
        if (step.Node.Attributes.Ints("border") is not { Length: 4 } border) throw step.Refuse("its border has not four numbers", "Set them with Set-GraphNode");
        (long left, long top, long right, long bottom) = (border[0], border[1], border[2], border[3]);
        long[] ends = step.Node.Attributes.Ints("scale") is [long height, long width] ? [top + height, left + width] : [End(bottom), End(right)];
        long[] starts = [top, left], axes = [2, 3];
        if (step.Opset >= 10) step.Become("Slice", [step.Node.Input(0), step.Vector("starts", starts), step.Vector("ends", ends), step.Vector("axes", axes)]);
        else step.Become("Slice", [step.Node.Input(0)], Attribute.Ints("starts", starts), Attribute.Ints("ends", ends), Attribute.Ints("axes", axes));

        static long End(long border) => border == 0 ? int.MaxValue : -border;
    }

    private static DataType Floating(OpsetStep step) => step.ElementType(0) is var type && type.IsFloatingPoint() ? type : DataType.Float32;
}
