using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Integer expressions as sums of products with extents: index arithmetic that knows the loops' ranges.</summary>
internal static class Index
{
    /// <summary>Σ factor · term + constant. Terms are axes, or expressions that are no sums themselves.</summary>
    internal sealed record Sum(DimExpr Constant, IReadOnlyList<(Expr Term, DimExpr Factor)> Terms)
    {
        public bool IsConstant => Terms.Count == 0;
    }

    public static Sum Expand(Expr expr)
    {
        switch (expr)
        {
            case ConstantExpr constant: return new Sum(constant.Integer, []);
            case ExtentExpr extent: return new Sum(extent.Extent, []);
            case AxisExpr { Axis.Extent: { IsConstant: true, Value: 1 } }: return new Sum(DimExpr.Zero, []);
            case CallExpr { Function.Name: "add" } call: return Combine(Expand(call.Operands[0]), Expand(call.Operands[1]), 1);
            case CallExpr { Function.Name: "sub" } call: return Combine(Expand(call.Operands[0]), Expand(call.Operands[1]), -1);
            case CallExpr { Function.Name: "neg" } call: return Scale(Expand(call.Operands[0]), -1);
            case CallExpr { Function.Name: "mul" } call:
                Sum left = Expand(call.Operands[0]), right = Expand(call.Operands[1]);
                if (right.IsConstant) return Scale(left, right.Constant);
                if (left.IsConstant) return Scale(right, left.Constant);
                return new Sum(DimExpr.Zero, [(expr, DimExpr.One)]);
            default: return new Sum(DimExpr.Zero, [(expr, DimExpr.One)]);
        }
    }

    public static Expr ToExpr(Sum sum)
    {
        Expr? result = null;
        foreach ((Expr term, DimExpr factor) in sum.Terms)
        {
            Expr product = factor is { IsConstant: true, Value: 1 } ? term : ScalarFunctions.Call("mul", term, Ex.Extent(factor));
            result = result is null ? product : ScalarFunctions.Call("add", result, product);
        }
        if (result is null) return Ex.Extent(sum.Constant);
        return sum.Constant is { IsConstant: true, Value: 0 } ? result : ScalarFunctions.Call("add", result, Ex.Extent(sum.Constant));
    }

    public static Expr Simplify(Expr expr)
    {
        if (expr is not CallExpr { Type: ScalarType.Int64 } call) return expr;
        switch (call.Function.Name)
        {
            case "add" or "sub" or "mul" or "neg":
                return ToExpr(Expand(expr));
            case "floordiv" when Expand(call.Operands[1]) is { IsConstant: true } by:
                return FloorDiv(call.Operands[0], by.Constant);
            case "mod" when Expand(call.Operands[1]) is { IsConstant: true } by:
                return Mod(call.Operands[0], by.Constant);
            case "min" or "max" when Decide("le", call.Operands[0], call.Operands[1]) is { } firstIsLess:
                return firstIsLess == (call.Function.Name == "min") ? call.Operands[0] : call.Operands[1];
            default:
                if (call.Operands.All(o => o is ConstantExpr) && call.Function.OnInteger is { } compute)
                {
                    long At(int i) => i < call.Operands.Count ? ((ConstantExpr)call.Operands[i]).Integer : 0;
                    return Ex.Int(compute(At(0), At(1), At(2)));
                }
                return expr;
        }
    }

    /// <summary>⌊a / b⌋ for b &gt; 0.</summary>
    public static Expr FloorDiv(Expr a, DimExpr b)
    {
        if (b is { IsConstant: true, Value: 1 }) return a;
        Sum sum = Expand(a);
        if (sum.IsConstant && b.IsConstant && b.Value > 0) return Ex.Extent(DimExpr.FloorDiv(sum.Constant, b));
        (Sum whole, Sum rest) = Split(sum, b);
        if (IsWithin(rest, b)) return ToExpr(whole);
        // ⌊⌊x / c⌋ / d⌋ = ⌊x / (c·d)⌋
        if (whole.IsConstant && whole.Constant.Equals(DimExpr.Zero) && rest is { Terms: [({ } term, { IsConstant: true, Value: 1 })], Constant: { IsConstant: true, Value: 0 } }
            && term is CallExpr { Function.Name: "floordiv" } inner && Expand(inner.Operands[1]) is { IsConstant: true } by)
        {
            return FloorDiv(inner.Operands[0], by.Constant * b);
        }
        Expr quotient = ScalarFunctions.Call("floordiv", ToExpr(rest), Ex.Extent(b));
        return ToExpr(Combine(whole, new Sum(DimExpr.Zero, [(quotient, DimExpr.One)]), 1));
    }

