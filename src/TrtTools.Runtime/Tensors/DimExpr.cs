using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace TrtTools.Tensors;

/// <summary>A dimension as an expression over symbols: a polynomial with integer coefficients whose atoms are symbols
/// or opaque functions (floor division, minimum, maximum, broadcast) of expressions. Equal normal forms are equal expressions.
/// Arithmetic is checked: a result outside 64 bits is an <see cref="OverflowException"/>.</summary>
internal sealed class DimExpr : IEquatable<DimExpr>
{
    private const string Floor = "floor", Minimum = "min", Maximum = "max", Broadcasting = "broadcast";

    private const int MostShared = 4096;
    private static readonly DimExpr[] s_shared = [.. Enumerable.Range(0, MostShared).Select(v => new DimExpr(v))];

    // Nearly all dimensions are plain numbers, which need neither terms nor text: these are made when somebody asks.
    private ImmutableArray<Term> _ownTerms;   // sorted by key, no zero coefficient; the constant has the empty key
    private string? _ownText;
    private readonly long _constant;

    private DimExpr(long constant)
    {
        _constant = constant;
        IsConstant = true;
    }

    private DimExpr(ImmutableArray<Term> terms)
    {
        IsConstant = terms.Length == 0 || (terms.Length == 1 && terms[0].Key.Length == 0);
        if (IsConstant) _constant = terms.Length == 0 ? 0 : terms[0].Coefficient;
        _ownTerms = terms;
    }

    private ImmutableArray<Term> Terms => _ownTerms.IsDefault ? _ownTerms = _constant == 0 ? [] : [new Term("", _constant, [])] : _ownTerms;

    private sealed record Term(string Key, long Coefficient, ImmutableArray<Atom> Atoms);

    private sealed record Atom(string Key, string? Symbol, bool Generated, string? Function, DimExpr? Left, DimExpr? Right);

    public static DimExpr Zero { get; } = Constant(0);

    public static DimExpr One { get; } = Constant(1);

    public static DimExpr Constant(long value) => value is >= 0 and < MostShared ? s_shared[value] : new DimExpr(value);

    public static DimExpr Symbol(string name) => FromAtom(new Atom(Quote(name), name, false, null, null, null));

    /// <summary>A symbol for a dimension that the model leaves unnamed. It serves reasoning; files need not name it.</summary>
    public static DimExpr GeneratedSymbol(string name) => FromAtom(new Atom(Quote(name), name, true, null, null, null));

    public static implicit operator DimExpr(long value) => Constant(value);

    public bool IsConstant { get; }

    /// <summary>The value of a constant.</summary>
    public long Value => IsConstant ? _constant : throw new InvalidOperationException($"{Text} is no constant.");

    public bool TryGetValue(out long value)
    {
        value = _constant;
        return IsConstant;
    }

    /// <summary>The name, when the expression is one symbol and nothing else.</summary>
    public string? SymbolName => SingleAtom?.Symbol;

    /// <summary>Symbols of the expression, each once.</summary>
    public IEnumerable<string> Symbols => Atoms.Where(a => a.Symbol is not null).Select(a => a.Symbol!).Distinct(StringComparer.Ordinal);

    /// <summary>True when the expression needs a symbol that no model declared.</summary>
    public bool HasGeneratedSymbol => Atoms.Any(a => a.Generated);

    /// <summary>True when the form alone shows that no nonnegative values of the symbols make the expression negative.</summary>
    public bool HasOnlyNonNegativeTerms => Terms.All(t => t.Coefficient > 0 && t.Atoms.All(a => a.Symbol is not null || IsNonNegative(a)));

    /// <summary>A measure of how much there is to handle; grows with terms and nesting.</summary>
    public int Size => IsConstant ? 1 : Text.Length;

    private IEnumerable<Atom> Atoms => Terms.SelectMany(t => t.Atoms).SelectMany(a => a.Symbol is not null ? [a] : a.Left!.Atoms.Concat(a.Right!.Atoms));

    private Atom? SingleAtom => Terms.Length == 1 && Terms[0].Coefficient == 1 && Terms[0].Atoms.Length == 1 ? Terms[0].Atoms[0] : null;

    public static DimExpr operator +(DimExpr a, DimExpr b) => a.IsConstant && b.IsConstant ? Constant(checked(a._constant + b._constant)) : Combine(a.Terms.AddRange(b.Terms));

    public static DimExpr operator -(DimExpr a, DimExpr b) => a.IsConstant && b.IsConstant ? Constant(checked(a._constant - b._constant)) : a + (b * Constant(-1));

    public static DimExpr operator *(DimExpr a, DimExpr b) => a.IsConstant && b.IsConstant ? Constant(checked(a._constant * b._constant)) : Combine([.. from x in a.Terms from y in b.Terms select Multiply(x, y)]);

