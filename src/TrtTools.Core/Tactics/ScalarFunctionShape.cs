using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>Functions of one number that libraries know by name.</summary>
internal enum Activation
{
    None, Relu, Sigmoid, Tanh, Silu, GeluErf, GeluTanh,
    /// <summary>Something else.</summary>
    Other,
}

/// <summary>Recognises what an expression computes of one of its parts by computing it: however it is written, the same function gives the same numbers.</summary>
internal static class ScalarFunctionShape
{
    private static readonly (Activation Kind, Func<double, double> Compute)[] Known =
    [
        (Activation.None, x => x), (Activation.Relu, x => Math.Max(x, 0)), (Activation.Sigmoid, Sigmoid), (Activation.Tanh, Math.Tanh), (Activation.Silu, x => x * Sigmoid(x)),
        (Activation.GeluErf, x => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)))), (Activation.GeluTanh, x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))),
    ];

    // Models write their constants as floats; the two forms of GELU differ by up to 4e-4.
    private const double Tolerance = 2e-6;

    /// <summary>The function of <paramref name="variable"/> that <paramref name="root"/> is; Other when it is none of the known ones or depends on anything else.</summary>
    public static Activation Of(Expr root, Expr variable)
    {
        if (ReferenceEquals(root, variable)) return Activation.None;
        double[] points = [.. Enumerable.Range(-40, 81).Select(i => i * 0.2 + 0.013), -65000, -1000, -100, -30, 30, 100, 1000, 65000];
        double[] values = new double[points.Length];
        for (int i = 0; i < points.Length; i++)
        {
            if (Evaluate(root, variable, points[i]) is not { } value) return Activation.Other;
            values[i] = value;
        }
        foreach ((Activation kind, Func<double, double> compute) in Known)
        {
            bool same = true;
            for (int i = 0; same && i < points.Length; i++)
            {
                double expected = compute(points[i]);
                same = Math.Abs(values[i] - expected) <= Tolerance * Math.Max(1, Math.Abs(expected));
            }
            if (same) return kind;
        }
        return Activation.Other;
    }

    /// <summary>The expression's value where <paramref name="variable"/> has the given one; null when it reads anything beside that.</summary>
    public static double? Evaluate(Expr root, Expr variable, double value)
    {
        Dictionary<Expr, double?> done = new(ReferenceEqualityComparer.Instance) { [variable] = value };
        return Visit(root);

        double? Visit(Expr expr)
        {
            if (done.TryGetValue(expr, out double? known)) return known;
            double? result = expr switch
            {
                ConstantExpr constant => constant.Type.IsFloat() ? constant.Number : constant.Integer,
                CallExpr call => Call(call),
                SelectExpr select => Visit(select.Condition) is { } truth ? truth != 0 ? Visit(select.WhenTrue) : Visit(select.WhenFalse) : null,
                // Rounding to a narrower float is no function that libraries compute between steps; to the same it is nothing.
                ConvertExpr { Saturates: false, Target: Tensors.DataType.Float32, Value: { } inner } when inner.Type == ScalarType.Float32 => Visit(inner),
                _ => null,
            };
            done.Add(expr, result);
            return result;
        }

        double? Call(CallExpr call)
        {
            double?[] arguments = [.. call.Operands.Select(Visit)];
            if (arguments.Any(a => a is null)) return null;
            double At(int i) => i < arguments.Length ? arguments[i]!.Value : 0;
            if (call.Operands[0].Type.IsFloat()) return call.Function.OnFloat?.Invoke(At(0), At(1), At(2));
            return call.Function.OnInteger is { } integer ? integer((long)At(0), (long)At(1), (long)At(2)) : null;
        }
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static double Erf(double x) => ScalarFunctions.Find("erf").OnFloat!(x, 0, 0);
}