    /// <summary>a - b·⌊a / b⌋ for b &gt; 0.</summary>
    public static Expr Mod(Expr a, DimExpr b)
    {
        if (b is { IsConstant: true, Value: 1 }) return Ex.Zero;
        Sum sum = Expand(a);
        if (sum.IsConstant && b.IsConstant && b.Value > 0) return Ex.Extent(DimExpr.Modulo(sum.Constant, b));
        (_, Sum rest) = Split(sum, b);
        return IsWithin(rest, b) ? ToExpr(rest) : ScalarFunctions.Call("mod", ToExpr(rest), Ex.Extent(b));
    }

    /// <summary>The truth of a comparison that holds, or fails, over the whole range of the loops; null when it depends.</summary>
    public static bool? Decide(string comparison, Expr a, Expr b)
    {
        Sum difference = Combine(Expand(a), Expand(b), -1);
        if (comparison is "eq" or "ne")
        {
            if (difference.IsConstant && difference.Constant.IsConstant) return difference.Constant.Value == 0 == (comparison == "eq");
            return null;
        }
        DimExpr? low = Bound(difference, upper: false), high = Bound(difference, upper: true);
        bool AtLeast(DimExpr? value, long limit) => value is not null && (value - limit).HasOnlyNonNegativeTerms;
        bool AtMost(DimExpr? value, long limit) => value is not null && ((DimExpr)limit - value).HasOnlyNonNegativeTerms;
        return comparison switch
        {
            "lt" => AtMost(high, -1) ? true : AtLeast(low, 0) ? false : null,
            "le" => AtMost(high, 0) ? true : AtLeast(low, 1) ? false : null,
            "gt" => AtLeast(low, 1) ? true : AtMost(high, 0) ? false : null,
            "ge" => AtLeast(low, 0) ? true : AtMost(high, -1) ? false : null,
            _ => null,
        };
    }

    /// <summary>Whether an index lies in [0, extent) wherever the loops are.</summary>
    public static bool IsWithin(Expr index, DimExpr extent) => IsWithin(Expand(index), extent);

    private static bool IsWithin(Sum sum, DimExpr extent) =>
        Bound(sum, upper: false) is { HasOnlyNonNegativeTerms: true } && Bound(sum, upper: true) is { } high && (extent - DimExpr.One - high).HasOnlyNonNegativeTerms;

    /// <summary>The least or greatest value over the loops' ranges; null when unknown. Loops that do not run at all are no matter.</summary>
    private static DimExpr? Bound(Sum sum, bool upper)
    {
        DimExpr bound = sum.Constant;
        foreach ((Expr term, DimExpr factor) in sum.Terms)
        {
            bool positive = factor.HasOnlyNonNegativeTerms;
            if (!positive && !(DimExpr.Zero - factor).HasOnlyNonNegativeTerms) return null;
            if (TermBound(term, upper == positive) is not { } own) return null;
            bound += own * factor;
        }
        return bound;
    }

    private static DimExpr? TermBound(Expr term, bool upper)
    {
        switch (term)
        {
            case AxisExpr axis: return upper ? axis.Axis.Extent - DimExpr.One : DimExpr.Zero;
            case CallExpr { Function.Name: "mod" } call when Expand(call.Operands[1]) is { IsConstant: true } by: return upper ? by.Constant - DimExpr.One : DimExpr.Zero;
            case CallExpr { Function.Name: "floordiv" } call when Expand(call.Operands[1]) is { IsConstant: true } by && Bound(Expand(call.Operands[0]), upper) is { } inner:
                return inner.HasOnlyNonNegativeTerms || inner.IsConstant ? SafeFloorDiv(inner, by.Constant) : null;
            case CallExpr { Function.Name: "min" or "max" } call:
                bool takesLess = call.Function.Name == "min";
                DimExpr? a = Bound(Expand(call.Operands[0]), upper), b = Bound(Expand(call.Operands[1]), upper);
                if (takesLess == upper) return a is not null && b is not null ? takesLess ? DimExpr.Min(a, b) : DimExpr.Max(a, b) : a ?? b;
                return a is null || b is null ? null : takesLess ? DimExpr.Min(a, b) : DimExpr.Max(a, b);
            case SelectExpr select when Bound(Expand(select.WhenTrue), upper) is { } x && Bound(Expand(select.WhenFalse), upper) is { } y: return upper ? DimExpr.Max(x, y) : DimExpr.Min(x, y);
            default: return null;
        }
    }

