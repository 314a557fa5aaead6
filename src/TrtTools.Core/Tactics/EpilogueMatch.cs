using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>
/// A nest's <see cref="LoopNest.Result"/> in the terms of a library: activation(Scale · sum · ChannelScale + Σ Added) + Σ AddedAfter. What it cannot say is in <see cref="Problem"/>.
/// </summary>
internal sealed record EpilogueMatch
{
    public double Scale { get; private init; } = 1;

    /// <summary>Loads that the sum is multiplied by.</summary>
    public IReadOnlyList<LoadExpr> Factors { get; private init; } = [];

    /// <summary>Loads that are added before the activation.</summary>
    public IReadOnlyList<LoadExpr> Added { get; private init; } = [];

    public double Constant { get; private init; }

    public Activation Activation { get; private init; }

    /// <summary>Loads that are added after the activation.</summary>
    public IReadOnlyList<LoadExpr> AddedAfter { get; private init; } = [];

    /// <summary>Why the epilogue is none of this form; empty when it is.</summary>
    public string Problem { get; private init; } = "";

    public static EpilogueMatch Of(LoopNest nest)
    {
        // A conversion to the target's own type is what storing does.
        Expr root = nest.Result is ConvertExpr { Saturates: false } stored && stored.Target == nest.Target.Type && stored.Value.Type.IsFloat() && stored.Target.ScalarType().IsFloat() ? stored.Value : nest.Result;
        if (!root.Type.IsFloat()) return Fail("the result is no float");
        List<LoadExpr> after = [];
        while (true)
        {
            IReadOnlyList<Expr> cores = Dominators(root);
            bool known = false;
            foreach (Expr core in cores)
            {
                if (Linear(core) is not { } sum) continue;
                Activation activation = ScalarFunctionShape.Of(root, core);
                if (activation != Activation.Other) return sum with { Activation = activation, AddedAfter = after };
                known = true;
            }
            if (known) return Fail("its activation is not one that the library has");
            // activation(…) + load: the load comes off, and the rest is looked at again.
            if (root is not CallExpr { Function.Name: "add" } add) return Fail("its epilogue is more than a sum and an activation");
            if (add.Operands[1] is LoadExpr right) (root, after) = (add.Operands[0], [.. after, right]);
            else if (add.Operands[0] is LoadExpr left) (root, after) = (add.Operands[1], [.. after, left]);
            else return Fail("its epilogue is more than a sum and an activation");
        }
    }

    /// <summary>Sums with the reduction's value in them through which alone that value reaches the result, the largest first: a product may stop at one and leave the rest to another kernel.</summary>
    public static IReadOnlyList<Expr> Cores(LoopNest nest) => [.. Ex.Parts(nest.Result).Where(c => !ReferenceEquals(c, nest.Result) && c.Type == ScalarType.Float32 && Linear(c) is not null && !Reaches(nest.Result, c)).Reverse()];

    /// <summary>Whether the reduction's value reaches the root beside a part.</summary>
    private static bool Reaches(Expr root, Expr part)
    {
        HashSet<Expr> seen = new(ReferenceEqualityComparer.Instance) { part };
        return Visit(root);

        bool Visit(Expr expr) => seen.Add(expr) && (expr is ReducedExpr || expr.Operands.Any(Visit));
    }

    private static EpilogueMatch Fail(string problem) => new() { Problem = problem };

    /// <summary>The parts through which all loads and the reduction's value reach the root, innermost first; the root is the last.</summary>
    private static IReadOnlyList<Expr> Dominators(Expr root)
    {
        return [.. Ex.Parts(root).Where(part => ReferenceEquals(part, root) || OnlyThrough(root, part))];

        static bool OnlyThrough(Expr root, Expr part)
        {
            if (!Ex.Parts(part).Any(p => p is ReducedExpr)) return false;
            HashSet<Expr> seen = new(ReferenceEqualityComparer.Instance) { part };
            return Clean(root, seen);
        }

        static bool Clean(Expr expr, HashSet<Expr> seen)
        {
            if (!seen.Add(expr)) return true;
            if (expr is LoadExpr or ReducedExpr or AxisExpr or ExtentExpr) return false;
            return expr.Operands.All(o => Clean(o, seen));
        }
    }

    /// <summary>scale · sum · factors + loads + constant; null when it is not of that form.</summary>
    private static EpilogueMatch? Linear(Expr expr)
    {
        double scale = 0, constant = 0;
        List<LoadExpr> factors = [], added = [];
        bool found = false;
        return Term(expr, 1) && found ? new EpilogueMatch { Scale = scale, Factors = factors, Added = added, Constant = constant } : null;

        bool Term(Expr term, double sign)
        {
            switch (term)
            {
                case CallExpr { Function.Name: "add" } add: return Term(add.Operands[0], sign) && Term(add.Operands[1], sign);
                case CallExpr { Function.Name: "sub" } sub when sub.Operands[1] is ConstantExpr: return Term(sub.Operands[0], sign) && Term(sub.Operands[1], -sign);
                case LoadExpr load when sign == 1: added.Add(load); return true;
                case ConstantExpr number: constant += sign * number.Number; return true;
                default:
                    if (found || sign != 1) return false;
                    scale = 1;
                    found = Product(term);
                    return found;
            }
        }

        bool Product(Expr term)
        {
            switch (term)
            {
                case ReducedExpr: return true;
                case ConvertExpr { Saturates: false, Value: ReducedExpr, Target: Tensors.DataType.Float32 }: return true;
                case CallExpr { Function.Name: "mul" } mul:
                    (Expr a, Expr b) = (mul.Operands[0], mul.Operands[1]);
                    if (!Ex.Parts(a).Any(p => p is ReducedExpr)) (a, b) = (b, a);
                    if (b is ConstantExpr number) scale *= number.Number;
                    else if (b is LoadExpr load) factors.Add(load);
                    else return false;
                    return Product(a);
                case CallExpr { Function.Name: "div" } div when div.Operands[1] is ConstantExpr divisor:
                    scale /= divisor.Number;
                    return Product(div.Operands[0]);
                default: return false;
            }
        }
    }
}
