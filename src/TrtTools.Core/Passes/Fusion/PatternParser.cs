using System.Globalization;

namespace TrtTools.Passes.Fusion;

/// <summary>Part of a shape; <see cref="TreePattern"/> says how it is written.</summary>
internal abstract record PatternTerm;

internal sealed record PatternCall(string Domain, string OpType, IReadOnlyList<PatternTerm> Inputs, bool HasMore, bool IsOptional, int Output) : PatternTerm;

internal sealed record PatternChoice(IReadOnlyList<PatternTerm> Options) : PatternTerm;

internal sealed record PatternName(string Name, PatternTerm? Inner) : PatternTerm;

internal sealed record PatternNumber(double Content) : PatternTerm;

internal sealed record PatternConstant(string Name) : PatternTerm;

internal sealed record PatternAnything : PatternTerm;

/// <summary>Reads the text of a shape.</summary>
internal sealed class PatternParser
{
    /// <summary>Matching goes down as deep; so does this.</summary>
    private const int DeepestNesting = 100;

    private readonly string _text;
    private int _at;
    private int _depth;

    private PatternParser(string text) => _text = text;

    /// <exception cref="FormatException">The text is no shape; the message says where it ceases to be one.</exception>
    public static PatternTerm Parse(string text)
    {
        PatternParser parser = new(text);
        PatternTerm root = parser.Alternatives();
        return parser._at == text.Length ? root : throw parser.Unexpected("the end");
    }

    private PatternTerm Alternatives()
    {
        if (++_depth > DeepestNesting) throw new FormatException("A shape is nested too deeply.");
        List<PatternTerm> options = [Term()];
        while (Take('|')) options.Add(Term());
        _depth--;
        return options.Count == 1 ? options[0] : new PatternChoice(options);
    }

    private PatternTerm Term()
    {
        if (Take('('))
        {
            PatternTerm inner = Alternatives();
            return Take(')') ? inner : throw Unexpected("')'");
        }
        SkipSpace();
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '.' or '-' or '_')) _at++;
        string word = _text[start.._at];
        if (word.Length == 0) throw Unexpected("a name or a number");
        if (word == "_") return new PatternAnything();
        if (double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)) return new PatternNumber(number);
        string domain = "";
        if (_text.AsSpan(_at).StartsWith("::"))
        {
            _at += 2;
            int name = _at;
            while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] == '_')) _at++;
            (domain, word) = (word == "ai.onnx" ? "" : word, _text[name.._at]);
            if (_at >= _text.Length || _text[_at] is not ('(' or '?')) throw Unexpected($"'(' after '{domain}::{word}'");
        }
        if (word.Contains('.', StringComparison.Ordinal) || word.Contains('-', StringComparison.Ordinal)) throw new FormatException($"'{word}' in '{_text}' is neither a name nor a number.");
        if (TakeHere('#')) return new PatternConstant(word);
        if (TakeHere(':')) return new PatternName(word, Term());
        bool optional = TakeHere('?');
        if (!TakeHere('(')) return optional ? throw Unexpected("'('") : new PatternName(word, null);
        List<PatternTerm> inputs = [];
        bool more = false;
        do
        {
            SkipSpace();
            if (_text.AsSpan(_at).StartsWith("..."))
            {
                _at += 3;
                more = true;
                break;
            }
            inputs.Add(Alternatives());
        }
        while (Take(','));
        if (!Take(')')) throw Unexpected("')'");
        if (inputs.Count == 0) throw new FormatException($"{word} in '{_text}' has no inputs.");
        int output = 0;
        if (TakeHere('@'))
        {
            if (_at >= _text.Length || !char.IsAsciiDigit(_text[_at])) throw Unexpected("the number of an output");
            output = _text[_at++] - '0';
        }
        return new PatternCall(domain, word, inputs, more, optional, output);
    }

    private bool Take(char c)
    {
        SkipSpace();
        bool taken = TakeHere(c);
        if (taken || c == ')') SkipSpace();
        return taken;
    }

    private bool TakeHere(char c)
    {
        if (_at >= _text.Length || _text[_at] != c) return false;
        _at++;
        return true;
    }

    private void SkipSpace()
    {
        while (_at < _text.Length && _text[_at] == ' ') _at++;
    }

    private FormatException Unexpected(string expected) =>
        new($"In '{_text}', {expected} was expected {(_at < _text.Length ? $"where '{_text[_at..Math.Min(_text.Length, _at + 20)]}' stands" : "at the end")}.");
}