    private static DimExpr? SafeFloorDiv(DimExpr a, DimExpr b) => b is { IsConstant: true, Value: <= 0 } ? null : DimExpr.FloorDiv(a, b);

    /// <summary>sum = b·whole + rest, with in whole what b divides.</summary>
    private static (Sum Whole, Sum Left) Split(Sum sum, DimExpr b)
    {
        List<(Expr, DimExpr)> whole = [], rest = [];
        foreach ((Expr term, DimExpr factor) in sum.Terms)
        {
            if (Quotient(factor, b) is { } quotient) whole.Add((term, quotient));
            else rest.Add((term, factor));
        }
        DimExpr constantWhole = DimExpr.Zero, constantRest = sum.Constant;
        if (Quotient(sum.Constant, b) is { } exact) (constantWhole, constantRest) = (exact, DimExpr.Zero);
        else if (b.IsConstant && sum.Constant.IsConstant) (constantWhole, constantRest) = (DimExpr.FloorDiv(sum.Constant, b), DimExpr.Modulo(sum.Constant, b));
        return (new Sum(constantWhole, whole), new Sum(constantRest, rest));
    }

    private static DimExpr? Quotient(DimExpr a, DimExpr b)
    {
        if (b.IsConstant && b.Value <= 0) return null;
        DimExpr quotient = DimExpr.FloorDiv(a, b);
        return (quotient * b).Equals(a) ? quotient : null;
    }

    private static Sum Scale(Sum sum, DimExpr factor) => factor is { IsConstant: true, Value: 0 } ? new Sum(DimExpr.Zero, [])
        : factor is { IsConstant: true, Value: 1 } ? sum : new Sum(sum.Constant * factor, [.. sum.Terms.Select(t => (t.Term, t.Factor * factor))]);

    public static Sum Combine(Sum a, Sum b, long sign)
    {
        List<(Expr Term, DimExpr Factor)> terms = [.. a.Terms];
        foreach ((Expr term, DimExpr factor) in b.Terms)
        {
            DimExpr signed = factor * sign;
            int at = terms.FindIndex(t => ExprEquality.Equal(t.Term, term));
            if (at < 0) terms.Add((term, signed));
            else terms[at] = (terms[at].Term, terms[at].Factor + signed);
        }
        terms.RemoveAll(t => t.Factor is { IsConstant: true, Value: 0 });
        return Rejoined(new Sum(a.Constant + (b.Constant * sign), terms));
    }

    /// <summary>b · ⌊a / b⌋ + a mod b is a again.</summary>
    private static Sum Rejoined(Sum sum)
    {
        for (int i = 0; i < sum.Terms.Count; i++)
        {
            if (sum.Terms[i] is not (CallExpr { Function.Name: "mod" } rest, { } factor)) continue;
            if (Expand(rest.Operands[1]) is not { IsConstant: true, Constant: { } by }) continue;
            for (int k = 0; k < sum.Terms.Count; k++)
            {
                if (sum.Terms[k] is not (CallExpr { Function.Name: "floordiv" } whole, { } times) || !times.Equals(factor * by)) continue;
                if (!ExprEquality.Equal(whole.Operands[0], rest.Operands[0]) || !ExprEquality.Equal(whole.Operands[1], rest.Operands[1])) continue;
                Sum others = new(sum.Constant, [.. sum.Terms.Where((_, t) => t != i && t != k)]);
                return Combine(others, Scale(Expand(rest.Operands[0]), factor), 1);
            }
        }
        return sum;
    }
}
