using System.Collections.Frozen;

namespace TrtTools.Lowering;

/// <summary>A function of one to three scalars: its CUDA text and what it computes, on one line of <see cref="ScalarFunctions"/>.</summary>
internal sealed record ScalarFunction(string Name, int Arity)
{
    /// <summary>CUDA C++ over a, b, c for float operands; null where floats have no such function. Names of our own helpers are in Kernels/scalar.cuh.</summary>
    public string? Float { get; init; }

    /// <summary>CUDA C++ for double operands; null: the float text with the f suffixes of constants and functions dropped.</summary>
    public string? Double { get; init; }

    /// <summary>CUDA C++ for 64-bit (or, where the extents allow it, 32-bit) integers and Booleans.</summary>
    public string? Integer { get; init; }

    /// <summary>What it computes in floating point, with NaN, ±∞ and −0 as ONNX Runtime has them.</summary>
    public Func<double, double, double, double>? OnFloat { get; init; }

    public Func<long, long, long, long>? OnInteger { get; init; }

    /// <summary>True for comparisons and tests, whose result is Boolean.</summary>
    public bool GivesBoolean { get; init; }
}

/// <summary>The scalar functions that operators are written in.</summary>
internal static class ScalarFunctions
{
    private static ScalarFunction F1(string name, string cuda, Func<double, double> compute) => new(name, 1) { Float = cuda, OnFloat = (a, _, _) => compute(a) };

    private static ScalarFunction Both(string name, int arity, string cuda, Func<double, double, double, double> onFloat, Func<long, long, long, long> onInteger, string? integer = null) =>
        new(name, arity) { Float = cuda, Integer = integer ?? cuda, OnFloat = onFloat, OnInteger = onInteger };

    private static ScalarFunction Int(string name, int arity, string cuda, Func<long, long, long, long> compute) => new(name, arity) { Integer = cuda, OnInteger = compute };

    private static ScalarFunction Test(string name, string cuda, Func<double, double, bool> onFloat, Func<long, long, bool>? onInteger) => new(name, 2)
    {
        Float = cuda, Integer = onInteger is null ? null : cuda, OnFloat = (a, b, _) => onFloat(a, b) ? 1 : 0, OnInteger = onInteger is null ? null : (a, b, _) => onInteger(a, b) ? 1 : 0, GivesBoolean = true,
    };

