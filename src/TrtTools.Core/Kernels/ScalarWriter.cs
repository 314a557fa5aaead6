using System.Globalization;
using System.Text.RegularExpressions;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// Writes what a nest computes at one point, or at <paramref name="lanes"/> neighbouring points along <paramref name="laneLoop"/> at once. Whatever does not change along the lanes is computed once;
/// what does is an array with one element for each lane, and loads of neighbours are 16 bytes wide.
/// </summary>
internal sealed partial class ScalarWriter(KernelText text, NestAnalysis analysis, int lanes = 1, LoopAxis? laneLoop = null)
{
    /// <summary>A value at hand: its name, whether it is an array over the lanes, and whether it differs between them.</summary>
    private readonly record struct Known(string Name, bool PerLane, bool Varies);

    private readonly IntegerRanges _ranges = new(text.Options);
    private readonly List<string> _pending = [];
    private readonly Dictionary<LoopAxis, string> _loops = [];
    private readonly Dictionary<Axis, LoopAxis> _loopOf = [];
    private Dictionary<Expr, Known> _known = new(ReferenceEqualityComparer.Instance);
    private Known? _reduced;
    // Inside a loop over the lanes one lane is written at a time.
    private bool _inLane;

    public int Lanes => lanes;

    /// <summary>Says which variable counts a loop; of the lane loop, the first lane's.</summary>
    public void Bind(LoopAxis loop, string variable)
    {
        _loops[loop] = variable;
        foreach (Axis member in loop.Members) _loopOf[member] = loop;
    }

    /// <summary>Gives an expression's value from elsewhere.</summary>
    public void Give(Expr expr, string name, bool perLane) => _known[expr] = new Known(name, perLane, perLane);

    /// <summary>Gives an expression's value as it stands in a loop over the lanes.</summary>
    public void GiveText(Expr expr, string value, bool varies) => _known[expr] = new Known(value, false, varies && lanes > 1);

    public bool IsKnown(Expr expr) => _known.ContainsKey(expr);

    /// <summary>Gives what the nest's reduction came to. It is a text as it stands in a loop over the lanes.</summary>
    public void GiveReduced(string name, bool varies) => _reduced = new Known(name, false, varies);

    public string CounterOf(LoopAxis loop) => _loops[loop];

    /// <summary>Runs a part whose values are not at hand after it.</summary>
    public void Scope(Action write)
    {
        Dictionary<Expr, Known> outside = _known;
        _known = new(outside, ReferenceEqualityComparer.Instance);
        write();
        Flush();
        _known = outside;
    }

    /// <summary>A value as text: of the lane l where it is one of several.</summary>
    public string Value(Expr expr) => Text(Find(expr));

    /// <summary>Whether a value differs between the lanes.</summary>
    public bool Varies(Expr expr)
    {
        if (lanes == 1 || _inLane) return false;
        if (_known.TryGetValue(expr, out Known known)) return known.Varies;
        if (expr is ReducedExpr) return _reduced is { Varies: true };
        return analysis.Dependencies(expr).Overlaps(laneLoop!.Members) || GivenInside(expr);
    }

    /// <summary>A statement for each lane, such as "a[l] += b[l];".</summary>
    public void PerLane(string statement)
    {
        if (lanes == 1 || _inLane) text.Line(statement);
        else _pending.Add(statement);
    }

    /// <summary>Writes the statements that wait for their loop over the lanes.</summary>
    public void Flush()
    {
        if (_pending.Count == 0) return;
        text.Line("#pragma unroll");
        text.Open(Inv($"for (int l = 0; l < {lanes}; l++)"));
        foreach (string statement in _pending) text.Line(statement);
        text.Close();
        _pending.Clear();
    }

    /// <summary>"[l]" where an array's element is meant.</summary>
    public string Lane(string array) => lanes == 1 || _inLane ? array : array + "[l]";

    /// <summary>A declaration of a variable, or of one for each lane.</summary>
    public void Declare(string type, string name) => text.Line(lanes == 1 || _inLane ? $"{type} {name};" : Inv($"{type} {name}[{lanes}];"));

    public string TypeOf(Expr expr) => ElementText.TypeName(expr.Type, expr.Type == ScalarType.Int64 && _ranges.IsNarrow(expr));

