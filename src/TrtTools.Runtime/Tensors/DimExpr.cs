using System.Collections.Immutable;
using System.Text;

namespace TrtTools.Tensors;

/// <summary>A dimension as an expression over symbols: a polynomial with integer coefficients whose atoms are symbols
/// or opaque functions (floor division, minimum, maximum) of expressions. Equal expressions have equal normal forms.</summary>
internal sealed class DimExpr : IEquatable<DimExpr>
{
    private readonly ImmutableArray<Term> _terms;   // sorted by key, no zero coefficient; the constant has the empty key
    private readonly string _text;

    private DimExpr(ImmutableArray<Term> terms)
    {
        _terms = terms;
        _text = Render(terms);
    }

    private sealed record Term(string Key, long Coefficient, ImmutableArray<Atom> Atoms);

    private sealed record Atom(string Key, string? Symbol, string? Function, DimExpr? Left, DimExpr? Right);

    public static DimExpr Zero { get; } = Constant(0);

    public static DimExpr One { get; } = Constant(1);

    public static DimExpr Constant(long value) => new(value == 0 ? [] : [new Term("", value, [])]);

    public static DimExpr Symbol(string name) => FromAtom(new Atom(name, name, null, null, null));

    public static implicit operator DimExpr(long value) => Constant(value);

    public bool IsConstant => _terms.Length == 0 || (_terms.Length == 1 && _terms[0].Key.Length == 0);

    /// <summary>The value of a constant.</summary>
    public long Value => _terms.Length == 0 ? 0 : IsConstant ? _terms[0].Coefficient : throw new InvalidOperationException($"{_text} is no constant.");

    public bool TryGetValue(out long value)
    {
        value = IsConstant ? Value : 0;
        return IsConstant;
    }

    /// <summary>The name, when the expression is one symbol and nothing else.</summary>
    public string? SymbolName => _terms.Length == 1 && _terms[0].Coefficient == 1 && _terms[0].Atoms.Length == 1 ? _terms[0].Atoms[0].Symbol : null;

    public IEnumerable<string> Symbols => _terms.SelectMany(t => t.Atoms).SelectMany(a => a.Symbol is { } s ? [s] : a.Left!.Symbols.Concat(a.Right!.Symbols)).Distinct(StringComparer.Ordinal);

    public static DimExpr operator +(DimExpr a, DimExpr b) => Combine(a._terms.AddRange(b._terms));

    public static DimExpr operator -(DimExpr a, DimExpr b) => a + (b * Constant(-1));

    public static DimExpr operator *(DimExpr a, DimExpr b) =>
        Combine([.. from x in a._terms from y in b._terms select Multiply(x, y)]);

    /// <summary>⌊a / b⌋. Exact polynomial division is simplified away.</summary>
    public static DimExpr FloorDiv(DimExpr a, DimExpr b)
    {
        if (b.TryGetValue(out long divisor))
        {
            if (divisor == 0) throw new DivideByZeroException();
            if (divisor == 1) return a;
            if (a.TryGetValue(out long value)) return Constant((long)Math.Floor((decimal)value / divisor));
            if (divisor > 0 && a._terms.All(t => t.Key.Length == 0 || t.Coefficient % divisor == 0))
            {
                return Combine([.. a._terms.Select(t => t with { Coefficient = t.Key.Length == 0 ? (long)Math.Floor((decimal)t.Coefficient / divisor) : t.Coefficient / divisor })]);
            }
        }
        else if (TryDivideByMonomial(a, b) is { } quotient)
        {
            return quotient;
        }
        return Opaque("floor", a, b);
    }

    public static DimExpr CeilDiv(DimExpr a, DimExpr b) => FloorDiv(a + b - One, b);

    public static DimExpr Min(DimExpr a, DimExpr b) => Extreme("min", a, b, static (x, y) => Math.Min(x, y));

    public static DimExpr Max(DimExpr a, DimExpr b) => Extreme("max", a, b, static (x, y) => Math.Max(x, y));

    /// <summary>The value under the given symbols, or null when a symbol is missing.</summary>
    public long? Evaluate(IReadOnlyDictionary<string, long> symbols)
    {
        long sum = 0;
        foreach (Term term in _terms)
        {
            long product = term.Coefficient;
            foreach (Atom atom in term.Atoms)
            {
                long value;
                if (atom.Symbol is { } name)
                {
                    if (!symbols.TryGetValue(name, out value)) return null;
                }
                else
                {
                    if (atom.Left!.Evaluate(symbols) is not { } left || atom.Right!.Evaluate(symbols) is not { } right) return null;
                    if (atom.Function == "floor" && right == 0) return null;
                    value = atom.Function switch { "floor" => (long)Math.Floor((decimal)left / right), "min" => Math.Min(left, right), _ => Math.Max(left, right) };
                }
                product = checked(product * value);
            }
            sum = checked(sum + product);
        }
        return sum;
    }