    private static readonly FrozenDictionary<string, ScalarFunction> s_byName = new ScalarFunction[]
    {
        Both("add", 2, "a + b", (a, b, _) => a + b, (a, b, _) => unchecked(a + b)),
        Both("sub", 2, "a - b", (a, b, _) => a - b, (a, b, _) => unchecked(a - b)),
        Both("mul", 2, "a * b", (a, b, _) => a * b, (a, b, _) => unchecked(a * b)),
        // Integer division truncates, as C has it; by zero it gives 0 on every device.
        Both("div", 2, "a / b", (a, b, _) => a / b, (a, b, _) => b == 0 ? 0 : b == -1 ? unchecked(-a) : a / b, "trt::divide(a, b)"),
        // Of index arithmetic: toward minus infinity; b > 0.
        Int("floordiv", 2, "trt::floor_divide(a, b)", (a, b, _) => (a / b) - (a % b < 0 ? 1 : 0)),
        Both("neg", 1, "-a", (a, _, _) => -a, (a, _, _) => unchecked(-a)),
        Both("abs", 1, "fabsf(a)", (a, _, _) => Math.Abs(a), (a, _, _) => a < 0 ? unchecked(-a) : a, "a < 0 ? -a : a"),
        // NaN wins, unlike in fminf and fmaxf.
        Both("min", 2, "trt::minimum(a, b)", (a, b, _) => Math.Min(a, b), (a, b, _) => Math.Min(a, b), "a < b ? a : b"),
        Both("max", 2, "trt::maximum(a, b)", (a, b, _) => Math.Max(a, b), (a, b, _) => Math.Max(a, b), "a > b ? a : b"),
        Both("sign", 1, "trt::sign(a)", (a, _, _) => double.IsNaN(a) ? a : Math.Sign(a), (a, _, _) => Math.Sign(a), "(a > 0) - (a < 0)"),
        // mod has the divisor's sign, fmod the dividend's.
        Both("mod", 2, "trt::modulo(a, b)", (a, b, _) => { double r = a % b; return r != 0 && (r < 0) != (b < 0) ? r + b : r; }, (a, b, _) => b is 0 or -1 ? 0 : ((a % b) + b) % b),
        Both("fmod", 2, "fmodf(a, b)", (a, b, _) => a % b, (a, b, _) => b is 0 or -1 ? 0 : a % b, "trt::remainder(a, b)"),
        Both("pow", 2, "trt::power(a, b)", (a, b, _) => Math.Pow(a, b), (a, b, _) => Power(a, b)),
        F1("sqrt", "sqrtf(a)", Math.Sqrt), F1("rsqrt", "rsqrtf(a)", a => 1 / Math.Sqrt(a)), F1("exp", "expf(a)", Math.Exp), F1("log", "logf(a)", Math.Log),
        F1("log1p", "log1pf(a)", a => Math.Abs(a) < 1e-5 ? a - (a * a / 2) : Math.Log(1 + a)),
        F1("expm1", "expm1f(a)", a => Math.Abs(a) < 1e-5 ? a + (a * a / 2) : Math.Exp(a) - 1),
        F1("tanh", "tanhf(a)", Math.Tanh), F1("erf", "erff(a)", Erf), F1("sin", "sinf(a)", Math.Sin), F1("cos", "cosf(a)", Math.Cos), F1("tan", "tanf(a)", Math.Tan),
        F1("asin", "asinf(a)", Math.Asin), F1("acos", "acosf(a)", Math.Acos), F1("atan", "atanf(a)", Math.Atan), F1("sinh", "sinhf(a)", Math.Sinh), F1("cosh", "coshf(a)", Math.Cosh),
        F1("asinh", "asinhf(a)", Math.Asinh), F1("acosh", "acoshf(a)", Math.Acosh), F1("atanh", "atanhf(a)", Math.Atanh),
        F1("floor", "floorf(a)", Math.Floor), F1("ceil", "ceilf(a)", Math.Ceiling), F1("round", "rintf(a)", a => Math.Round(a, MidpointRounding.ToEven)), F1("trunc", "truncf(a)", Math.Truncate),
        Test("lt", "a < b", (a, b) => a < b, (a, b) => a < b), Test("le", "a <= b", (a, b) => a <= b, (a, b) => a <= b), Test("gt", "a > b", (a, b) => a > b, (a, b) => a > b),
        Test("ge", "a >= b", (a, b) => a >= b, (a, b) => a >= b), Test("eq", "a == b", (a, b) => a == b, (a, b) => a == b), Test("ne", "a != b", (a, b) => a != b, (a, b) => a != b),
        new("isnan", 1) { Float = "a != a", OnFloat = (a, _, _) => double.IsNaN(a) ? 1 : 0, GivesBoolean = true },
        new("isinf", 1) { Float = "isinf(a)", OnFloat = (a, _, _) => double.IsInfinity(a) ? 1 : 0, GivesBoolean = true },
        // On Booleans and bits alike.
        Int("and", 2, "a & b", (a, b, _) => a & b), Int("or", 2, "a | b", (a, b, _) => a | b), Int("xor", 2, "a ^ b", (a, b, _) => a ^ b), Int("bitnot", 1, "~a", (a, _, _) => ~a),
        new("not", 1) { Integer = "!a", OnInteger = (a, _, _) => a == 0 ? 1 : 0, GivesBoolean = true },
        Int("shl", 2, "trt::shift_left(a, b)", (a, b, _) => (ulong)b > 63 ? 0 : a << (int)b), Int("shr", 2, "trt::shift_right(a, b)", (a, b, _) => (ulong)b > 63 ? 0 : (long)((ulong)a >> (int)b)),
    }.ToFrozenDictionary(f => f.Name, StringComparer.Ordinal);

    public static IEnumerable<ScalarFunction> All => s_byName.Values.OrderBy(f => f.Name, StringComparer.Ordinal);

    public static ScalarFunction Find(string name) => s_byName[name];

    /// <summary>A call; the operands have one type, Booleans counting as integers.</summary>
    public static Expr Call(string name, params IReadOnlyList<Expr> arguments)
    {
        ScalarFunction function = s_byName[name];
        if (arguments.Count != function.Arity) throw new ArgumentException($"{name} takes {function.Arity} operands, not {arguments.Count}.");
        ScalarType type = arguments[0].Type;
        if (arguments.Any(a => a.Type != type)) throw new ArgumentException($"{name} takes operands of one type: {string.Join(", ", arguments.Select(a => a.Type))}.");
        if ((type.IsFloat() ? function.Float : function.Integer) is null) throw new ArgumentException($"{name} does not take {type}.");
        return new CallExpr(function, function.GivesBoolean ? ScalarType.Bool : type, arguments);
    }

    private static long Power(long value, long exponent)
    {
        if (exponent < 0) return value switch { 1 => 1, -1 => exponent % 2 == 0 ? 1 : -1, _ => 0 };
        long result = 1;
        for (; exponent > 0; exponent >>= 1, value = unchecked(value * value))
        {
            if ((exponent & 1) != 0) result = unchecked(result * value);
        }
        return result;
    }

    /// <summary>To double precision: a series near 0, a continued fraction of erfc beyond.</summary>
    private static double Erf(double x)
    {
        double size = Math.Abs(x);
        if (double.IsNaN(x) || size > 6) return double.IsNaN(x) ? x : Math.Sign(x);
        if (size < 2.5)
        {
            double sum = x, term = x;
            for (int n = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); n++)
            {
                term *= -x * x / n;
                sum += term / ((2 * n) + 1);
            }
            return sum * 2 / Math.Sqrt(Math.PI);
        }
        double fraction = 0;
        for (int k = 60; k > 0; k--) fraction = k / 2.0 / (size + fraction);
        return Math.Sign(x) * (1 - (Math.Exp(-x * x) / (Math.Sqrt(Math.PI) * (size + fraction))));
    }
}