    /// <summary>Stores a value at the nest's target.</summary>
    public void Store(Expr value)
    {
        LinearAccess target = analysis.Target;
        string stored = StoredText(value, target.View.Type);
        if (ElementText.IsPacked(target.View.Type))
        {
            string packed = text.Pointer(target.View.Storage, DimExpr.Zero, Access.ReadWrite);
            string at = Offset(target, true, out bool perLane);
            PerLane($"trt::store_4bit({packed}, {at}, {stored});");
            _ = perLane;
            return;
        }
        string pointer = text.Pointer(target.View.Storage, target.View.Offset, Access.Write);
        if (IsVector(target) && lanes > 1 && !_inLane)
        {
            string place = Offset(target, false, out _), pack = text.Name("p");
            text.Line(Inv($"trt::Pack<{ElementText.TypeName(target.View.Type)}, {lanes}> {pack};"));
            PerLane($"trt::store({pack}.items[l], {stored});");
            Flush();
            text.Line($"{pack}.write({pointer} + {place});");
            return;
        }
        string index = Offset(target, true, out _);
        PerLane($"trt::store({pointer}[{index}], {stored});");
    }

    /// <summary>A value in the form that trt::store takes.</summary>
    public string StoredText(Expr value, DataType type)
    {
        string name = Value(value);
        return value.Type == ScalarType.Bool && type != DataType.Bool ? $"(int){name}" : type == DataType.Bool && value.Type != ScalarType.Bool ? $"{name} != 0" : name;
    }

    /// <summary>The first lane's distance from an access's pointer.</summary>
    public string Place(LinearAccess access) => Offset(access, false, out _);

    /// <summary>Whether an access along the lanes is one to neighbours, aligned to all of them.</summary>
    public bool IsVector(LinearAccess access) => laneLoop is not null && IsVector(access, laneLoop, lanes, analysis);

    public static bool IsVector(LinearAccess access, LoopAxis loop, int lanes, NestAnalysis analysis) =>
        !ElementText.IsPacked(access.View.Type) && GeneratorOptions.Is(loop.Factor(access), 1) && GeneratorOptions.IsDivisible(access.Offset, lanes)
        && access.Axes.All(a => loop.Members.Contains(a) || GeneratorOptions.IsDivisible(access.Factor(a), lanes))
        && access.Terms.All(t => GeneratorOptions.IsDivisible(t.Factor, lanes) && !analysis.Dependencies(t.Term).Overlaps(loop.Members));

    private Known Find(Expr expr)
    {
        if (_known.TryGetValue(expr, out Known known)) return known;
        known = expr switch
        {
            ConstantExpr constant => new Known(ElementText.Number(constant.Number, constant.Integer, constant.Type, constant.Type == ScalarType.Int64 && _ranges.IsNarrow(constant)), false, false),
            ExtentExpr extent => new Known(text.Extent(extent.Extent), false, false),
            AxisExpr axis => Axis(axis),
            LoadExpr load => Load(load),
            SelectExpr select => Select(select),
            ConvertExpr convert => Define(convert, Convert(convert), Varies(convert.Value)),
            CallExpr call => Define(call, Call(call), call.Operands.Any(Varies)),
            ReducedExpr => _reduced ?? throw new InvalidOperationException($"Nest '{analysis.Nest.Name}' reduces nothing."),
            _ => throw new InvalidOperationException($"{expr.GetType().Name} has no text."),
        };
        _known[expr] = known;
        return known;
    }

    private Known Axis(AxisExpr axis)
    {
        if (GeneratorOptions.Is(axis.Axis.Extent, 1)) return new Known("0", false, false);
        if (!_loopOf.TryGetValue(axis.Axis, out LoopAxis? loop)) throw new InvalidOperationException($"Nest '{analysis.Nest.Name}' has no axis {axis.Axis}.");
        if (loop.Members.Count > 1) throw new InvalidOperationException($"Axis {axis.Axis} was joined with its neighbours though its value is needed.");
        if (!ReferenceEquals(loop, laneLoop) || lanes == 1) return new Known(_loops[loop], false, false);
        return new Known($"({_loops[loop]} + l)", false, !_inLane);
    }

    /// <summary>A new variable, or one element of an array for each lane.</summary>
    private Known Define(Expr expr, string value, bool varies)
    {
        string name = text.Name("v"), type = TypeOf(expr);
        if (varies && lanes > 1 && !_inLane)
        {
            text.Line(Inv($"{type} {name}[{lanes}];"));
            _pending.Add($"{name}[l] = {value};");
            return new Known(name, true, true);
        }
        text.Line($"const {type} {name} = {value};");
        return new Known(name, false, false);
    }

    private string Text(Known known) => known.PerLane ? known.Name + "[l]" : known.Name;

