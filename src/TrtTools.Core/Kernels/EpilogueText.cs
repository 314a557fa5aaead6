using System.Globalization;
using System.Text;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// A nest's <see cref="LoopNest.Result"/> as the function that epilogue.cuh wants: of the sum and of up to four loads. Results that are stored in 16 or 8 bits are computed with
/// functions that are exact to more digits than those keep.
/// </summary>
internal sealed record EpilogueText(string Function, IReadOnlyList<LoadExpr> Loads)
{
    public const int MaxLoads = 4;

    /// <summary>What stands for the function where another form of the epilogue is used.</summary>
    public static EpilogueText None { get; } = new("static __device__ __forceinline__ float trt_epilogue(int, float, float, float, float, int, int, int) { return 0.f; }\n", []);

    /// <summary>Null with the reason where the result is more than a function of the sum and of a few loads.</summary>
    public static EpilogueText? Of(LoopNest nest, bool integerSum, out string reason)
    {
        reason = "";
        // What storing does anyway.
        Expr root = nest.Result is ConvertExpr stored && stored.Target == nest.Target.Type && stored.Value.Type == ScalarType.Float32 && (stored.Saturates ? stored.Target == DataType.Int8 : stored.Target.ScalarType().IsFloat())
            ? stored.Value : nest.Result;
        bool fast = nest.Target.Type is DataType.Float16 or DataType.BFloat16 or DataType.Int8;
        root = Shortened(root, fast, nest.Target.Type == DataType.Int8);
        if (root.Type != ScalarType.Float32) return Fail($"its result is computed as {root.Type}", out reason);
        if (ElementName(nest.Target.Type) is null) return Fail($"it does not store {nest.Target.Type}", out reason);
        if (Ex.Parts(root).Any(p => p is AxisExpr or ExtentExpr && !IsIndex(root, p))) return Fail("its epilogue depends on the place", out reason);
        List<LoadExpr> loads = [];
        Dictionary<Expr, string> names = new(ReferenceEqualityComparer.Instance);
        StringBuilder body = new();
        foreach (Expr part in Ex.Parts(root).Where(p => p is not (AxisExpr or ExtentExpr) && !IsIndex(root, p)))
        {
            string type = part.Type switch { ScalarType.Float32 => "float", ScalarType.Bool => "bool", ScalarType.Int64 => "int", _ => "" };
            if (type.Length == 0) return Fail($"its epilogue computes in {part.Type}", out reason);
            string name = string.Create(CultureInfo.InvariantCulture, $"v{names.Count}");
            switch (part)
            {
                case ConstantExpr constant:
                    names[part] = ElementText.Number(constant.Number, constant.Integer, constant.Type, narrow: true);
                    continue;
                case ReducedExpr:
                    if (integerSum != (part.Type == ScalarType.Int64)) return Fail("its sum is of another type than its operands", out reason);
                    names[part] = "acc";
                    continue;
                case LoadExpr load:
                    int at = loads.FindIndex(l => ExprEquality.Equal(l, load));
                    if (at < 0)
                    {
                        if (ElementName(load.Source.Type) is null) return Fail($"its epilogue reads {load.Source.Type}", out reason);
                        if (loads.Count == MaxLoads) return Fail($"its epilogue reads more than {MaxLoads} tensors", out reason);
                        at = loads.Count;
                        loads.Add(load);
                    }
                    string operand = "e" + at.ToString(CultureInfo.InvariantCulture);
                    names[part] = part.Type == ScalarType.Int64 ? "(int)" + operand : operand;
                    continue;
                case CallExpr when fast && GeluOf(part) is { } argument:
                    body.Append(CultureInfo.InvariantCulture, $"    const float {name} = tc::gelu_fast({names[argument]});\n");
                    break;
                case CallExpr call:
                    string? text = fast && call.Operands[0].Type == ScalarType.Float32 ? Fast(call.Function.Name) : null;
                    text ??= call.Operands[0].Type == ScalarType.Float32 ? call.Function.Float : call.Function.Integer;
                    if (text is null) return Fail($"its epilogue has {call.Function.Name} of {call.Operands[0].Type}", out reason);
                    body.Append(CultureInfo.InvariantCulture, $"    {type} {name}; {{ ");
                    for (int i = 0; i < call.Operands.Count; i++)
                    {
                        string operandType = call.Operands[i].Type switch { ScalarType.Float32 => "float", ScalarType.Bool => "bool", _ => "int" };
                        body.Append(CultureInfo.InvariantCulture, $"const {operandType} {(char)('a' + i)} = {names[call.Operands[i]]}; ");
                    }
                    body.Append(CultureInfo.InvariantCulture, $"{name} = {text}; }}\n");
                    break;
                case SelectExpr select:
                    body.Append(CultureInfo.InvariantCulture, $"    const {type} {name} = {names[select.Condition]} ? {names[select.WhenTrue]} : {names[select.WhenFalse]};\n");
                    break;
                case ConvertExpr convert:
                    if (Conversion(convert) is not { } converted) return Fail($"its epilogue converts {convert.Value.Type} to {convert.Target}", out reason);
                    body.Append(CultureInfo.InvariantCulture, $"    const {type} {name} = {converted.Replace("@", names[convert.Value], StringComparison.Ordinal)};\n");
                    break;
                default:
                    return Fail("its epilogue depends on the place", out reason);
            }
            names[part] = name;
        }
        string function = $"static __device__ __forceinline__ float trt_epilogue({(integerSum ? "int" : "float")} acc, float e0, float e1, float e2, float e3, int batch, int row, int col)\n{{\n{body}    return {names[root]};\n}}\n";
        return new EpilogueText(function, loads);
    }

