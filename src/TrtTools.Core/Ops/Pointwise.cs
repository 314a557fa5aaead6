using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Operators that compute each element from the elements at its place.</summary>
internal static class Pointwise
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Abs", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("abs(x)").Shape(Unary).With(OperatorTraits.Idempotent),
        new OperatorDefinition("Relu", "1 6 13 14", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("x < 0 ? 0 : x").Shape(Unary).With(OperatorTraits.Idempotent | OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Ceil", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Float).Computes("ceil(x)").Shape(Unary).With(OperatorTraits.Idempotent),
        new OperatorDefinition("Floor", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Float).Computes("floor(x)").Shape(Unary).With(OperatorTraits.Idempotent),
        new OperatorDefinition("Round", "11 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("round(x)").Shape(Unary).With(OperatorTraits.Idempotent),
        new OperatorDefinition("Sign", "9 13", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Numeric).Computes("sign(x)").Shape(Unary).With(OperatorTraits.Idempotent),
        new OperatorDefinition("Neg", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5").Of(ElementClass.Numeric).Computes("-x").Shape(Unary),
        new OperatorDefinition("Reciprocal", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5").Of(ElementClass.Float).Computes("1 / x").Shape(Unary),
        new OperatorDefinition("Sqrt", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5").Of(ElementClass.Float).Computes("sqrt(x)").Shape(Unary),
        new OperatorDefinition("Exp", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5").Of(ElementClass.Float).Computes("exp(x)").Shape(Unary),
        new OperatorDefinition("Log", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5").Of(ElementClass.Float).Computes("log(x)").Shape(Unary),
        new OperatorDefinition("Erf", "9 13", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("erf(x)").Shape(Unary),
        new OperatorDefinition("Sin", "7 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("sin(x)").Shape(Unary),
        new OperatorDefinition("Cos", "7 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("cos(x)").Shape(Unary),
        new OperatorDefinition("Tan", "7 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("tan(x)").Shape(Unary),
        new OperatorDefinition("Asin", "7 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("asin(x)").Shape(Unary),
        new OperatorDefinition("Acos", "7 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("acos(x)").Shape(Unary),
        new OperatorDefinition("Atan", "7 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("atan(x)").Shape(Unary),
        new OperatorDefinition("Sinh", "9 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("sinh(x)").Shape(Unary),
        new OperatorDefinition("Cosh", "9 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("cosh(x)").Shape(Unary),
        new OperatorDefinition("Tanh", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5").Of(ElementClass.Float).Computes("tanh(x)").Shape(Unary),
        new OperatorDefinition("Asinh", "9 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("asinh(x)").Shape(Unary),
        new OperatorDefinition("Acosh", "9 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("acosh(x)").Shape(Unary),
        new OperatorDefinition("Atanh", "9 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("atanh(x)").Shape(Unary),
        new OperatorDefinition("Sigmoid", "1 6 13", ComputeForm.Pointwise, "1", "1", "consumed_inputs:ints@-5").Of(ElementClass.Float).Computes("1 / (1 + exp(-x))").Shape(Unary),
        new OperatorDefinition("HardSigmoid", "1 6 22", ComputeForm.Pointwise, "1", "1", "alpha:float=0.2 beta:float=0.5 consumed_inputs:ints@-5")
            .Of(ElementClass.Float).Computes("max(0, min(1, alpha * x + beta))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("HardSwish", "14 22", ComputeForm.Pointwise, "1", "1")
            .Of(ElementClass.Float).Computes("x * max(0, min(1, x / 6 + 0.5))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Elu", "1 6 22", ComputeForm.Pointwise, "1", "1", "alpha:float=1.0 consumed_inputs:ints@-5")
            .Of(ElementClass.Float).Computes("x < 0 ? alpha * expm1(x) : x").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Celu", "12 28", ComputeForm.Pointwise, "1", "1", "alpha:float=1.0")
            .Of(ElementClass.Float).Computes("max(0, x) + min(0, alpha * expm1(x / alpha))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Selu", "1 6 22", ComputeForm.Pointwise, "1", "1", "alpha:float=1.6732@-5 alpha:float=1.67326@6- consumed_inputs:ints@-5 gamma:float=1.0507")
            .Of(ElementClass.Float).Computes("gamma * (x > 0 ? x : alpha * expm1(x))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("LeakyRelu", "1 6 16", ComputeForm.Pointwise, "1", "1", "alpha:float=0.01 consumed_inputs:ints@-5")
            .Of(ElementClass.Float).Computes("x >= 0 ? x : alpha * x").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("ThresholdedRelu", "10 22", ComputeForm.Pointwise, "1", "1", "alpha:float=1.0")
            .Of(ElementClass.Float).Computes("x > alpha ? x : 0").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Softplus", "1 22", ComputeForm.Pointwise, "1", "1")
            .Of(ElementClass.Float).Computes("x > 0 ? x + log1p(exp(-x)) : log1p(exp(x))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Softsign", "1 22", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Float).Computes("x / (1 + abs(x))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Mish", "18 22", ComputeForm.Pointwise, "1", "1")
            .Of(ElementClass.Float).Computes("x * tanh(x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Gelu", "20", ComputeForm.Pointwise, "1", "1", "approximate:string=none")
            .Of(ElementClass.Float).Computes("approximate == \"tanh\" ? 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))) : 0.5 * x * (1 + erf(x * 0.7071067811865476))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Swish", "24", ComputeForm.Pointwise, "1", "1", "alpha:float=1.0")
            .Of(ElementClass.Float).Computes("x / (1 + exp(-alpha * x))").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Shrink", "9", ComputeForm.Pointwise, "1", "1", "bias:float=0.0 lambd:float=0.5")
            .Of(ElementClass.Numeric).Computes("x < -lambd ? x + bias : x > lambd ? x - bias : 0").Shape(Unary).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("BitwiseNot", "18", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Integer).Computes("bitnot(x)").Shape(Unary),
        new OperatorDefinition("Not", "1", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Bool).Computes("!x").Shape(Unary),
        new OperatorDefinition("SwiGLU", "28", ComputeForm.Pointwise, "2", "1", "alpha:float=1.0").Of(ElementClass.Float).Shape(SwiGlu).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Clip", "1 6 11 12 13", ComputeForm.Pointwise, "1 11:1-3", "1",
            "consumed_inputs:ints@-5 max:float@-5 max:float=3.402823e+38@6-10 min:float@-5 min:float=-3.402823e+38@6-10")
            .Of(ElementClass.Numeric).Computes("min(max(x, y ?? min ?? -inf), z ?? max ?? inf)").Shape(Unary).With(OperatorTraits.Idempotent | OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Add", "1 6 7 13 14", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6 consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("x + y").Shape(Arithmetic).Quantizes(0, 1).With(OperatorTraits.Commutative),
        new OperatorDefinition("Mul", "1 6 7 13 14", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6 consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("x * y").Shape(Arithmetic).Quantizes(0, 1).With(OperatorTraits.Commutative),
        new OperatorDefinition("Sub", "1 6 7 13 14", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6 consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("x - y").Shape(Arithmetic).Quantizes(0, 1),
        new OperatorDefinition("Div", "1 6 7 13 14", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6 consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("x / y").Shape(Arithmetic).Quantizes(0, 1),
        new OperatorDefinition("Mod", "10 13", ComputeForm.Pointwise, "2", "1", "fmod:int=0").Of(ElementClass.Numeric).Computes("fmod != 0 ? fmod(x, y) : x % y").Shape(Arithmetic),
        new OperatorDefinition("Pow", "1 7 12 13 15", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6").Of(ElementClass.Numeric).Computes("pow(x, y)").Shape(Arithmetic),
        new OperatorDefinition("BitShift", "11", ComputeForm.Pointwise, "2", "1", "direction:string!")
            .Of(ElementClass.Integer).Computes("direction == \"LEFT\" ? shl(x, y) : shr(x, y)").Shape(Arithmetic),
        new OperatorDefinition("BitwiseAnd", "18", ComputeForm.Pointwise, "2", "1").Of(ElementClass.Integer).Computes("and(x, y)").Shape(Arithmetic).With(OperatorTraits.Commutative),
        new OperatorDefinition("BitwiseOr", "18", ComputeForm.Pointwise, "2", "1").Of(ElementClass.Integer).Computes("or(x, y)").Shape(Arithmetic).With(OperatorTraits.Commutative),
        new OperatorDefinition("BitwiseXor", "18", ComputeForm.Pointwise, "2", "1").Of(ElementClass.Integer).Computes("xor(x, y)").Shape(Arithmetic).With(OperatorTraits.Commutative),
        new OperatorDefinition("Max", "1 6 8 12 13", ComputeForm.Pointwise, "1-*", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("max(...)").Shape(Arithmetic).With(OperatorTraits.Commutative),
        new OperatorDefinition("Min", "1 6 8 12 13", ComputeForm.Pointwise, "1-*", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("min(...)").Shape(Arithmetic).With(OperatorTraits.Commutative),
        new OperatorDefinition("Sum", "1 6 8 13", ComputeForm.Pointwise, "1-*", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Float).Computes("add(...)").Shape(Arithmetic).Quantizes(0, 1).With(OperatorTraits.Commutative),
        new OperatorDefinition("Mean", "1 6 8 13", ComputeForm.Pointwise, "1-*", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Float).Computes("add(...) / count").Shape(Arithmetic).With(OperatorTraits.Commutative),
        new OperatorDefinition("And", "1 7", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6")
            .Of(ElementClass.Bool).Computes("x && y").Shape(Comparison).With(OperatorTraits.Commutative),
        new OperatorDefinition("Or", "1 7", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6")
            .Of(ElementClass.Bool).Computes("x || y").Shape(Comparison).With(OperatorTraits.Commutative),
        new OperatorDefinition("Xor", "1 7", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6")
            .Of(ElementClass.Bool).Computes("xor(x, y)").Shape(Comparison).With(OperatorTraits.Commutative),
        new OperatorDefinition("Equal", "1 7 11 13 19", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6").Computes("x == y").Shape(Comparison).With(OperatorTraits.Commutative),
        new OperatorDefinition("Greater", "1 7 9 13", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6").Of(ElementClass.Numeric).Computes("x > y").Shape(Comparison),
        new OperatorDefinition("GreaterOrEqual", "12 16", ComputeForm.Pointwise, "2", "1").Of(ElementClass.Numeric).Computes("x >= y").Shape(Comparison).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Less", "1 7 9 13", ComputeForm.Pointwise, "2", "1", "axis:int@-6 broadcast:int=0@-6").Of(ElementClass.Numeric).Computes("x < y").Shape(Comparison),
        new OperatorDefinition("LessOrEqual", "12 16", ComputeForm.Pointwise, "2", "1").Of(ElementClass.Numeric).Computes("x <= y").Shape(Comparison).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("PRelu", "1 6 7 9 16", ComputeForm.Pointwise, "2", "1", "consumed_inputs:ints@-5")
            .Of(ElementClass.Numeric).Computes("x < 0 ? x * y : x").Shape(Arithmetic).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Where", "9 16", ComputeForm.Pointwise, "3", "1").Of(ElementClass.Bool).Computes("x ? y : z").Shape(Where),
        new OperatorDefinition("IsNaN", "9 13 20", ComputeForm.Pointwise, "1", "1").Of(ElementClass.Numeric).Computes("isnan(x)").Shape(SameBool),
        new OperatorDefinition("IsInf", "10 20", ComputeForm.Pointwise, "1", "1", "detect_negative:int=1 detect_positive:int=1")
            .Of(ElementClass.Numeric).Computes("(detect_positive && x == inf) || (detect_negative && x == -inf)").Shape(SameBool),
        new OperatorDefinition("Cast", "1 6 9 13 19 21 23 24 25", ComputeForm.Pointwise, "1", "1", "round_mode:string=up@24- saturate:int=1@19- to:string!@-5 to:int!@6-").Shape(Cast),
        new OperatorDefinition("CastLike", "15 19 21 23 24 25", ComputeForm.Pointwise, "2", "1", "round_mode:string=up@24- saturate:int=1@19-")
            .Shape(CastLike).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("BitCast", "26", ComputeForm.Pointwise, "1", "1", "to:int!").Shape(BitCast),
        new OperatorDefinition("Dropout", "1 6 7 10 12 13 22", ComputeForm.Pointwise, "1 12:1-3", "1-2", "consumed_inputs:ints@-5 is_test:int=0@-6 ratio:float=0.5@-11 seed:int@12-")
            .Of(ElementClass.Numeric).Shape(Dropout),
    ];

    private static void Unary(InferenceContext context)
    {
        Same(context);
        Func<DimExpr?, DimExpr?>? operation = context.Node.OpType switch
        {
            "Neg" => static x => Dims.Subtract(DimExpr.Zero, x),
            "Abs" => static x => x is { IsConstant: true } ? Dims.Max(x, Dims.Subtract(DimExpr.Zero, x)) : ContentRules.IsNonNegative(x) ? x : null,
            "Relu" => static x => Dims.Max(x, DimExpr.Zero),
            "Floor" or "Ceil" or "Round" => static x => x,
            "Not" => static x => ContentRules.ToBool(x) is { } value ? ContentRules.FromBool(!value) : null,
            _ => null,
        };
        if (operation is not null) ContentRules.Elementwise(context, context.Shape(0), operands => operation(operands[0]));
    }

    private static void Arithmetic(InferenceContext context)
    {
        SymbolicShape? shape = BroadcastInputs(context);
        DataType type = context.ElementType(0);
        context.Set(0, type, shape);
        if (context.Opset < 7) return;
        bool isFloat = type.IsFloatingPoint();
        Func<DimExpr?, DimExpr?, DimExpr?>? operation = context.Node.OpType switch
        {
            "Add" or "Sum" => Dims.Add,
            "Sub" => Dims.Subtract,
            "Mul" => Dims.Multiply,
            "Div" => isFloat ? ExactQuotient : TruncatedQuotient,
            "Max" => Dims.Max,
            "Min" => Dims.Min,
            "Mod" when context.View.Int("fmod", 0) == 0 => Dims.Modulo,
            _ => null,
        };
        if (operation is not null) ContentRules.Elementwise(context, shape, operands => operands.Skip(1).Aggregate(operands[0], operation));
    }

    // Integer division truncates; it equals the floor when neither side is negative.
    private static DimExpr? TruncatedQuotient(DimExpr? a, DimExpr? b)
    {
        if (a is { IsConstant: true } && b is { IsConstant: true }) return b.Value == 0 || (a.Value == long.MinValue && b.Value == -1) ? null : a.Value / b.Value;
        return ContentRules.IsNonNegative(a) && ContentRules.IsNonNegative(b) ? Dims.FloorDiv(a, b) : null;
    }

    private static DimExpr? ExactQuotient(DimExpr? a, DimExpr? b)
    {
        DimExpr? quotient = Dims.FloorDiv(a, b);
        return quotient is not null && a!.Equals(Dims.Multiply(quotient, b)) ? quotient : null;
    }

    private static void Comparison(InferenceContext context)
    {
        SymbolicShape? shape = BroadcastInputs(context);
        context.Set(0, DataType.Bool, shape);
        if (context.Opset < 7) return;
        Func<DimExpr, DimExpr, bool?>? operation = context.Node.OpType switch
        {
            "Equal" => static (a, b) => a.Equals(b) ? true : Difference(a, b) is { } d ? d == 0 : null,
            "Greater" => static (a, b) => Difference(a, b) is { } d ? d > 0 : null,
            "GreaterOrEqual" => static (a, b) => Difference(a, b) is { } d ? d >= 0 : null,
            "Less" => static (a, b) => Difference(a, b) is { } d ? d < 0 : null,
            "LessOrEqual" => static (a, b) => Difference(a, b) is { } d ? d <= 0 : null,
            "And" => static (a, b) => (ContentRules.ToBool(a), ContentRules.ToBool(b)) switch { (false, _) or (_, false) => false, (true, true) => true, _ => null },
            "Or" => static (a, b) => (ContentRules.ToBool(a), ContentRules.ToBool(b)) switch { (true, _) or (_, true) => true, (false, false) => false, _ => null },
            "Xor" => static (a, b) => ContentRules.ToBool(a) ^ ContentRules.ToBool(b),
            _ => null,
        };
        if (operation is null) return;
        ContentRules.Elementwise(context, shape, operands =>
            operands[0] is { } a && operands[1] is { } b && operation(a, b) is { } value ? ContentRules.FromBool(value) : null);
    }

    // A constant difference decides a comparison whatever the symbols are.
    private static long? Difference(DimExpr a, DimExpr b) => Dims.Subtract(a, b) is { IsConstant: true } difference ? difference.Value : null;

    private static void Where(InferenceContext context)
    {
        SymbolicShape? shape = BroadcastInputs(context);
        context.Set(0, context.ElementType(1), shape);
        ContentRules.Elementwise(context, shape, operands => ContentRules.ToBool(operands[0]) switch
        {
            true => operands[1],
            false => operands[2],
            null => Dims.Meet(operands[1], operands[2]),
        });
    }

    private static void Cast(InferenceContext context)
    {
        DataType target = context.View.CastTarget;
        context.Set(0, target, context.Shape(0));
        ConvertContent(context, target);
    }

    private static void CastLike(InferenceContext context)
    {
        context.Set(0, context.ElementType(1), context.Shape(0));
        ConvertContent(context, context.ElementType(1));
    }

    private static void ConvertContent(InferenceContext context, DataType target)
    {
        if (context.Content(0) is not { } content) return;
        if (target == DataType.Bool)
        {
            context.SetContent(0, [.. content.Select(e => ContentRules.ToBool(e) is { } value ? ContentRules.FromBool(value) : null)]);
        }
        else if (target is DataType.Int64 or DataType.Int32 or DataType.Float32 or DataType.Float64)
        {
            context.SetContent(0, content);
        }
    }

    private static void BitCast(InferenceContext context)
    {
        DataType target = (DataType)context.View.Int("to", 0);
        bool sameSize = target.BitSize() == context.ElementType(0).BitSize();
        context.Set(0, target, sameSize ? context.Shape(0) : null);
    }

    private static void Dropout(InferenceContext context)
    {
        Same(context);
        context.Set(1, context.Opset >= 10 ? DataType.Bool : context.ElementType(0), context.Shape(0));
    }

    private static void SwiGlu(InferenceContext context) => context.Set(0, context.ElementType(0), BroadcastInputs(context));
}
