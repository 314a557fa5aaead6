using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

internal static class MovementRewrites
{
    public static void CountToInput(OpsetStep step)
    {
        long k = step.Node.Attributes.Int("k", 1);
        step.Node.Attributes.Remove("k");
        step.Node.SetInput(1, step.Vector("k", k));
    }

    public static void CountToAttribute(OpsetStep step)
    {
        step.Node.Attributes.Set(Attribute.Int("k", step.Integers(1, "numbers of elements")![0]));
        step.KeepInputs(1);
    }

    public static void PadsToInput(OpsetStep step)
    {
        step.AttributeToInput("pads", 1);
        DataType type = step.ElementType(0) is var found && found.IsFloatingPoint() ? found : DataType.Float32;
        if (step.Node.Attributes.String("mode", "constant") == "constant") step.Node.SetInput(2, step.Number("value", step.Node.Attributes.Float("value", 0), type));
        step.Node.Attributes.Remove("value");
    }

    public static void PadsToAttribute(OpsetStep step)
    {
        if (step.ElementType(0) is var type && type != DataType.Undefined && !type.IsFloatingPoint()) throw step.Refuse($"it pads {type}, and only floating-point numbers could be padded then", "Cast before and after it");
        if (step.Node.Input(2) is { } computed)
        {
            if (step.Constant(2) is not { } value) throw step.Refuse($"its value is computed ('{computed.Name}')", "Fold what computes it first: Optimize-OnnxGraph");
            step.Node.Attributes.Set(Attribute.Float("value", (float)value.ToDouble()[0]));
        }
        step.InputToAttribute(1, "pads");
    }

    /// <summary>Axes came with 18: all are named.</summary>
    public static void PadAllAxes(OpsetStep step)
    {
        if (step.Integers(3, "axes") is not { } axes)
        {
            step.KeepInputs(3);
            return;
        }
        int rank = step.Rank(0, "it names some axes only");
        long[] some = step.Integers(1, "pads")!, all = new long[2 * rank];
        for (int i = 0; i < axes.Length; i++)
        {
            long axis = axes[i] < 0 ? axes[i] + rank : axes[i];
            (all[axis], all[axis + rank]) = (some[i], some[i + axes.Length]);
        }
        step.Node.SetInput(1, step.Vector("pads", all));
        step.KeepInputs(step.Node.Input(2) is null ? 2 : 3);
    }

    public static void SplitIsCounted(OpsetStep step)
    {
        if (step.Node.Input(1) is null) step.Node.Attributes.Set(Attribute.Int("num_outputs", step.Node.Outputs.Count));
    }

    /// <summary>A remainder in the last part came with 18: the parts are named.</summary>
    public static void SplitIsGiven(OpsetStep step)
    {
        if (step.Node.Input(1) is not null) return;
        step.Node.Attributes.Remove("num_outputs");
        int parts = step.Node.Outputs.Count;
        long axis = step.Node.Attributes.Int("axis", 0);
        if (step.ShapeOf(0) is not { } shape || shape[(int)axis] is not { IsConstant: true } extent) throw step.Refuse($"nothing is known of the extent of axis {axis}, which has to be a multiple of {parts} then", "Give the graph's inputs their shapes with Set-GraphInput");
        if (extent.Value % parts == 0) return;
        long part = (extent.Value + parts - 1) / parts;
        step.Node.SetInput(1, step.Vector("split", [.. Enumerable.Repeat(part, parts - 1), extent.Value - (part * (parts - 1))]));
    }

    public static void PartOfShape(OpsetStep step)
    {
        Attribute? start = step.Node.Attributes["start"], end = step.Node.Attributes["end"];
        long from = start?.Content as long? ?? 0;
        step.Node.Attributes.Remove("start");
        if (end is null && from == 0) return;
        Value whole = step.Emit("Shape", "whole", [step.Node.Input(0)]);
        step.Become("Slice", [whole, step.Vector("start", from), step.Vector("end", end?.Content as long? ?? long.MaxValue), step.Vector("axis", 0)]);
    }

    public static void ZeroStandsForCopy(OpsetStep step)
    {
        if (step.Node.Attributes.Int("allowzero", 0) != 0 && step.Integers(1, "extents")!.Contains(0)) throw step.Refuse("an extent of 0 means 0 there (allowzero), and the input's own extent then", "Keep opset 14");
        step.Node.Attributes.Remove("allowzero");
    }

