using System.Globalization;

namespace TrtTools.Lowering;

internal enum ScalarTermKind
{
    Number, Text, Name, Call, Choice, Fallback, Rest,
}

/// <summary>A scalar text as it was read; nothing is bound or typed yet.</summary>
internal sealed record ScalarTerm(ScalarTermKind Kind, string Text, IReadOnlyList<ScalarTerm> Operands, double Number = 0);

/// <summary>Reads the notation that <see cref="ScalarText"/> describes: precedence and associativity are C's.</summary>
internal sealed class ScalarSyntax
{
    private static readonly (string Symbol, string Function)[][] s_levels =
    [
        [("||", "or")], [("&&", "and")], [("==", "eq"), ("!=", "ne")], [("<=", "le"), (">=", "ge"), ("<", "lt"), (">", "gt")], [("+", "add"), ("-", "sub")], [("*", "mul"), ("/", "div"), ("%", "mod")],
    ];

    private readonly string _text;
    private int _at;

    private ScalarSyntax(string text) => _text = text;

    public static ScalarTerm Read(string text)
    {
        ScalarSyntax syntax = new(text);
        ScalarTerm term = syntax.Choice();
        syntax.SkipSpaces();
        return syntax._at == text.Length ? term : throw syntax.Error("the end");
    }

    private ScalarTerm Choice()
    {
        ScalarTerm condition = Fallback();
        if (!Take("?")) return condition;
        ScalarTerm whenTrue = Choice();
        Expect(":");
        return new ScalarTerm(ScalarTermKind.Choice, "?:", [condition, whenTrue, Choice()]);
    }

    private ScalarTerm Fallback()
    {
        ScalarTerm value = Binary(0);
        return Take("??") ? new ScalarTerm(ScalarTermKind.Fallback, "??", [value, Fallback()]) : value;
    }

    private ScalarTerm Binary(int level)
    {
        if (level == s_levels.Length) return Unary();
        ScalarTerm left = Binary(level + 1);
        while (true)
        {
            (string Symbol, string Function)? found = null;
            foreach ((string Symbol, string Function) candidate in s_levels[level])
            {
                if (!Take(candidate.Symbol)) continue;
                found = candidate;
                break;
            }
            if (found is null) return left;
            left = Call(found.Value.Function, left, Binary(level + 1));
        }
    }

    private ScalarTerm Unary() => Take("-") ? Call("neg", Unary()) : Peek("!=") ? throw Error("an operand") : Take("!") ? Call("not", Unary()) : Primary();

    private ScalarTerm Primary()
    {
        if (Take("("))
        {
            ScalarTerm inner = Choice();
            Expect(")");
            return inner;
        }
        if (Take("...")) return new ScalarTerm(ScalarTermKind.Rest, "...", []);
        if (Take("\""))
        {
            int end = _text.IndexOf('"', _at);
            if (end < 0) throw Error("a closing quote");
            string content = _text[_at..end];
            _at = end + 1;
            return new ScalarTerm(ScalarTermKind.Text, content, []);
        }
        SkipSpaces();
        int start = _at;
        if (_at < _text.Length && (char.IsAsciiDigit(_text[_at]) || _text[_at] == '.')) return Number(start);
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] == '_')) _at++;
        if (_at == start) throw Error("an operand");
        string name = _text[start.._at];
        if (!Take("(")) return new ScalarTerm(ScalarTermKind.Name, name, []);
        List<ScalarTerm> operands = [];
        do operands.Add(Choice());
        while (Take(","));
        Expect(")");
        return new ScalarTerm(ScalarTermKind.Call, name, operands);
    }

    private ScalarTerm Number(int start)
    {
        while (_at < _text.Length && (char.IsAsciiDigit(_text[_at]) || _text[_at] is '.' or 'e' || (_text[_at] is '-' or '+' && _text[_at - 1] == 'e'))) _at++;
        string digits = _text[start.._at];
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? new ScalarTerm(ScalarTermKind.Number, digits, [], number) : throw Error("a number");
    }

    private static ScalarTerm Call(string function, params ScalarTerm[] operands) => new(ScalarTermKind.Call, function, operands);

    private bool Peek(string symbol)
    {
        SkipSpaces();
        return string.CompareOrdinal(_text, _at, symbol, 0, symbol.Length) == 0;
    }

    private bool Take(string symbol)
    {
        // "?" must not take half of "??".
        if (!Peek(symbol) || (symbol == "?" && Peek("??"))) return false;
        _at += symbol.Length;
        return true;
    }

    private void Expect(string symbol)
    {
        if (!Take(symbol)) throw Error($"'{symbol}'");
    }

    private void SkipSpaces()
    {
        while (_at < _text.Length && _text[_at] == ' ') _at++;
    }

    private FormatException Error(string expected) => new($"Scalar text \"{_text}\": {expected} expected at position {_at}.");
}