    private Known Load(LoadExpr load)
    {
        LinearAccess access = analysis.Access(load);
        DataType type = access.View.Type;
        if (ElementText.IsPacked(type))
        {
            string whole = text.Pointer(access.View.Storage, DimExpr.Zero, Access.Read);
            string at = Offset(access, true, out bool differs);
            return Define(load, $"trt::load_{(type == DataType.Int4 ? "int4" : "uint4")}({whole}, {at})", differs);
        }
        string pointer = text.Pointer(access.View.Storage, access.View.Offset, Access.Read);
        if (lanes > 1 && !_inLane && IsVector(access))
        {
            string place = Offset(access, false, out _), pack = text.Name("p");
            text.Line(Inv($"trt::Pack<{ElementText.TypeName(type)}, {lanes}> {pack};"));
            text.Line($"{pack}.read({pointer} + {place});");
            return Define(load, $"trt::load({pack}.items[l])", true);
        }
        string index = Offset(access, true, out bool perLane);
        return Define(load, $"trt::load({pointer}[{index}])", perLane);
    }

    /// <summary>An element's distance from the pointer's. Loop counters of 32 bits are multiplied in 64 where the result may need it.</summary>
    /// <param name="withLane">Of the lane l, not of the first.</param>
    private string Offset(LinearAccess access, bool withLane, out bool perLane)
    {
        perLane = false;
        List<(string Value, DimExpr Factor)> parts = [];
        foreach (LoopAxis loop in access.Axes.Select(a => _loopOf.TryGetValue(a, out LoopAxis? found) ? found : throw new InvalidOperationException($"Nest '{analysis.Nest.Name}' has no loop over {a}.")).Distinct())
        {
            DimExpr factor = loop.Factor(access);
            string counter = _loops[loop];
            if (ReferenceEquals(loop, laneLoop) && withLane && lanes > 1)
            {
                counter = $"({counter} + l)";
                perLane = !_inLane;
            }
            parts.Add((counter, factor));
        }
        foreach ((Expr term, DimExpr factor) in access.Terms)
        {
            parts.Add((Value(term), factor));
            perLane |= Varies(term);
        }
        // The offset inside a storage whose size has 31 bits has as many.
        bool narrow = text.Options.Range(access.View.Storage.ElementCount) is { High: <= int.MaxValue } && access.Terms.All(t => _ranges.IsNarrow(t.Term));
        List<string> sum = [.. parts.Select(p => GeneratorOptions.Is(p.Factor, 1) ? p.Value : narrow ? $"{p.Value} * {text.Extent(p.Factor)}" : $"(trt::i64){p.Value} * {text.Extent(p.Factor)}")];
        // The pointer stands at the view's own offset, which is never negative; the rest, such as a padding's -1, is added here.
        DimExpr constant = ElementText.IsPacked(access.View.Type) ? access.Offset : access.Offset - access.View.Offset;
        if (!GeneratorOptions.Is(constant, 0)) sum.Add(text.Extent(constant));
        return sum.Count == 0 ? "0" : string.Join(" + ", sum);
    }

    private Known Select(SelectExpr select)
    {
        bool conditionVaries = Varies(select.Condition);
        if (analysis.IsSafe(select.WhenTrue) && analysis.IsSafe(select.WhenFalse))
        {
            bool varies = conditionVaries || Varies(select.WhenTrue) || Varies(select.WhenFalse);
            string condition = Value(select.Condition), whenTrue = Value(select.WhenTrue), whenFalse = Value(select.WhenFalse);
            return Define(select, $"{condition} ? {whenTrue} : {whenFalse}", varies);
        }
        bool array = lanes > 1 && !_inLane && (conditionVaries || Varies(select.WhenTrue) || Varies(select.WhenFalse));
        string chosen = text.Name("v");
        if (array && conditionVaries)
        {
            // Each lane goes its own way.
            _ = Value(select.Condition);
            text.Line(Inv($"{TypeOf(select)} {chosen}[{lanes}];"));
            Flush();
            text.Line("#pragma unroll");
            text.Open(Inv($"for (int l = 0; l < {lanes}; l++)"));
            _inLane = true;
            Scope(() => Branch(select, chosen + "[l]"));
            _inLane = false;
            text.Close();
            return new Known(chosen, true, true);
        }
        string known = Value(select.Condition);
        text.Line(array ? Inv($"{TypeOf(select)} {chosen}[{lanes}];") : $"{TypeOf(select)} {chosen};");
        Flush();
        Branch(select, array ? chosen + "[l]" : chosen, known);
        return new Known(chosen, array, array);
    }

