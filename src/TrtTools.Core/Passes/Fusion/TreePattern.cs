using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Fusion;

/// <summary>A shape of operators as text, matched from its last operator backwards:
/// <c>Mul(Mul(x, 0.5), Add(Erf(Div(x, 1.41421) | Mul(x, 0.707107)), 1))</c>.
/// A name stands for any value, the same value each time; a number for a constant of that content; <c>k#</c> for any constant of one element;
/// <c>d:Sub(x, m)</c> names what matched; a|b tries a first; <c>com.microsoft::Gelu(x)</c> is of another domain.
/// The inputs of Add, Mul and other operators that do not mind may stand in any order. Inputs that a node has beyond those written must be constants.</summary>
internal sealed class TreePattern
{
    private const int MostPermuted = 6;

    /// <summary>Operators whose inputs may change places.</summary>
    private static readonly HashSet<string> s_commutative = new(StringComparer.Ordinal) { "Add", "Mul", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Equal", "BitwiseAnd", "BitwiseOr", "BitwiseXor" };

    private readonly Term _root;

    public TreePattern(string text)
    {
        int at = 0;
        _root = ParseAlternatives(text, ref at);
        SkipSpace(text, ref at);
        RootOpTypes = Roots(_root).ToHashSet(StringComparer.Ordinal);
        if (at != text.Length) throw new FormatException($"Unexpected '{text[at..]}' in pattern '{text}'.");
    }

    /// <summary>Operators that the last node can be.</summary>
    public IReadOnlySet<string> RootOpTypes { get; }

    /// <summary>What names stand for and which nodes matched; null when the node is not the end of such a shape.</summary>
    public TreeMatch? Match(Node last)
    {
        if (last.Output() is not { } output) return null;
        TreeMatch match = new(last);
        return Match(_root, output, last.Graph, match, static () => true) ? match : null;
    }

    /// <summary>Matches a term and then what comes after it; when that fails, other ways to match the term are tried.</summary>
    private static bool Match(Term term, Value value, Graph graph, TreeMatch match, Func<bool> next)
    {
        TreeMatch.Mark mark = match.Save();
        switch (term)
        {
            case Choice choice:
                foreach (Term option in choice.Options)
                {
                    if (Match(option, value, graph, match, next)) return true;
                }
                return false;
            case Named named when match.Bind(named.Name, value) && (named.Inner is null ? next() : Match(named.Inner, value, graph, match, next)):
            case AnyNumber any when PassContext.Constant(value) is { ElementCount: 1 } && match.Bind(any.Name, value) && next():
            case Number number when IsNumber(value, number.Content) && next():
            case Call call when value.Producer is { } node && node.Graph == graph && IsCall(call, node) && value.OutputIndex == 0 && MatchCall(call, node, graph, match, next):
                return true;
            default:
                match.Restore(mark);
                return false;
        }
    }

    private static bool IsCall(Call call, Node node) => string.Equals(node.OpType, call.OpType, StringComparison.Ordinal) && string.Equals(node.Domain, call.Domain, StringComparison.Ordinal);

    private static bool IsNumber(Value value, double content) =>
        PassContext.Constant(value) is { ElementCount: 1 } data && (data.Type.IsFloatingPoint() || data.Type.IsInteger()) && Math.Abs(data.ToDouble()[0] - content) <= 1e-3 * Math.Max(1e-3, Math.Abs(content));

    private static bool MatchCall(Call call, Node node, Graph graph, TreeMatch match, Func<bool> next)
    {
        if (node.Inputs.Count < call.Inputs.Count || node.Subgraphs.Any()) return false;
        for (int i = call.Inputs.Count; i < node.Inputs.Count; i++)
        {
            if (node.Inputs[i] is { } extra && PassContext.Constant(extra) is null) return false;
        }
        match.Nodes.Add(node);
        bool free = s_commutative.Contains(call.OpType) && call.Domain.Length == 0 && call.Inputs.Count <= MostPermuted && node.Inputs.Count == call.Inputs.Count;
        return MatchInputs(call, node, graph, match, 0, 0, free, next);
    }

    /// <summary>Matches the pattern's inputs from <paramref name="index"/> on; where the order is free, each may be any of the node's that is not yet taken.</summary>
    private static bool MatchInputs(Call call, Node node, Graph graph, TreeMatch match, int index, int taken, bool free, Func<bool> next)
    {
        if (index == call.Inputs.Count) return next();
        for (int i = free ? 0 : index; i < (free ? call.Inputs.Count : index + 1); i++)
        {
            if ((taken & (1 << i)) != 0 || node.Inputs[i] is not { } input) continue;
            TreeMatch.Mark mark = match.Save();
            if (Match(call.Inputs[index], input, graph, match, () => MatchInputs(call, node, graph, match, index + 1, taken | (1 << i), free, next))) return true;
            match.Restore(mark);
        }
        return false;
    }

    private static IEnumerable<string> Roots(Term term) => term switch
    {
        Call call => [call.OpType],
        Choice choice => choice.Options.SelectMany(Roots),
        Named { Inner: { } inner } => Roots(inner),
        _ => [],
    };

    private static Term ParseAlternatives(string text, ref int at)
    {
        List<Term> options = [ParseTerm(text, ref at)];
        for (SkipSpace(text, ref at); at < text.Length && text[at] == '|'; SkipSpace(text, ref at))
        {
            at++;
            options.Add(ParseTerm(text, ref at));
        }
        return options.Count == 1 ? options[0] : new Choice(options);
    }

    private static Term ParseTerm(string text, ref int at)
    {
        SkipSpace(text, ref at);
        int start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] is '.' or '-' or '_')) at++;
        string word = text[start..at];
        if (word.Length == 0) throw new FormatException($"A name or a number is missing at '{text[start..]}'.");
        if (double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)) return new Number(number);
        if (at < text.Length && text[at] == '#')
        {
            at++;
            return new AnyNumber(word);
        }
        string domain = "";
        if (at + 1 < text.Length && text[at] == ':' && text[at + 1] == ':')
        {
            at += 2;
            int name = at;
            while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '_')) at++;
            domain = word == "ai.onnx" ? "" : word;
            word = text[name..at];
            if (at >= text.Length || text[at] != '(') throw new FormatException($"'(' is missing after '{domain}::{word}'.");
        }
        if (at < text.Length && text[at] == ':')
        {
            at++;
            return new Named(word, ParseTerm(text, ref at));
        }
        if (at >= text.Length || text[at] != '(') return new Named(word, null);
        List<Term> inputs = [];
        do
        {
            at++;
            inputs.Add(ParseAlternatives(text, ref at));
        }
        while (at < text.Length && text[at] == ',');
        if (at >= text.Length || text[at] != ')') throw new FormatException($"A ')' is missing in '{text}'.");
        at++;
        return new Call(domain, word, inputs);
    }

    private static void SkipSpace(string text, ref int at)
    {
        while (at < text.Length && text[at] == ' ') at++;
    }

    private abstract record Term;

    private sealed record Call(string Domain, string OpType, IReadOnlyList<Term> Inputs) : Term;

    private sealed record Choice(IReadOnlyList<Term> Options) : Term;

    private sealed record Named(string Name, Term? Inner) : Term;

    private sealed record Number(double Content) : Term;

    private sealed record AnyNumber(string Name) : Term;
}

/// <summary>What a pattern matched.</summary>
internal sealed class TreeMatch(Node last)
{
    private readonly List<(string Name, Value Value)> _bound = [];

    /// <summary>What names stand for, in the order met.</summary>
    public IReadOnlyList<(string Name, Value Value)> Bound => _bound;

    public Node Last { get; } = last;

    /// <summary>The nodes; one may stand here twice when the shape is no tree.</summary>
    public List<Node> Nodes { get; } = [];

    public Value? this[string name] => _bound.Find(b => b.Name == name).Value;

    public bool Bind(string name, Value value)
    {
        if (this[name] is { } known) return ReferenceEquals(known, value);
        _bound.Add((name, value));
        return true;
    }

    public Mark Save() => new(_bound.Count, Nodes.Count);

    public void Restore(Mark mark)
    {
        _bound.RemoveRange(mark.Bound, _bound.Count - mark.Bound);
        Nodes.RemoveRange(mark.Nodes, Nodes.Count - mark.Nodes);
    }

    internal readonly record struct Mark(int Bound, int Nodes);
}
