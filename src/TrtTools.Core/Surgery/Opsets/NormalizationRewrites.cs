using TrtTools.Ir;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

internal static class NormalizationRewrites
{
    public static void WithoutSpatial(OpsetStep step)
    {
        if (step.Node.Attributes.Int("spatial", 1) == 0) throw step.Refuse("it has statistics for each place (spatial=0)", "Replace it with Sub, Mul and Add");
        step.Node.Attributes.Remove("spatial");
    }

    public static void OneOutput(OpsetStep step) => step.KeepOutputs(1, "statistics of training go by other outputs from 14 on");

    /// <summary>Before 13 the input counted as a matrix, rows ending before the axis.</summary>
    public static void SoftmaxOfOneAxis(OpsetStep step)
    {
        Node node = step.Node;
        long axis = node.Attributes.Int("axis", 1);
        int? rank = step.ShapeOf(0)?.Rank;
        if (rank is { } known && axis == known - 1 || axis == -1)
        {
            node.Attributes.Set(Attribute.Int("axis", -1));
            return;
        }
        Value shape = step.Emit("Shape", "shape", [node.Input(0)]);
        Value matrix = step.Emit("Flatten", "matrix", [node.Input(0)], Attribute.Int("axis", axis));
        Value rows = step.Emit(node.OpType, "rows", [matrix], Attribute.Int("axis", -1));
        step.Become("Reshape", [rows, shape]);
    }

    /// <summary>The axis goes to the end, where the older operator does the same.</summary>
    public static void SoftmaxOfRows(OpsetStep step)
    {
        Node node = step.Node;
        long axis = node.Attributes.Int("axis", -1);
        if (axis == -1)
        {
            // The older default is another one.
            node.Attributes.Set(Attribute.Int("axis", step.ShapeOf(0)?.Rank is { } known ? known - 1 : -1));
            return;
        }
        int rank = step.Rank(0, "its axis has to become the last one");
        if (axis < 0) axis += rank;
        if (axis == rank - 1)
        {
            node.Attributes.Set(Attribute.Int("axis", axis));
            return;
        }
        long[] order = [.. Enumerable.Range(0, rank).Select(i => i == axis ? rank - 1 : i == rank - 1 ? axis : (long)i)];
        Value turned = step.Emit("Transpose", "turned", [node.Input(0)], Attribute.Ints("perm", order));
        Value rows = step.Emit(node.OpType, "rows", [turned], Attribute.Int("axis", rank - 1));
        step.Become("Transpose", [rows], Attribute.Ints("perm", order));
    }
}
