using System.Globalization;
using System.Text;

namespace TrtTools.Tensors;

/// <summary>Reads <see cref="DimExpr.Text"/> back. Only what that writes is read: parentheses stand in a floor's operands and nowhere else,
/// so the result is never larger than the text.</summary>
internal ref struct DimExprParser(string text)
{
    /// <summary>Deeper nesting comes from no build; it would exhaust the stack.</summary>
    private const int MaxDepth = 200;

    private readonly string _text = text;
    private int _at;
    private int _depth;

    public DimExpr Parse()
    {
        try
        {
            DimExpr result = Sum();
            return _at == _text.Length ? result : throw Bad("an operator or the end");
        }
        catch (Exception e) when (e is OverflowException or DivideByZeroException)
        {
            throw new FormatException($"'{_text}' has no value: {e.Message}", e);
        }
    }

    private DimExpr Sum()
    {
        if (++_depth > MaxDepth) throw new FormatException($"The expression at character {_at} is nested more than {MaxDepth} deep.");
        DimExpr sum = Term(Take('-'));
        while (true)
        {
            if (Take('+')) sum += Term(negative: false);
            else if (Take('-')) sum += Term(negative: true);
            else break;
        }
        _depth--;
        return sum;
    }

    private DimExpr Term(bool negative)
    {
        DimExpr product = Factor(negative);
        while (Take('*')) product *= Factor(negative: false);
        return product;
    }

    private DimExpr Factor(bool negative)
    {
        if (char.IsAsciiDigit(Next)) return Number(negative);
        DimExpr atom = Atom();
        return negative ? atom * -1 : atom;
    }

    private DimExpr Atom()
    {
        if (Next == '{') return DimExpr.Symbol(QuotedName());
        int start = _at;
        while (char.IsLetterOrDigit(Next) || Next is '_' or '.' or ':') _at++;
        if (_at == start) throw Bad("a number, a symbol or a function");
        string name = _text[start.._at];
        if (!Take('(')) return DimExpr.Symbol(name);
        (DimExpr left, DimExpr right) = string.Equals(name, "floor", StringComparison.Ordinal) ? (Operand('/'), Operand(')')) : (Argument(','), Argument(')'));
        return name switch
        {
            "floor" => DimExpr.FloorDiv(left, right),
            "min" => DimExpr.Min(left, right),
            "max" => DimExpr.Max(left, right),
            "broadcast" => DimExpr.Broadcast(left, right),
            _ => throw new FormatException($"'{name}' is no function (character {start} of '{_text}')."),
        };
    }

    private DimExpr Argument(char end)
    {
        DimExpr value = Sum();
        Expect(end);
        return value;
    }

    private DimExpr Operand(char end)
    {
        if (Take('('))
        {
            DimExpr inner = Argument(')');
            Expect(end);
            return inner;
        }
        if (++_depth > MaxDepth) throw new FormatException($"The expression at character {_at} is nested more than {MaxDepth} deep.");
        DimExpr value = Factor(Take('-'));
        _depth--;
        Expect(end);
        return value;
    }

    private DimExpr Number(bool negative)
    {
        int start = _at;
        while (char.IsAsciiDigit(Next)) _at++;
        ReadOnlySpan<char> digits = _text.AsSpan(start, _at - start);
        return long.TryParse(negative ? $"-{digits}" : digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            ? DimExpr.Constant(value) : throw new FormatException($"{digits} does not fit 64 bits.");
    }

    private string QuotedName()
    {
        StringBuilder name = new();
        for (_at++; ; _at++)
        {
            if (_at >= _text.Length) throw Bad("'}'");
            if (Next == '}')
            {
                _at++;
                if (Next != '}') return name.ToString();
            }
            name.Append(_text[_at]);
        }
    }

    private readonly char Next => _at < _text.Length ? _text[_at] : '\0';

    private bool Take(char wanted)
    {
        if (_at >= _text.Length || _text[_at] != wanted) return false;
        _at++;
        return true;
    }

    private void Expect(char wanted)
    {
        if (!Take(wanted)) throw Bad($"'{wanted}'");
    }

    private readonly FormatException Bad(string expected) => new($"'{_text}' is no extent: at character {_at}, {expected} is expected.");
}
