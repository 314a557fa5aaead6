using System.Runtime.CompilerServices;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>
/// Expressions from the one-line texts of pointwise operators. The notation is C's: <c>+ - * / %</c>, comparisons, <c>&amp;&amp; || !</c>, <c>c ? a : b</c> and calls of
/// <see cref="ScalarFunctions"/>, over the inputs x, y, z, the operator's attributes by name, and inf. Beside that:
/// <list type="bullet">
/// <item><c>a ?? b</c> is b where the optional input or attribute a is absent;</item>
/// <item><c>max(...)</c> joins all inputs from left to right, and <c>count</c> is their number;</item>
/// <item><c>float(a)</c> is a as Float32, whatever it was;</item>
/// <item>a condition that attributes decide is decided here: the other side is not even typed.</item>
/// </list>
/// Numbers take the type of what they meet; operands of two types meet in the wider one (Bool, Int64, Float32, Float64). The result may be wider than the output's type: the caller converts.
/// </summary>
internal sealed class ScalarText
{
    private readonly IReadOnlyList<Expr?> _inputs;
    private readonly Func<string, object?> _attribute;
    private readonly string _text;
    private readonly Dictionary<string, Expr> _calls = new(StringComparer.Ordinal);
    private readonly ConditionalWeakTable<Expr, string> _names = [];
    private int _named;

    private ScalarText(string text, IReadOnlyList<Expr?> inputs, Func<string, object?> attribute)
    {
        _text = text;
        _inputs = inputs;
        _attribute = attribute;
    }

    /// <summary>What a term is: an expression, a number (double) or text (string) that is known now, or null for what is absent.</summary>
    private readonly record struct Meaning(object? Content)
    {
        public double? Number => Content as double?;
    }

    /// <summary>What the operator of a node computes of its inputs at one place; null when it has no scalar text.</summary>
    /// <param name="view">The node.</param>
    /// <param name="definition">Its operator.</param>
    /// <param name="inputs">An expression for each input; null where an optional one is absent.</param>
    public static Expr? Of(OperatorView view, OperatorDefinition definition, IReadOnlyList<Expr?> inputs) =>
        definition.Scalar is { } text ? Parse(text, inputs, name => AttributeValue(view, definition, name)) : null;

    /// <param name="text">The text.</param>
    /// <param name="inputs">x, y, z and those that only <c>...</c> reaches; null where absent.</param>
    /// <param name="attribute">An attribute's float, long or string; null when it is absent.</param>
    public static Expr Parse(string text, IReadOnlyList<Expr?> inputs, Func<string, object?> attribute)
    {
        ScalarText reader = new(text, inputs, attribute);
        Meaning meaning = reader.Bind(ScalarSyntax.Read(text));
        return meaning.Content as Expr ?? (meaning.Number is { } number ? Constant(number, inputs[0]?.Type ?? ScalarType.Float32) : throw reader.Error("it computes nothing"));
    }

    private static object? AttributeValue(OperatorView view, OperatorDefinition definition, string name)
    {
        AttributeDefinition[] known = [.. definition.Attributes.Where(a => a.Name == name)];
        if (known.Length == 0) throw new FormatException($"{definition.OpType} has no attribute '{name}'.");
        if (view.Attribute(name)?.Content is { } given) return given is byte[] ? view.String(name, "") : given;
        AttributeDefinition? current = known.FirstOrDefault(a => a.AppliesTo(view.Opset));
        return current?.Default is not { } standard ? null : current.Kind switch
        {
            Ir.AttributeKind.Float => float.Parse(standard, System.Globalization.CultureInfo.InvariantCulture),
            Ir.AttributeKind.Int => long.Parse(standard, System.Globalization.CultureInfo.InvariantCulture),
            _ => standard,
        };
    }

    private Meaning Bind(ScalarTerm term) => term.Kind switch
    {
        ScalarTermKind.Number => new Meaning(term.Number),
        ScalarTermKind.Text => new Meaning(term.Text),
        ScalarTermKind.Name => BindName(term.Text),
        ScalarTermKind.Fallback => Bind(term.Operands[0]) is { Content: not null } given ? given : Bind(term.Operands[1]),
        ScalarTermKind.Choice => BindChoice(term),
        ScalarTermKind.Call => BindCall(term),
        _ => throw Error("'...' stands alone"),
    };

    private Meaning BindName(string name)
    {
        int input = name switch { "x" => 0, "y" => 1, "z" => 2, _ => -1 };
        if (input >= 0) return new Meaning(input < _inputs.Count ? _inputs[input] : null);
        if (name == "inf") return new Meaning(double.PositiveInfinity);
        if (name == "count") return new Meaning((double)_inputs.Count);
        return new Meaning(_attribute(name) switch { float number => (double)number, long number => (double)number, string text => text, null => null, _ => throw Error($"attribute '{name}' is no scalar") });
    }

    private Meaning BindChoice(ScalarTerm term)
    {
        Meaning condition = Bind(term.Operands[0]);
        if (condition.Number is { } known) return Bind(term.Operands[known != 0 ? 1 : 2]);
        Meaning whenTrue = Bind(term.Operands[1]), whenFalse = Bind(term.Operands[2]);
        if (Equals(whenTrue.Content, whenFalse.Content)) return whenTrue;
        Expr[] sides = Unify([whenTrue, whenFalse]);
        return new Meaning(Shared("?:", [Truth(condition), .. sides], o => new SelectExpr(o[0], o[1], o[2])));
    }