    /// <summary>⌊a / b⌋. What divides exactly leaves the floor, nested floors are joined.</summary>
    public static DimExpr FloorDiv(DimExpr a, DimExpr b)
    {
        if (!b.TryGetValue(out long divisor)) return TryDivideByMonomial(a, b) ?? (a.Equals(b) ? One : Opaque(Floor, a, b));
        if (divisor == 0) throw new DivideByZeroException();
        if (divisor < 0) return FloorDiv(Zero - a, Constant(checked(-divisor)));
        if (divisor == 1) return a;
        if (a.TryGetValue(out long value)) return Constant(FloorDiv(value, divisor));
        // c = q*d + r: the multiple of d leaves the floor, which leaves one normal form.
        DimExpr whole = Combine([.. a.Terms.Select(t => t with { Coefficient = FloorDiv(t.Coefficient, divisor) })]);
        ImmutableArray<Term> rest = [.. a.Terms.Select(t => t with { Coefficient = t.Coefficient - (FloorDiv(t.Coefficient, divisor) * divisor) }).Where(t => t.Coefficient != 0)];
        if (rest.Length == 0 || (rest.Length == 1 && rest[0].Key.Length == 0)) return whole;
        // ⌊(g*p + c) / (g*d)⌋ = ⌊(p + ⌊c/g⌋) / d⌋
        long common = rest.Where(t => t.Key.Length > 0).Aggregate(divisor, (g, t) => Gcd(g, t.Coefficient));
        if (common > 1)
        {
            DimExpr reduced = new([.. rest.Select(t => t with { Coefficient = FloorDiv(t.Coefficient, common) }).Where(t => t.Coefficient != 0)]);
            return whole + FloorDiv(reduced, Constant(divisor / common));
        }
        // ⌊(⌊x/a⌋ + e) / b⌋ = ⌊(x + a*e) / (a*b)⌋
        Term? inner = rest.FirstOrDefault(t => t.Coefficient == 1 && t.Atoms.Length == 1 && t.Atoms[0].Function == Floor && t.Atoms[0].Right!.IsConstant);
        if (inner is not null && rest.Count(t => t.Key.Length > 0) == 1)
        {
            DimExpr innerDivisor = inner.Atoms[0].Right!;
            DimExpr others = new([.. rest.Where(t => t.Key.Length == 0)]);
            return whole + FloorDiv(inner.Atoms[0].Left! + (innerDivisor * others), innerDivisor * Constant(divisor));
        }
        return whole + Opaque(Floor, new DimExpr(rest), b);
    }

    public static DimExpr CeilDiv(DimExpr a, DimExpr b) => FloorDiv(a + b - One, b);

    /// <summary>a - b*⌊a/b⌋, which has b's sign.</summary>
    public static DimExpr Modulo(DimExpr a, DimExpr b) => a - (b * FloorDiv(a, b));

    public static DimExpr Min(DimExpr a, DimExpr b) => Symmetric(Minimum, a, b);

    public static DimExpr Max(DimExpr a, DimExpr b) => Symmetric(Maximum, a, b);

    /// <summary>The extent of two dimensions broadcast against each other: the other one where one is 1.</summary>
    public static DimExpr Broadcast(DimExpr a, DimExpr b) => Symmetric(Broadcasting, a, b);

