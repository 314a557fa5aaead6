using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Interpolation.</summary>
internal static class ResampleForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["Resize"] = Resize, ["Upsample"] = Resize,
    };

    private static string? Resize(NodeLowering node)
    {
        OperatorView view = node.View;
        LoweredValue source = node.Input(0);
        DimExpr[] shape = node.OutputShape();
        string mode = view.String("mode", "nearest"), coordinates = view.CoordinateMode;
        if (!PointwiseForm.Computes(source.Type)) return $"no kernel moves {source.Type}";
        if (view.Int("antialias", 0) != 0) return "it filters against aliasing";
        if (coordinates == "tf_crop_and_resize") return "it crops by a tensor";
        long[] axes = view.Ints("axes") is { } given ? [.. given.Select(a => a < 0 ? a + source.Rank : a)] : [.. Enumerable.Range(0, source.Rank).Select(a => (long)a)];
        double[]? scales = view.SizesInput is null ? view.ResizeScales : null;
        bool keepsAspect = view.String("keep_aspect_ratio_policy", "stretch") != "stretch";
        if (view.SizesInput is null && scales is null) return "its scales depend on the run";
        if (keepsAspect) return "it keeps the aspect ratio";
        List<int> moved = [.. Enumerable.Range(0, source.Rank).Where(axis => !shape[axis].Equals(source.Shape[axis]) || (scales is not null && Array.IndexOf(axes, axis) is >= 0 and var at && scales[at] != 1))];
        if (mode is "linear" or "cubic" && !source.Type.IsFloatingPoint()) return "it interpolates integers";
        // Of each moved axis: the coordinate in the source.
        Expr Coordinate(Expr index, int axis)
        {
            int at = Array.IndexOf(axes, axis);
            Expr x = Ex.Convert(index, ScalarType.Float32), size = Extent(source.Shape[axis]), length = Extent(shape[axis]);
            Expr scale = scales is not null ? Ex.Number((float)scales[at]) : source.Shape[axis].IsConstant && shape[axis].IsConstant ? Ex.Number((float)shape[axis].Value / (float)source.Shape[axis].Value) : Ex.Div(length, size);
            Expr half = Ex.Number(0.5);
            Expr Scaled(Expr value) => scale is ConstantExpr { Number: var factor } && Math.Log2(factor) % 1 == 0 ? Ex.Call("mul", value, Ex.Number(1 / factor)) : Ex.Div(value, scale);
            return coordinates switch
            {
                "asymmetric" => Scaled(x),
                "align_corners" => shape[axis] is { IsConstant: true, Value: 1 } ? Ex.Number(0) : Ex.Div(Ex.Call("mul", x, Ex.Call("sub", size, Ex.Number(1))), Ex.Call("sub", length, Ex.Number(1))),
                "pytorch_half_pixel" when shape[axis] is { IsConstant: true, Value: 1 } => Ex.Number(0),
                "tf_half_pixel_for_nn" => Scaled(Ex.Call("add", x, half)),
                "half_pixel_symmetric" => HalfPixelSymmetric(x, size, length, scale),
                _ => Ex.Call("sub", Scaled(Ex.Call("add", x, half)), half),
            };
        }
        node.EmitMap(index => mode switch
        {
            "nearest" => NodeLowering.LoadAt(source, [.. index.Select((i, axis) => moved.Contains(axis) ? Nearest(Coordinate(i, axis), i, source.Shape[axis], shape[axis], view.NearestMode, coordinates, scales is null ? null : scales[Array.IndexOf(axes, axis)]) : i)]),
            "cubic" => Cubic(source, index, moved, Coordinate, view),
            _ => Linear(source, index, moved, Coordinate),
        });
        return null;
    }

    private static Expr Extent(DimExpr extent) => extent.TryGetValue(out long value) ? Ex.Number(value) : Ex.Convert(Ex.Extent(extent), ScalarType.Float32);

    private static Expr HalfPixelSymmetric(Expr x, Expr size, Expr length, Expr scale)
    {
        // The part of the scaled extent that rounding took away is split between both ends.
        Expr half = Ex.Number(0.5), adjustment = Ex.Div(length, Ex.Call("mul", scale, size)), center = Ex.Call("mul", size, half);
        Expr offset = Ex.Call("mul", center, Ex.Call("sub", Ex.Number(1), adjustment));
        return Ex.Call("sub", Ex.Call("add", offset, Ex.Div(Ex.Call("add", x, half), scale)), half);
    }

    private static Expr Nearest(Expr coordinate, Expr index, DimExpr size, DimExpr length, string mode, string coordinates, double? scale)
    {
        // Whole factors, as detectors and decoders have them, need no floats.
        if (mode == "floor" && coordinates == "asymmetric" && (scale ?? (size.IsConstant && length.IsConstant && length.Value % size.Value == 0 ? (double)length.Value / size.Value : 0)) is >= 1 and var factor && factor == Math.Floor(factor))
        {
            Expr whole = Ex.FloorDiv(index, (long)factor);
            return Index.IsWithin(whole, size) ? whole : Ex.Min(whole, Ex.Extent(size - DimExpr.One));
        }
        if (coordinates is "half_pixel" or "pytorch_half_pixel" && mode is "round_prefer_floor" && scale is >= 1 and var up && up == Math.Floor(up) && up % 2 == 0)
        {
            return Ex.FloorDiv(index, (long)up) is var whole && Index.IsWithin(whole, size) ? whole : Ex.Min(whole, Ex.Extent(size - DimExpr.One));
        }
        Expr half = Ex.Number(0.5);
        Expr rounded = mode switch
        {
            "floor" => Ex.Call("floor", coordinate),
            "ceil" => Ex.Call("ceil", coordinate),
            "round_prefer_ceil" => Ex.Call("floor", Ex.Call("add", coordinate, half)),
            _ => Ex.Call("ceil", Ex.Call("sub", coordinate, half)),
        };
        return Clamp(Ex.Convert(rounded, ScalarType.Int64), size);
    }

    private static Expr Clamp(Expr place, DimExpr extent) => Ex.Max(Ex.Zero, Ex.Min(place, Ex.Extent(extent - DimExpr.One)));

    private static Expr Linear(LoweredValue source, Expr[] index, List<int> moved, Func<Expr, int, Expr> coordinate)
    {
        return Along(0, [.. index]);

        Expr Along(int i, Expr[] place)
        {
            if (i == moved.Count) return Ex.Load(source, [.. place]);
            int axis = moved[i];
            Expr x = coordinate(index[axis], axis), limit = Ex.Call("sub", Extent(source.Shape[axis]), Ex.Number(1));
            Expr inside = Ex.Max(Ex.Number(0), Ex.Min(x, limit)), floor = Ex.Call("floor", inside), weight = Ex.Call("sub", inside, floor);
            Expr low = Ex.Convert(floor, ScalarType.Int64);
            Expr[] first = [.. place], second = [.. place];
            first[axis] = low;
            second[axis] = Ex.Min(Ex.Add(low, Ex.One), Ex.Extent(source.Shape[axis] - DimExpr.One));
            Expr a = Along(i + 1, first), b = Along(i + 1, second);
            if (a.Type == ScalarType.Float64) weight = Ex.Convert(weight, ScalarType.Float64);
            return Ex.Call("add", Ex.Call("mul", a, Ex.Call("sub", Ex.Constant(1, a.Type), weight)), Ex.Call("mul", b, weight));
        }
    }

    private static Expr Cubic(LoweredValue source, Expr[] index, List<int> moved, Func<Expr, int, Expr> coordinate, OperatorView view)
    {
        double sharpness = view.Float("cubic_coeff_a", -0.75f);
        bool excludes = view.Int("exclude_outside", 0) != 0;
        return Along(0, [.. index]);

        Expr Along(int i, Expr[] place)
        {
            if (i == moved.Count) return Ex.ToFloat(Ex.Load(source, [.. place]));
            int axis = moved[i];
            Expr x = coordinate(index[axis], axis), floor = Ex.Call("floor", x), fraction = Ex.Call("sub", x, floor), low = Ex.Convert(floor, ScalarType.Int64);
            Expr? sum = null, weights = null;
            for (int tap = -1; tap <= 2; tap++)
            {
                Expr at = Ex.Add(low, Ex.Int(tap)), weight = CubicWeight(Ex.Call("abs", Ex.Call("sub", fraction, Ex.Number(tap))), sharpness);
                if (excludes) weight = Ex.Select(Ex.And(Ex.GreaterOrEqual(at, Ex.Zero), Ex.Less(at, Ex.Extent(source.Shape[axis]))), weight, Ex.Number(0));
                Expr[] own = [.. place];
                own[axis] = Clamp(at, source.Shape[axis]);
                Expr product = Ex.Call("mul", Along(i + 1, own), weight);
                sum = sum is null ? product : Ex.Call("add", sum, product);
                weights = weights is null ? weight : Ex.Call("add", weights, weight);
            }
            return excludes ? Ex.Div(sum!, weights!) : sum!;
        }
    }

    private static Expr CubicWeight(Expr distance, double a)
    {
        Expr near = Horner(distance, a + 2, -(a + 3), 0, 1), far = Horner(distance, a, -5 * a, 8 * a, -4 * a);
        return Ex.Select(Ex.LessOrEqual(distance, Ex.Number(1)), near, Ex.Select(Ex.Less(distance, Ex.Number(2)), far, Ex.Number(0)));
    }

    private static Expr Horner(Expr x, params double[] coefficients) =>
        coefficients.Skip(1).Aggregate(Ex.Number(coefficients[0]), (sum, coefficient) => Ex.Call("add", Ex.Call("mul", sum, x), Ex.Number(coefficient)));
}
