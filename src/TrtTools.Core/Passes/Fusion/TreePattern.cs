using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Fusion;

/// <summary>A shape of operators as text, matched from its last operator backwards:
/// <c>Mul(Mul(x, 0.5), Add(Erf(Div(x, 1.41421) | Mul(x, 0.707107)), 1))</c>.
/// A name stands for any value, the same value each time, <c>_</c> for any or none; a number for a constant of that content; <c>k#</c> for any constant of one element;
/// <c>d:Sub(x, m)</c> names what matched; a|b tries a first; <c>Cast?(x)</c> is x with or without a Cast; <c>Split(x)@1</c> is an output other than the first;
/// <c>com.microsoft::Gelu(x)</c> is of another domain. The inputs of Add, Mul and other operators that do not mind may stand in any order. Inputs that a node has beyond those written must be constants, unless the last is <c>...</c>.</summary>
internal sealed class TreePattern
{
    private const int MostPermuted = 6;

    /// <summary>Operators whose inputs may change places.</summary>
    private static readonly HashSet<string> s_commutative = new(StringComparer.Ordinal) { "Add", "Mul", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Equal", "BitwiseAnd", "BitwiseOr", "BitwiseXor" };

    private readonly PatternTerm _root;

    /// <exception cref="FormatException">The text is no shape.</exception>
    public TreePattern(string text)
    {
        _root = PatternParser.Parse(text);
        RootOperators = Roots(_root).Select(c => c.Domain.Length == 0 ? c.OpType : $"{c.Domain}::{c.OpType}").ToHashSet(StringComparer.Ordinal);
        RootOpTypes = Roots(_root).Select(c => c.OpType).ToHashSet(StringComparer.Ordinal);
        Names = NamesIn(_root).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Operators that the last node can be, without their domains.</summary>
    public IReadOnlySet<string> RootOpTypes { get; }

    /// <summary>The same with their domains: "Mul", "com.microsoft::Gelu".</summary>
    public IReadOnlySet<string> RootOperators { get; }

    /// <summary>What the shape has names for.</summary>
    public IReadOnlySet<string> Names { get; }

    /// <summary>What names stand for and which nodes matched; null when the node is not the end of such a shape.</summary>
    public TreeMatch? Match(Node last)
    {
        if (last.Output() is not { } output) return null;
        TreeMatch match = new(last);
        return Match(_root, output, last.Graph, match, static () => true) ? match : null;
    }

    /// <summary>Matches a term and then what comes after it; when that fails, other ways to match the term are tried.</summary>
    private static bool Match(PatternTerm term, Value value, Graph graph, TreeMatch match, Func<bool> next)
    {
        TreeMatch.Mark mark = match.Save();
        switch (term)
        {
            case PatternChoice choice:
                foreach (PatternTerm option in choice.Options)
                {
                    if (Match(option, value, graph, match, next)) return true;
                }
                return false;
            case PatternAnything:
                return next();
            case PatternName named when match.Bind(named.Name, value) && (named.Inner is null ? next() : Match(named.Inner, value, graph, match, next)):
            case PatternConstant any when PassContext.Constant(value) is { ElementCount: 1 } && match.Bind(any.Name, value) && next():
            case PatternNumber number when IsNumber(value, number.Content) && next():
            case PatternCall call when value.Producer is { } node && node.Graph == graph && IsCall(call, node) && value.OutputIndex == call.Output && MatchCall(call, node, graph, match, next):
                return true;
            default:
                match.Restore(mark);
                return term is PatternCall { IsOptional: true } optional && Match(optional.Inputs[0], value, graph, match, next);
        }
    }

    private static bool IsCall(PatternCall call, Node node) => string.Equals(node.OpType, call.OpType, StringComparison.Ordinal) && string.Equals(node.Domain, call.Domain, StringComparison.Ordinal);

    private static bool IsNumber(Value value, double content) =>
        PassContext.Constant(value) is { ElementCount: 1 } data && (data.Type.IsFloatingPoint() || data.Type.IsInteger()) && Math.Abs(data.ToDouble()[0] - content) <= 1e-3 * Math.Max(1e-3, Math.Abs(content));

    private static bool MatchCall(PatternCall call, Node node, Graph graph, TreeMatch match, Func<bool> next)
    {
        int count = call.Inputs.Count;
        if (node.Attributes.HasGraphs || (node.Inputs.Count < count && !call.Inputs.Skip(node.Inputs.Count).All(i => i is PatternAnything))) return false;
        for (int i = count; i < node.Inputs.Count && !call.HasMore; i++)
        {
            if (node.Inputs[i] is { } extra && PassContext.Constant(extra) is null) return false;
        }
        match.Nodes.Add(node);
        bool free = s_commutative.Contains(call.OpType) && call.Domain.Length == 0 && count <= MostPermuted && node.Inputs.Count == count;
        return MatchInputs(call, node, graph, match, 0, 0, free, next);
    }

    /// <summary>Matches the pattern's inputs from <paramref name="index"/> on; where the order is free, each may be any of the node's that is not yet taken.</summary>
    private static bool MatchInputs(PatternCall call, Node node, Graph graph, TreeMatch match, int index, int taken, bool free, Func<bool> next)
    {
        if (index == call.Inputs.Count) return next();
        if (!free && call.Inputs[index] is PatternAnything) return MatchInputs(call, node, graph, match, index + 1, taken, free, next);
        for (int i = free ? 0 : index; i < (free ? call.Inputs.Count : index + 1); i++)
        {
            if ((taken & (1 << i)) != 0 || node.Input(i) is not { } input) continue;
            TreeMatch.Mark mark = match.Save();
            if (Match(call.Inputs[index], input, graph, match, () => MatchInputs(call, node, graph, match, index + 1, taken | (1 << i), free, next))) return true;
            match.Restore(mark);
        }
        return false;
    }

    private static IEnumerable<PatternCall> Roots(PatternTerm term) => term switch
    {
        PatternCall { IsOptional: true } call => Roots(call.Inputs[0]).Prepend(call),
        PatternCall call => [call],
        PatternChoice choice => choice.Options.SelectMany(Roots),
        PatternName { Inner: { } inner } => Roots(inner),
        _ => [],
    };

    private static IEnumerable<string> NamesIn(PatternTerm term) => term switch
    {
        PatternCall call => call.Inputs.SelectMany(NamesIn),
        PatternChoice choice => choice.Options.SelectMany(NamesIn),
        PatternName named => named.Inner is null ? [named.Name] : NamesIn(named.Inner).Prepend(named.Name),
        PatternConstant constant => [constant.Name],
        _ => [],
    };
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
