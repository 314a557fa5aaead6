using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

internal static class ResizeRewrites
{
    public static void ScalesToInput(OpsetStep step)
    {
        if (step.Node.Attributes.Floats("scales") is not { } scales) return;
        step.Node.Attributes.Remove("scales");
        step.Node.SetInput(1, step.Constant("scales", TensorData.Vector<float>(scales)));
    }

    public static void ScalesToAttribute(OpsetStep step)
    {
        float[] scales = Scales(step, 1);
        step.KeepInputs(1);
        step.Node.Attributes.Set(Attribute.Floats("scales", scales));
    }

    public static void UpsampleToResize(OpsetStep step)
    {
        step.Node.OpType = "Resize";
        if (step.Node.Attributes.String("mode", "nearest") is "bilinear" or "trilinear") step.Node.Attributes.Set(Attribute.String("mode", "linear"));
    }

    public static void ResizeToUpsample(OpsetStep step)
    {
        if (Scales(step, 1).Any(s => s < 1)) throw step.Refuse("it shrinks, and there was Upsample only", "Keep opset 10");
        step.Node.OpType = "Upsample";
    }

    /// <summary>Up to 10 a place is its index divided by the scale, and the nearest one lies before it (when shrinking, behind it).</summary>
    public static void CoordinatesAreNamed(OpsetStep step)
    {
        bool nearest = step.Node.Attributes.String("mode", "nearest") == "nearest";
        bool shrinks = nearest && step.Constant(1)?.ToDouble().Any(s => s < 1) == true;
        if (shrinks && step.Constant(1)!.ToDouble().Any(s => s > 1)) throw step.Refuse("it enlarges along one axis and shrinks along another", "Make two of it");
        step.Node.SetInputs(step.Node.Input(0), step.Constant("roi", TensorData.Vector<float>()), step.Node.Input(1));
        step.Node.Attributes.Set(Attribute.String("coordinate_transformation_mode", "asymmetric"));
        if (nearest) step.Node.Attributes.Set(Attribute.String("nearest_mode", shrinks ? "ceil" : "floor"));
    }

    public static void CoordinatesAreFixed(OpsetStep step)
    {
        string mode = step.Node.Attributes.String("mode", "nearest"), coordinates = step.Node.Attributes.String("coordinate_transformation_mode", "half_pixel"), nearest = step.Node.Attributes.String("nearest_mode", "round_prefer_floor");
        float[] scales = AllScales(step);
        bool whole = scales.All(s => s >= 1 && s == MathF.Floor(s)), grows = scales.All(s => s >= 1), parts = scales.All(s => s <= 1 && 1 / s == MathF.Floor(1 / s));
        bool same = scales.All(s => s == 1) || (mode, coordinates, nearest) switch
        {
            ("nearest", "asymmetric", "floor") => grows || parts,
            ("nearest", "asymmetric", "ceil") => scales.All(s => s <= 1),
            // The middle of an enlarged pixel is nearest to the pixel itself.
            ("nearest", "half_pixel" or "pytorch_half_pixel", "round_prefer_floor" or "round_prefer_ceil") => whole,
            ("linear", "asymmetric", _) => true,
            _ => false,
        };
        if (!same) throw step.Refuse($"it resizes by '{mode}' with coordinates '{coordinates}'{(mode == "nearest" ? $" and '{nearest}'" : "")} at scales {string.Join(", ", scales.Select(s => FormattableString.Invariant($"{s}")))}; places were an index divided by the scale then", "Keep opset 11");
        step.Become("Resize", [step.Node.Input(0), step.Constant("scales", TensorData.Vector<float>(scales))], Attribute.String("mode", mode));
    }

    /// <summary>Roi and scales had to be there before 13, if only empty.</summary>
    public static void AllInputs(OpsetStep step)
    {
        for (int i = 1; i <= 2; i++)
        {
            if (step.Node.Input(i) is null) step.Node.SetInput(i, step.Constant(i == 1 ? "roi" : "scales", TensorData.Vector<float>()));
        }
    }

    /// <summary>Axes came with 18: all are named.</summary>
    public static void AllAxes(OpsetStep step)
    {
        if (step.Node.Attributes.Ints("axes") is not { } axes) return;
        int rank = step.Rank(0, "it names some axes only");
        if (step.Node.Input(1) is not null && step.Node.Attributes.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") throw step.Refuse("it crops along some axes only", "Keep opset 18");
        step.Node.SetInput(1, null);
        step.Node.Attributes.Remove("axes");
        axes = [.. axes.Select(a => a < 0 ? a + rank : a)];
        if (step.Node.Input(2) is not null && step.Constant(2) is not { ElementCount: 0 })
        {
            float[] all = [.. Enumerable.Repeat(1f, rank)], some = Scales(step, 2);
            for (int i = 0; i < axes.Length; i++) all[axes[i]] = some[i];
            step.Node.SetInput(2, step.Constant("scales", TensorData.Vector<float>(all)));
            return;
        }
        long[] sizes = new long[rank], given = step.Integers(3, "sizes")!;
        for (int axis = 0; axis < rank; axis++)
        {
            int at = Array.IndexOf(axes, axis);
            sizes[axis] = at >= 0 ? given[at] : step.ShapeOf(0)![axis] is { IsConstant: true } extent ? extent.Value : throw step.Refuse($"nothing is known of the extent of axis {axis}, which would have to be named", "Give the graph's inputs their shapes with Set-GraphInput");
        }
        step.Node.SetInput(3, step.Vector("sizes", sizes));
    }

    private static float[] Scales(OpsetStep step, int input) =>
        [.. (step.Constant(input) ?? throw step.Refuse($"its scales are computed ('{step.Node.Input(input)?.Name}')", "Fold what computes them first: Optimize-OnnxGraph")).ToDouble().Select(s => (float)s)];

    /// <summary>Of all axes, whether scales or sizes are given.</summary>
    private static float[] AllScales(OpsetStep step)
    {
        if (step.Node.Input(3) is null) return Scales(step, 2);
        long[] sizes = step.Integers(3, "sizes")!;
        if (step.ShapeOf(0)?.ToStatic() is not { } shape) throw step.Refuse("it resizes to sizes, and the shape of what it resizes is not known", "Give the graph's inputs their shapes with Set-GraphInput");
        float[] scales = [.. sizes.Zip(shape, (to, from) => (float)to / from)];
        for (int i = 0; i < scales.Length; i++)
        {
            // What is resized to must come out of the product again.
            if (Math.Floor(shape[i] * (double)scales[i]) < sizes[i] || MathF.Floor(shape[i] * scales[i]) < sizes[i]) scales[i] = MathF.BitIncrement(scales[i]);
        }
        return scales;
    }
}