    private Meaning BindCall(ScalarTerm term)
    {
        string name = term.Text;
        if (term.Operands is [{ Kind: ScalarTermKind.Rest }])
        {
            Meaning joined = new(_inputs[0]);
            foreach (Expr? next in _inputs.Skip(1)) joined = Apply(name, [joined, new Meaning(next)]);
            return joined;
        }
        Meaning[] operands = [.. term.Operands.Select(Bind)];
        if (operands.Any(o => o.Content is null)) throw Error($"an operand of {name} is absent and has no other value (??)");
        return name == "float" ? operands[0].Content is Expr value ? new Meaning(Convert(value, ScalarType.Float32)) : operands[0] : Apply(name, operands);
    }

    private Meaning Apply(string name, Meaning[] operands)
    {
        if (name is "eq" or "ne" && operands.All(o => o.Content is string)) return new Meaning((string)operands[0].Content! == (string)operands[1].Content! == (name == "eq") ? 1.0 : 0.0);
        if (name is "and" or "or" && operands.FirstOrDefault(o => o.Number is not null) is { Number: { } known } && operands.Any(o => o.Content is Expr))
        {
            return (known != 0) == (name == "and") ? operands.First(o => o.Content is Expr) : new Meaning(known != 0 ? 1.0 : 0.0);
        }
        // An open bound bounds nothing; NaN passes either way.
        if (name is "min" or "max" && operands[1].Number == (name == "min" ? double.PositiveInfinity : double.NegativeInfinity)) return operands[0];
        if (operands.All(o => o.Number is not null)) return new Meaning(Compute(name, [.. operands.Select(o => o.Number!.Value)]));
        Expr[] arguments = name is "and" or "or" or "not" && operands.Any(o => o.Content is Expr { Type: not ScalarType.Int64 }) ? [.. operands.Select(Truth)] : Unify(operands);
        return new Meaning(Shared(name, arguments, o => ScalarFunctions.Call(name, o)));
    }

    private double Compute(string name, double[] operands)
    {
        double Operand(int index) => index < operands.Length ? operands[index] : 0;
        if (name is "and") return Operand(0) != 0 && Operand(1) != 0 ? 1 : 0;
        if (name is "or") return Operand(0) != 0 || Operand(1) != 0 ? 1 : 0;
        if (name is "not") return Operand(0) == 0 ? 1 : 0;
        return ScalarFunctions.Find(name).OnFloat is { } compute ? compute(Operand(0), Operand(1), Operand(2)) : throw Error($"{name} is not for known numbers");
    }

    /// <summary>Operands in their widest type. A number with a fraction makes integers Float32.</summary>
    private Expr[] Unify(Meaning[] operands)
    {
        ScalarType type = ScalarType.Bool;
        foreach (Meaning operand in operands)
        {
            ScalarType own = operand.Content is Expr e ? e.Type : operand.Number is { } n ? double.IsInteger(n) ? ScalarType.Bool : ScalarType.Float32 : throw Error("text stands where a number belongs");
            if (Width(own) > Width(type)) type = own;
        }
        if (type == ScalarType.Bool && operands.Any(o => o.Number is not null and not 0 and not 1)) type = ScalarType.Int64;
        return [.. operands.Select(o => o.Content is Expr e ? Convert(e, type) : Constant(o.Number!.Value, type))];
    }

    private Expr Truth(Meaning operand) => operand.Number is { } number ? new ConstantExpr(number != 0 ? 1L : 0L, ScalarType.Bool) : Convert((Expr)operand.Content!, ScalarType.Bool);

    private Expr Convert(Expr value, ScalarType type) => value.Type == type ? value : Shared($"to {type}", [value], o => new ConvertExpr(
        type switch { ScalarType.Float32 => DataType.Float32, ScalarType.Float64 => DataType.Float64, ScalarType.Int64 => DataType.Int64, _ => DataType.Bool }, o[0]));

    /// <summary>Equal calls of one text are one object, so that they are computed once.</summary>
    private Expr Shared(string name, Expr[] operands, Func<Expr[], Expr> create)
    {
        string key = $"{name}({string.Join(',', operands.Select(NameOf))})";
        if (!_calls.TryGetValue(key, out Expr? call)) _calls.Add(key, call = create(operands));
        return call;
    }

    private string NameOf(Expr e) => e is ConstantExpr constant
        ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{constant.Type}:{BitConverter.DoubleToInt64Bits(constant.Number)}:{constant.Integer}")
        : _names.GetValue(e, _ => $"#{_named++}");

    private static Expr Constant(double number, ScalarType type) => type.IsFloat() ? new ConstantExpr(number, type) : new ConstantExpr(checked((long)number), type);

    private static int Width(ScalarType type) => type switch { ScalarType.Bool => 0, ScalarType.Int64 => 1, ScalarType.Float32 => 2, _ => 3 };

    private FormatException Error(string problem) => new($"Scalar text \"{_text}\": {problem}.");
}