    public static void GatherFromStart(OpsetStep step)
    {
        step.CountAxisFromStart();
        if (step.Constant(1) is not { } index || index.ToInt64() is not { } places || places.All(p => p >= 0)) return;
        long axis = step.Node.Attributes.Int("axis", 0);
        if (step.ShapeOf(0) is not { } shape || shape[(int)axis] is not { IsConstant: true } extent) throw step.Refuse("its indices count from the end of an axis whose extent is not known", "Give the graph's inputs their shapes with Set-GraphInput");
        step.Node.SetInput(1, step.Constant("index", TensorData.From<long>([.. places.Select(p => p < 0 ? p + extent.Value : p)], index.Shape)));
    }

    public static void SliceAxesFromStart(OpsetStep step)
    {
        if (step.Constant(3)?.ToInt64() is not { } axes || axes.All(a => a >= 0)) return;
        int rank = step.Rank(0, "its axes count from the end");
        step.Node.SetInput(3, step.Vector("axes", [.. axes.Select(a => a < 0 ? a + rank : a)]));
        // Starts and ends are of the same type.
        step.Node.SetInput(1, Long(1, "starts"));
        step.Node.SetInput(2, Long(2, "ends"));
        if (step.Node.Input(4) is not null) step.Node.SetInput(4, Long(4, "steps"));

        Value Long(int input, string hint) => step.Constant(input) is { } data ? step.Constant(hint, TensorData.From<long>(data.ToInt64(), data.Shape)) : step.ElementType(input) == DataType.Int64 ? step.Node.Input(input)! : step.Emit("Cast", hint, [step.Node.Input(input)], Attribute.Int("to", (long)DataType.Int64));
    }

    public static void SliceByAttributes(OpsetStep step)
    {
        if (step.Integers(4, "steps") is { } steps && steps.Any(s => s != 1)) throw step.Refuse("it takes steps other than 1", "Keep opset 10");
        if (step.Integers(3, "axes") is { } axes) step.Node.Attributes.Set(Attribute.Ints("axes", axes));
        step.Node.Attributes.Set(Attribute.Ints("ends", step.Integers(2, "ends")!));
        step.InputToAttribute(1, "starts");
    }

    public static void TransformAxisToInput(OpsetStep step)
    {
        long axis = step.Node.Attributes.Int("axis", 1);
        step.Node.Attributes.Remove("axis");
        step.Node.SetInput(2, step.Constant("axis", TensorData.Scalar(axis)));
    }

    public static void TransformAxisToAttribute(OpsetStep step)
    {
        int rank = step.Rank(0, "its axis may count from the end");
        long axis = step.Integers(2, "axes")?[0] ?? -2;
        step.Node.Attributes.Set(Attribute.Int("axis", axis < 0 ? axis + rank : axis));
        step.KeepInputs(step.Node.Input(1) is null ? 1 : 2);
    }

    public static void FillByExpand(OpsetStep step)
    {
        TensorData value = step.Node.Attributes.Tensor("value") ?? TensorData.Vector(0f);
        step.Become("Expand", [step.Constant("value", value.Reshape([])), step.Node.Input(0)]);
    }

    /// <summary>A product with ones stretches as Expand does, where the shape is known.</summary>
    public static void ExpandByMul(OpsetStep step)
    {
        if (step.Constant(1)?.ToInt64() is not { } shape) throw step.Refuse("the shape that it stretches to is computed", "Keep opset 8");
        DataType type = step.ElementType(0);
        if (!type.IsFloatingPoint() && type is not (DataType.Int32 or DataType.Int64)) throw step.Refuse($"it stretches {type}, and only numbers could be multiplied then", "Keep opset 8");
        long count = TensorData.CountElements(shape);
        if (count > 1 << 20) throw step.Refuse($"a tensor of {count} ones would have to stretch it", "Keep opset 8");
        double[] ones = new double[count];
        Array.Fill(ones, 1);
        step.Become("Mul", [step.Node.Input(0), step.Constant("ones", Evaluation.TensorMath.FromDouble(type, shape, ones))]);
    }
}