    /// <summary>The value under the given symbols; null when a symbol is missing or the expression has no value there.</summary>
    public long? Evaluate(IReadOnlyDictionary<string, long> symbols)
    {
        try
        {
            long sum = 0;
            foreach (Term term in Terms)
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
                        if (Compute(atom.Function!, left, right) is not { } result) return null;
                        value = result;
                    }
                    product = checked(product * value);
                }
                sum = checked(sum + product);
            }
            return sum;
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    /// <summary>The expression with symbols replaced; a symbol without a replacement stays.</summary>
    public DimExpr Substitute(Func<string, DimExpr?> replacement)
    {
        DimExpr sum = Zero;
        foreach (Term term in Terms)
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

    public bool Equals(DimExpr? other) => other is not null && (ReferenceEquals(this, other)
        || (IsConstant || other.IsConstant ? IsConstant && other.IsConstant && _constant == other._constant : string.Equals(Text, other.Text, StringComparison.Ordinal)));

    public override bool Equals(object? obj) => Equals(obj as DimExpr);

    public override int GetHashCode() => IsConstant ? _constant.GetHashCode() : StringComparer.Ordinal.GetHashCode(Text);

    public override string ToString() => SymbolName ?? Text;

    /// <summary>The expression as files hold it: unlike in <see cref="ToString"/>, a name that reads as an expression is always set in braces. <see cref="Parse"/> reads it.</summary>
    public string Text => _ownText ??= IsConstant ? _constant.ToString(CultureInfo.InvariantCulture) : Render(Terms);

    /// <summary>The expression that has this <see cref="Text"/>.</summary>
    /// <exception cref="FormatException">It is the text of none.</exception>
    public static DimExpr Parse(string text) => new DimExprParser(text).Parse();

    private static bool IsNonNegative(Atom atom) => atom.Function == Maximum
        ? atom.Left!.HasOnlyNonNegativeTerms || atom.Right!.HasOnlyNonNegativeTerms
        : atom.Left!.HasOnlyNonNegativeTerms && atom.Right!.HasOnlyNonNegativeTerms;

    private static DimExpr Apply(string function, DimExpr a, DimExpr b) => function == Floor ? FloorDiv(a, b) : Symmetric(function, a, b);

    private static long? Compute(string function, long a, long b) => function switch
    {
        Floor => b == 0 ? null : FloorDiv(a, b),
        Minimum => Math.Min(a, b),
        Maximum => Math.Max(a, b),
        _ => a == b || b == 1 ? a : a == 1 ? b : null,
    };

    private static DimExpr Symmetric(string function, DimExpr a, DimExpr b)
    {
        if (a.Equals(b)) return a;
        if (a.TryGetValue(out long x) && b.TryGetValue(out long y) && Compute(function, x, y) is { } value) return Constant(value);
        if (function == Broadcasting)
        {
            // A constant other than 1 is the result whatever the other is, since that one must be 1 or equal.
            if (a.IsConstant && !b.IsConstant) return a.Value == 1 ? b : a;
            if (b.IsConstant && !a.IsConstant) return b.Value == 1 ? a : b;
            // min(c, x) against x: they are equal, or the lesser is 1 (or both are 0).
            if (IsMinimumOf(a, b)) return b;
            if (IsMinimumOf(b, a)) return a;
        }
        else if ((a - b).TryGetValue(out long difference))
        {
            return difference > 0 == (function == Maximum) ? a : b;
        }
        return string.CompareOrdinal(a.Text, b.Text) <= 0 ? Opaque(function, a, b) : Opaque(function, b, a);
    }

    private static bool IsMinimumOf(DimExpr a, DimExpr b) => a.SingleAtom is { Function: Minimum } atom
        && ((atom.Left!.Equals(b) && atom.Right is { IsConstant: true, Value: >= 1 }) || (atom.Right!.Equals(b) && atom.Left is { IsConstant: true, Value: >= 1 }));

    private static DimExpr Opaque(string function, DimExpr a, DimExpr b)
    {
        string key = function == Floor ? $"floor({Group(a)}/{Group(b)})" : $"{function}({a.Text},{b.Text})";
        return FromAtom(new Atom(key, null, false, function, a, b));
    }

    private static string Group(DimExpr e) => e.IsConstant || e.SingleAtom is not null ? e.Text : $"({e.Text})";

    private static DimExpr FromAtom(Atom atom) => new([new Term(atom.Key, 1, [atom])]);

    // A name that could be read as an expression is set in braces, so that two different expressions never have one text.
    private static string Quote(string name) =>
        name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsLetterOrDigit(c) || c is '_' or '.' or ':') ? name : $"{{{name.Replace("}", "}}", StringComparison.Ordinal)}}}";

    private static Term Multiply(Term a, Term b)
    {
        ImmutableArray<Atom> atoms = a.Atoms.Length == 0 ? b.Atoms : b.Atoms.Length == 0 ? a.Atoms : [.. a.Atoms.Concat(b.Atoms).OrderBy(x => x.Key, StringComparer.Ordinal)];
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
        if (b.Terms.Length != 1 || b.Terms[0].Coefficient <= 0) return null;
        Term divisor = b.Terms[0];
        List<Term> result = [];
        foreach (Term term in a.Terms)
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

    private static long FloorDiv(long a, long b)
    {
        long quotient = checked(a / b);
        return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    }

    private static long Gcd(long a, long b)
    {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }

    private static string Render(ImmutableArray<Term> terms)
    {
        if (terms.Length == 0) return "0";
        StringBuilder text = new();
        foreach (Term term in terms.OrderBy(t => t.Key.Length == 0 ? 1 : 0).ThenBy(t => t.Key, StringComparer.Ordinal))
        {
            if (text.Length > 0 && term.Coefficient >= 0) text.Append('+');
            if (term.Key.Length == 0) text.Append(CultureInfo.InvariantCulture, $"{term.Coefficient}");
            else if (term.Coefficient == 1) text.Append(term.Key);
            else if (term.Coefficient == -1) text.Append('-').Append(term.Key);
            else text.Append(CultureInfo.InvariantCulture, $"{term.Coefficient}*").Append(term.Key);
        }
        return text.ToString();
    }
}