    /// <summary>The same value in fewer instructions: a conversion to integers rounds by itself, x where it is not below 0 is a maximum, and narrow results are divided by a number by way of its inverse.</summary>
    private static Expr Shortened(Expr root, bool fast, bool roundsWhenStored)
    {
        Ex.Rewriter? self = null;
        Ex.Rewriter rewriter = new(expr => expr switch
        {
            ConvertExpr { Target: DataType.Int8, Saturates: true, Value: CallExpr { Function.Name: "round" } rounded } => new ConvertExpr(DataType.Int8, self!.Apply(rounded.Operands[0]), saturates: true),
            SelectExpr { Condition: CallExpr { Function.Name: "lt" } below, WhenTrue: ConstantExpr { Number: 0, Type: ScalarType.Float32 } } choice
                when ReferenceEquals(below.Operands[0], choice.WhenFalse) && below.Operands[1] is ConstantExpr { Number: 0 } => Ex.Max(self!.Apply(choice.WhenFalse), choice.WhenTrue),
            CallExpr { Function.Name: "div", Type: ScalarType.Float32 } quotient when fast && quotient.Operands[1] is ConstantExpr { Number: var by } && by != 0 && double.IsNormal(1 / by) =>
                Ex.Call("mul", self!.Apply(quotient.Operands[0]), Ex.Number((float)(1 / by))),
            _ => null,
        });
        self = rewriter;
        return rewriter.Apply(roundsWhenStored && root is CallExpr { Function.Name: "round" } last ? last.Operands[0] : root);
    }

    /// <summary>An element in memory, as types.cuh has it; null where epilogues have none.</summary>
    public static string? ElementName(DataType type) => type switch { DataType.Float32 => "float", DataType.Float16 => "tc::f16", DataType.BFloat16 => "tc::bf16", DataType.Int8 => "tc::s8", _ => null };

    /// <summary>x where an expression is x · (1 + erf(x / √2)) / 2, its factors in any order.</summary>
    private static Expr? GeluOf(Expr expr)
    {
        List<Expr> factors = [];
        double constant = 1;
        Collect(expr);
        if (factors.Count != 2 || Math.Abs(constant - 0.5) > 1e-6) return null;
        foreach ((Expr x, Expr other) in new[] { (factors[0], factors[1]), (factors[1], factors[0]) })
        {
            if (other is CallExpr { Function.Name: "add" } sum && (IsOne(sum.Operands[0]) ? sum.Operands[1] : IsOne(sum.Operands[1]) ? sum.Operands[0] : null) is CallExpr { Function.Name: "erf" } erf
                && erf.Operands[0] is CallExpr { Function.Name: "mul", Operands: [Expr a, Expr b] } && (a, b) is (ConstantExpr, _) or (_, ConstantExpr))
            {
                (ConstantExpr by, Expr argument) = a is ConstantExpr left ? (left, b) : ((ConstantExpr)b, a);
                if (Math.Abs(by.Number - Math.Sqrt(0.5)) < 1e-6 && ExprEquality.Equal(x, argument)) return x;
            }
        }
        return null;

        static bool IsOne(Expr e) => e is ConstantExpr { Number: 1, Type: ScalarType.Float32 };

        void Collect(Expr e)
        {
            if (e is CallExpr { Function.Name: "mul", Type: ScalarType.Float32 } product)
            {
                foreach (Expr operand in product.Operands) Collect(operand);
            }
            else if (e is ConstantExpr { Type: ScalarType.Float32 } number) constant *= number.Number;
            else factors.Add(e);
        }
    }

    private static string? Fast(string function) => function switch
    {
        "erf" => "tc::erf_fast(a)", "exp" => "tc::exp_fast(a)", "div" => "__fdividef(a, b)", "tanh" => "1.f - __fdividef(2.f, tc::exp_fast(2.f * a) + 1.f)", _ => null,
    };

    private static string? Conversion(ConvertExpr convert) => (convert.Target, convert.Value.Type, convert.Saturates) switch
    {
        (DataType.Float32, _, false) => "(float)@",
        (DataType.Float16, ScalarType.Float32, false) => "tc::rounded<tc::f16>(@)",
        (DataType.BFloat16, ScalarType.Float32, false) => "tc::rounded<tc::bf16>(@)",
        (DataType.Int8, ScalarType.Float32, true) => "tc::quantized(@)",
        (DataType.Int32 or DataType.Int64, ScalarType.Int64, _) => "@",
        _ => null,
    };

    /// <summary>Whether a part is reached through the indices of loads alone.</summary>
    private static bool IsIndex(Expr root, Expr part)
    {
        HashSet<Expr> values = new(ReferenceEqualityComparer.Instance);
        Visit(root);
        return !values.Contains(part);

        void Visit(Expr expr)
        {
            if (!values.Add(expr) || expr is LoadExpr) return;
            foreach (Expr operand in expr.Operands) Visit(operand);
        }
    }

    private static EpilogueText? Fail(string why, out string reason)
    {
        reason = why;
        return null;
    }
}
