using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Where a sliding window reads: input place = output place · stride − padding + kernel place · dilation.</summary>
internal sealed record WindowGeometry(IReadOnlyList<DimExpr> Input, IReadOnlyList<long> Strides, IReadOnlyList<long> PadsBegin, IReadOnlyList<long> PadsEnd, IReadOnlyList<long> Dilations)
{
    /// <summary>From a node's attributes; null when auto_pad meets an extent that only the run knows.</summary>
    public static WindowGeometry? Of(OperatorView view, IReadOnlyList<DimExpr> input, IReadOnlyList<DimExpr> kernel, IReadOnlyList<DimExpr> output)
    {
        int axes = input.Count - 2;
        long[] strides = new long[axes], begin = new long[axes], end = new long[axes], dilations = new long[axes];
        string autoPad = view.String("auto_pad", "NOTSET");
        long[]? pads = view.Ints("pads");
        for (int i = 0; i < axes; i++)
        {
            strides[i] = Windows.At(view.Ints("strides"), i, 1);
            dilations[i] = Windows.At(view.Ints("dilations"), i, 1);
            if (autoPad is "SAME_UPPER" or "SAME_LOWER")
            {
                if (!kernel[i].IsConstant) return null;
                long reach = ((kernel[i].Value - 1) * dilations[i]) + 1, total;
                if (input[i + 2].IsConstant) total = Math.Max(0, ((output[i + 2].Value - 1) * strides[i]) + reach - input[i + 2].Value);
                else if (strides[i] == 1) total = reach - 1;
                else return null;
                long small = total / 2;
                (begin[i], end[i]) = autoPad == "SAME_UPPER" ? (small, total - small) : (total - small, small);
            }
            else if (autoPad != "VALID")
            {
                (begin[i], end[i]) = (Windows.At(pads, i, 0), Windows.At(pads, i + axes, 0));
            }
        }
        return new WindowGeometry([.. input.Skip(2)], strides, begin, end, dilations);
    }

    /// <summary>Input places of a window at an output place, and whether they lie in the input: tested where there is padding, or <paramref name="always"/> where ranges do not say so.</summary>
    public (Expr[] Places, Expr Inside) Places(IReadOnlyList<Expr> output, IReadOnlyList<Expr> kernel, bool always = false)
    {
        Expr[] places = new Expr[Input.Count];
        Expr inside = Ex.True;
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = Ex.Add(Ex.Add(Ex.Mul(output[i], Ex.Int(Strides[i])), Ex.Mul(kernel[i], Ex.Int(Dilations[i]))), Ex.Int(-PadsBegin[i]));
            // A window that cannot leave the input needs no test; pads say so better than ranges that floors have rounded.
            if (always || PadsBegin[i] > 0) inside = Ex.And(inside, Ex.GreaterOrEqual(places[i], Ex.Zero));
            if (always || PadsEnd[i] > 0) inside = Ex.And(inside, Ex.Less(places[i], Ex.Extent(Input[i])));
        }
        return (places, inside);
    }
}