    /// <summary>The expression with symbols replaced; a symbol without a replacement stays.</summary>
    public DimExpr Substitute(Func<string, DimExpr?> replacement)
    {
        DimExpr sum = Zero;
        foreach (Term term in _terms)
        {
            DimExpr product = Constant(term.Coefficient);
            foreach (Atom atom in term.Atoms)
            {
                product *= atom.Symbol is { } name ? replacement(name) ?? FromAtom(atom) : Apply(atom.Function!, atom.Left!.Substitute(replacement), atom.Right!.Substitute(replacement));
            }
            sum += product;
        }
        return sum;
    }

    public bool Equals(DimExpr? other) => other is not null && string.Equals(_text, other._text, StringComparison.Ordinal);

    public override bool Equals(object? obj) => Equals(obj as DimExpr);

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(_text);

    public override string ToString() => _text;

    private static DimExpr Apply(string function, DimExpr a, DimExpr b) => function switch { "floor" => FloorDiv(a, b), "min" => Min(a, b), _ => Max(a, b) };

    private static DimExpr Extreme(string function, DimExpr a, DimExpr b, Func<long, long, long> choose)
    {
        if (a.Equals(b)) return a;
        if (a.TryGetValue(out long x) && b.TryGetValue(out long y)) return Constant(choose(x, y));
        return string.CompareOrdinal(a._text, b._text) <= 0 ? Opaque(function, a, b) : Opaque(function, b, a);
    }

    private static DimExpr Opaque(string function, DimExpr a, DimExpr b) => FromAtom(new Atom($"{function}({a},{b})", null, function, a, b));

    private static DimExpr FromAtom(Atom atom) => new([new Term(atom.Key, 1, [atom])]);

    private static Term Multiply(Term a, Term b)
    {
        ImmutableArray<Atom> atoms = [.. a.Atoms.Concat(b.Atoms).OrderBy(x => x.Key, StringComparer.Ordinal)];
        return new Term(KeyOf(atoms), checked(a.Coefficient * b.Coefficient), atoms);
    }

    private static string KeyOf(ImmutableArray<Atom> atoms) => string.Join('*', atoms.Select(a => a.Key));

    private static DimExpr Combine(ImmutableArray<Term> terms)
    {
        SortedDictionary<string, Term> sums = new(StringComparer.Ordinal);
        foreach (Term term in terms)
        {
            sums[term.Key] = sums.TryGetValue(term.Key, out Term? existing) ? existing with { Coefficient = checked(existing.Coefficient + term.Coefficient) } : term;
        }
        return new DimExpr([.. sums.Values.Where(t => t.Coefficient != 0)]);
    }

    private static DimExpr? TryDivideByMonomial(DimExpr a, DimExpr b)
    {
        if (b._terms.Length != 1 || b._terms[0].Coefficient <= 0) return null;
        Term divisor = b._terms[0];
        List<Term> result = [];
        foreach (Term term in a._terms)
        {
            if (term.Coefficient % divisor.Coefficient != 0) return null;
            List<Atom> rest = [.. term.Atoms];
            foreach (Atom atom in divisor.Atoms)
            {
                int at = rest.FindIndex(r => string.Equals(r.Key, atom.Key, StringComparison.Ordinal));
                if (at < 0) return null;
                rest.RemoveAt(at);
            }
            ImmutableArray<Atom> atoms = [.. rest];
            result.Add(new Term(KeyOf(atoms), term.Coefficient / divisor.Coefficient, atoms));
        }
        return Combine([.. result]);
    }

    private static string Render(ImmutableArray<Term> terms)
    {
        if (terms.Length == 0) return "0";
        StringBuilder text = new();
        foreach (Term term in terms.OrderBy(t => t.Key.Length == 0 ? 1 : 0).ThenBy(t => t.Key, StringComparer.Ordinal))
        {
            if (text.Length > 0 && term.Coefficient >= 0) text.Append('+');
            if (term.Key.Length == 0) text.Append(term.Coefficient);
            else if (term.Coefficient == 1) text.Append(term.Key);
            else if (term.Coefficient == -1) text.Append('-').Append(term.Key);
            else text.Append(term.Coefficient).Append('*').Append(term.Key);
        }
        return text.ToString();
    }
}