    private void Branch(SelectExpr select, string result, string? condition = null)
    {
        text.Open($"if ({condition ?? Value(select.Condition)})");
        Scope(() => Assign(select.WhenTrue, result));
        text.Else();
        Scope(() => Assign(select.WhenFalse, result));
        text.Close();
    }

    private void Assign(Expr value, string result)
    {
        string known = Value(value);
        if (result.EndsWith("[l]", StringComparison.Ordinal) && !_inLane) _pending.Add($"{result} = {known};");
        else text.Line($"{result} = {known};");
    }

    private bool GivenInside(Expr expr)
    {
        foreach (Expr operand in expr.Operands)
        {
            if (_known.TryGetValue(operand, out Known known) ? known.Varies : operand is ReducedExpr ? _reduced is { Varies: true } : GivenInside(operand)) return true;
        }
        return false;
    }

    private string Call(CallExpr call)
    {
        Expr first = call.Operands[0];
        bool isFloat = first.Type.IsFloat();
        string pattern = first.Type == ScalarType.Float64 ? call.Function.Double ?? InDouble(call.Function.Float!) : isFloat ? call.Function.Float! : call.Function.Integer!;
        string[] operands = [.. call.Operands.Select(Value)];
        if (first.Type == ScalarType.Int64)
        {
            // One width for all: 32 bits only where the operands and the result have them.
            bool helper = call.Function.Name is "shl" or "shr" or "pow";
            bool narrow = !helper && call.Operands.All(_ranges.IsNarrow) && (call.Type == ScalarType.Bool || _ranges.IsNarrow(call));
            for (int i = 0; i < operands.Length; i++)
            {
                if (!narrow && _ranges.IsNarrow(call.Operands[i])) operands[i] = call.Operands[i] is ConstantExpr constant ? ElementText.Integer(constant.Integer, false) : $"(trt::i64){operands[i]}";
            }
        }
        return Operand().Replace(pattern, m => operands[m.Value[0] - 'a']);
    }

    private string Convert(ConvertExpr convert)
    {
        string value = Value(convert.Value);
        ScalarType from = convert.Value.Type;
        switch (convert.Target)
        {
            case DataType.Bool: return from == ScalarType.Bool ? value : $"{value} != 0";
            case DataType.Float32: return $"(float){value}";
            case DataType.Float64: return $"(double){value}";
            case DataType.Float16: return $"trt::round_to_half((float){value})";
            case DataType.BFloat16: return $"trt::round_to_bfloat((float){value})";
        }
        if (from == ScalarType.Bool) return $"(int){value}";
        if (convert.Saturates) return Saturated(convert, value);
        if (from.IsFloat()) value = $"trt::to_integer({value})";
        return convert.Target switch
        {
            DataType.Int4 => $"(((int){value} & 15) ^ 8) - 8", DataType.UInt4 => $"(int){value} & 15", DataType.UInt32 => $"(trt::i64)(unsigned){value}",
            DataType.Int64 or DataType.UInt64 => value, _ => $"(int)({ElementText.TypeName(convert.Target)}){value}",
        };
    }

    private static string Saturated(ConvertExpr convert, string value)
    {
        if (convert.Target is DataType.Int64 or DataType.UInt64) return convert.Value.Type.IsFloat() ? $"trt::saturate_wide((double){value}, -9223372036854775808., 9223372036854775807.)" : value;
        (Int128 low, Int128 high) = IntegerRanges.OfType(convert.Target);
        if (!convert.Value.Type.IsFloat()) return $"trt::saturate((trt::i64){value}, {ElementText.Integer((long)low, false)}, {ElementText.Integer((long)high, false)})";
        if (convert.Target is DataType.Int32 or DataType.UInt32) return $"trt::saturate_wide((double){value}, {ElementText.Double((double)low)}, {ElementText.Double((double)high)})";
        return convert.Value.Type == ScalarType.Float64 ? $"trt::saturate({value}, {ElementText.Double((double)low)}, {ElementText.Double((double)high)})"
            : $"trt::saturate({value}, {ElementText.Float((double)low)}, {ElementText.Float((double)high)})";
    }

    private static string InDouble(string floatText) => FloatNumber().Replace(FloatFunction().Replace(floatText, "$1("), "$1");

    private static string Inv(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(?<![\w.:])[abc](?![\w(])")]
    private static partial Regex Operand();

    [GeneratedRegex(@"(?<![\w:])(?!isinf\()([a-z0-9]+)f\(")]
    private static partial Regex FloatFunction();

    [GeneratedRegex(@"(\d\.\d*)f")]
    private static partial Regex FloatNumber();
}
