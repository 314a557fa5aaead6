using TrtTools.Ir;
using TrtTools.Passes.Fusion;

namespace TrtTools.Surgery;

/// <summary>Finds a pattern in a graph and replaces what matched: what Invoke-GraphPattern runs.</summary>
public sealed class PatternSession
{
    public const string Command = "Invoke-GraphPattern";

    private readonly GraphEdit _edit;
    private readonly string _pattern;
    private readonly PatternReplacer _replacer;
    private int _replaced;

    private PatternSession(OnnxGraph graph, string pattern)
    {
        _edit = new GraphEdit(graph);
        _pattern = pattern;
        _replacer = new PatternReplacer(_edit);
        Matches = Find(_edit.Model, pattern);
    }

    /// <summary>The places that can be replaced, in the graph's order; none shares a node with another.</summary>
    public IReadOnlyList<PatternMatch> Matches { get; }

    /// <summary>Begins a replacement on a copy of the graph.</summary>
    public static PatternSession Start(OnnxGraph graph, string pattern) => new(graph, pattern);

    /// <summary>Where the pattern matches. Of matches that share nodes, the one that ends last counts.</summary>
    public static IReadOnlyList<PatternMatch> Find(OnnxGraph graph, string pattern)
    {
        ArgumentNullException.ThrowIfNull(graph);
        TreePattern tree = Parse(pattern);
        IReadOnlySet<string> roots = tree.RootOpTypes;
        if (roots.Count == 0) throw Malformed(pattern, "It is a name alone, which every tensor matches");
        List<PatternMatch> matches = [];
        InferredTypes types = new(graph);
        HashSet<Node> taken = [];
        foreach (Node node in graph.Body.NodesWithSubgraphs.Reverse())
        {
            if (!roots.Contains(node.OpType) || tree.Match(node) is not { } match || match.Nodes.Any(taken.Contains)) continue;
            taken.UnionWith(match.Nodes);
            matches.Add(new PatternMatch(graph, pattern, match, types));
        }
        matches.Reverse();
        return matches;
    }

    /// <summary>Puts something else in the place of a match.</summary>
    /// <param name="match">One of <see cref="Matches"/>.</param>
    /// <param name="expression">Text such as "Add(Mul(x, 0.5), Float32[1,3,1,1] [1, 2, 3])", with the pattern's names.</param>
    public void Replace(PatternMatch match, string expression)
    {
        ArgumentNullException.ThrowIfNull(match);
        ArgumentNullException.ThrowIfNull(expression);
        GraphTextTerm term;
        try
        {
            term = GraphTextTerm.Parse(expression);
        }
        catch (FormatException e)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "-Replacement", $"'{expression}' is no expression ({e.Message.TrimEnd('.')})", "Operators with their inputs in parentheses, such as Add(Mul(x, 0.5), 1.0)", "Correct it", e);
        }
        _replacer.Replace(match, term);
        _replaced++;
    }

    /// <summary>Puts one node in the place of a match; its inputs are the pattern's names or tensors of the graph.</summary>
    public void Replace(PatternMatch match, NodeSpec spec)
    {
        ArgumentNullException.ThrowIfNull(match);
        ArgumentNullException.ThrowIfNull(spec);
        _replacer.Replace(match, spec);
        _replaced++;
    }

    /// <summary>The graph with all replacements, checked.</summary>
    public OnnxGraph Finish(Report? report = null)
    {
        report?.Verbose(FormattableString.Invariant($"{_edit.Model.Name}: {_pattern} matched {Matches.Count} times, {_replaced} replaced"));
        return _edit.Finish(Command, new HistoryText().Add("Pattern", _pattern).ToString() + FormattableString.Invariant($": {_replaced} of {Matches.Count} replaced"));
    }

    private static TreePattern Parse(string pattern)
    {
        try
        {
            return new TreePattern(pattern);
        }
        catch (FormatException e)
        {
            throw Malformed(pattern, e.Message, e);
        }
    }

    private static TrtToolsException Malformed(string pattern, string found, Exception? inner = null) =>
        new(ErrorCode.OptionInvalid, $"-Pattern '{pattern}'", found, "Operators with their inputs in parentheses, such as Mul(x, Sigmoid(x))", "about_TrtTools_Surgery describes the notation", inner);
}
