using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

internal static class PointwiseRewrites
{
    /// <summary>The mask was of the data's type before 10 and is of Booleans from then on.</summary>
    public static void WithoutMask(OpsetStep step) => step.KeepOutputs(1, "its mask is of another type there");

    public static void RatioToInput(OpsetStep step)
    {
        float? ratio = step.Node.Attributes["ratio"]?.Content as float?;
        step.Node.Attributes.Remove("ratio");
        if (ratio is { } given) step.Node.SetInput(1, step.Constant("ratio", TensorData.Scalar(given)));
    }

    public static void RatioToAttribute(OpsetStep step)
    {
        if (step.Node.Input(2) is not null && !(step.Constant(2) is { ElementCount: 1 } training && training.ToInt64()[0] == 0)) throw step.Refuse("it drops values at random (training_mode)", "Remove it, or set training_mode to false");
        if (step.Constant(1) is { ElementCount: 1 } ratio) step.Node.Attributes.Set(Attribute.Float("ratio", (float)ratio.ToDouble()[0]));
        step.Node.Attributes.Remove("seed");
        step.KeepInputs(1);
    }

    public static void LimitsToInputs(OpsetStep step)
    {
        DataType type = step.ElementType(0) is var found && found.IsFloatingPoint() ? found : DataType.Float32;
        float? min = step.Node.Attributes["min"]?.Content as float?, max = step.Node.Attributes["max"]?.Content as float?;
        step.Node.Attributes.Remove("min");
        step.Node.Attributes.Remove("max");
        if (min is { } low) step.Node.SetInput(1, step.Number("min", low, type));
        if (max is { } high) step.Node.SetInput(2, step.Number("max", high, type));
    }

    public static void FloatClip(OpsetStep step)
    {
        if (step.ElementType(0) is var type && !type.IsFloatingPoint() && type != DataType.Undefined) throw step.Refuse($"it clips {type}, and only floating-point numbers could be clipped then", "Cast before and after it");
    }

    /// <summary>Limits that are computed are Max and Min.</summary>
    public static void LimitsToAttributes(OpsetStep step)
    {
        TensorData? min = step.Constant(1), max = step.Constant(2);
        if (step.Node.Input(1) is { } low && min is null || step.Node.Input(2) is not null && max is null)
        {
            Value value = step.Node.Input(0)!;
            Value? lower = step.Node.Input(1), upper = step.Node.Input(2);
            if (upper is null) step.Become("Max", [value, lower]);
            else step.Become("Min", [lower is null ? value : step.Emit("Max", "low", [value, lower]), upper]);
            return;
        }
        step.KeepInputs(1);
        if (min is not null) step.Node.Attributes.Set(Attribute.Float("min", (float)min.ToDouble()[0]));
        if (max is not null) step.Node.Attributes.Set(Attribute.Float("max", (float)max.ToDouble()[0]));
    }

    public static void CastWithoutSaturate(OpsetStep step)
    {
        if (step.Node.Attributes.Int("to", 0) is >= (long)DataType.Float8E4M3FN and <= (long)DataType.Float8E5M2FNUZ) throw step.Refuse($"it casts to {(DataType)step.Node.Attributes.Int("to", 0)}", "Keep opset 19");
        // Only those types saturate.
        step.Node.Attributes.Remove("saturate");
    }

    public static void ConstantIsTensor(OpsetStep step)
    {
        if (step.Node.Attributes.FirstOrDefault(a => a.Name.StartsWith("value_", StringComparison.Ordinal)) is not { } given) return;
        if (ConstantContent.Of(given) is not { } content) throw step.Refuse($"its {given.Name} refers to a function's attribute", "Expand the function first");
        step.Node.Attributes.Remove(given.Name);
        step.Node.Attributes.Set(Attribute.Tensor("value", content));
    }

    /// <summary>Base and exponent had one type before 12.</summary>
    public static void OneTypeOfPow(OpsetStep step)
    {
        (DataType x, DataType y) = (step.ElementType(0), step.ElementType(1));
        if (x is DataType.Undefined || !x.IsFloatingPoint()) throw step.Refuse($"its base is of {x}, and only floating-point numbers had powers then", "Cast before and after it");
        if (x == y) return;
        if (step.Constant(1) is { } constant) step.Node.SetInput(1, step.Constant("exponent", Evaluation.TensorMath.FromDouble(x, constant.Shape, constant.ToDouble())));
        else step.Node.SetInput(1, step.Emit("Cast", "exponent", [step.Node.Input(1)], Attribute.Int("to", (long)x)));
    }

    public static void GemmHasSummand(OpsetStep step)
    {
        if (step.Node.Input(2) is not null) return;
        DataType type = step.ElementType(0) is DataType.Undefined ? DataType.Float32 : step.ElementType(0);
        step.Node.SetInput(2, step.Number("zero", 0, type, 1));
    }

    public static void EqualOfIntegers(OpsetStep step)
    {
        if (step.ElementType(0) is var type && type is not (DataType.Bool or DataType.Int32 or DataType.Int64)) throw step.Refuse($"it compares {type}, and only Bool, Int32 and Int64 could be compared then", "Compare integers, or keep opset 11");
    }

    /// <summary>Before 8 all operands had one shape; Add stretches its own.</summary>
    public static void SumByAdd(OpsetStep step)
    {
        if (HaveOneShape(step) || step.Node.Inputs.Count < 2) return;
        Value?[] terms = [.. step.Node.Inputs];
        bool mean = step.Node.OpType == "Mean";
        Value sum = terms[0]!;
        for (int i = 1; i < terms.Length - (mean ? 0 : 1); i++) sum = step.Emit("Add", "sum", [sum, terms[i]]);
        if (mean) step.Become("Mul", [sum, step.Number("share", 1.0 / terms.Length, step.ElementType(0) is DataType.Undefined ? DataType.Float32 : step.ElementType(0))]);
        else step.Become("Add", [sum, terms[^1]]);
    }

    public static void EqualShapes(OpsetStep step)
    {
        if (step.Node.Inputs.Count > 1 && !HaveOneShape(step)) throw step.Refuse("its operands are not known to be of one shape, and none was stretched then", "Keep opset 8");
    }

    private static bool HaveOneShape(OpsetStep step) => step.ShapeOf(0) is { } first && first.Dimensions.All(d => d is not null) && Enumerable.Range(1, step.Node.Inputs.Count - 1).All(i => first.Equals(step.ShapeOf(i)));
}
