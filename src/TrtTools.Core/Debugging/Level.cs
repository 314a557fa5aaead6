using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Debugging;

/// <summary>A model that is searched: the one given, or what is left of it when an If that was found is replaced by the branch that it takes.</summary>
internal sealed class Level : IDisposable
{
    private readonly CheckSession _session;
    private readonly Func<ModelCandidate, CheckVerdict> _check;
    private readonly Report _report;
    private readonly string _prefix;
    private readonly OnnxGraph _graph;
    private Level? _inside;

    private Level(OnnxGraph graph, ValueCapture? capture, string problem, CheckSession session, Func<ModelCandidate, CheckVerdict> check, string prefix, Report report)
    {
        (_graph, Capture, Problem, _session, _check, _prefix, _report) = (graph, capture, problem, session, check, prefix, report);
        Maker = new CandidateMaker(graph, capture);
    }

    public ValueCapture? Capture { get; }

    /// <summary>Why there is nothing captured.</summary>
    public string Problem { get; }

    public CandidateMaker Maker { get; }

    public string Name => _graph.Name;

    public string WholeReason { get; private set; } = "";

    public CancellationToken Stop => _session.Stop;

    /// <param name="prefix">Tells candidates of this level from those of others.</param>
    public static Level Open(OnnxGraph graph, IReadOnlyDictionary<string, TensorData>? inputs, CheckSession session, Func<ModelCandidate, CheckVerdict> check, string prefix, Report report)
    {
        report.Progress("Reducing", $"{graph.Name}: running it in ONNX Runtime", 0);
        ValueCapture? capture = ValueCapture.Open(graph, inputs, out string problem, session.Stop);
        return new Level(graph, capture, problem, session, check, prefix, report);
    }

    public ModelCandidate Whole()
    {
        OnnxGraph copy = _graph.Copy();
        IReadOnlyDictionary<string, TensorData>? outputs = Capture?.Get(_graph.Body.Outputs, Stop);
        return new ModelCandidate(copy, Capture is null ? null : CandidateMaker.Tensors(_graph.Body.Inputs.Where(i => Capture.Inputs.ContainsKey(i.Name)), Capture.Inputs),
            outputs is null ? null : CandidateMaker.Tensors(_graph.Body.Outputs.Where(o => outputs.ContainsKey(o.Name)), outputs));
    }

    public CheckVerdict CheckWhole()
    {
        CheckVerdict verdict = _session.Check($"{_prefix}whole", _prefix.Length == 0 ? "Whole" : "Inside", Maker.Nodes.Count, () => _check(Whole()));
        WholeReason = verdict.Reason;
        return verdict;
    }

    /// <summary>Null where these nodes cannot be had alone.</summary>
    public CheckVerdict? Check(IReadOnlySet<Node> nodes, bool lastOnly, string stage)
    {
        string key = $"{_prefix}{PlaceText.Of(nodes.Select(Maker.IndexOf))}{(lastOnly ? " (last only)" : "")}";
        // The candidate is made even when the replay file knows the verdict: whether it can be made is part of the search.
        return Maker.Make(nodes, lastOnly, Stop) is { } candidate ? _session.Check(key, stage, nodes.Count, () => _check(candidate)) : null;
    }

    /// <summary>The model that an If alone becomes when the branch it takes is put in its place; null for anything else.</summary>
    public Level? Inside(IReadOnlyList<Node> part)
    {
        if (part is not [{ } node] || !node.Is("If") || Capture is null || Maker.Make(new HashSet<Node> { node }, lastOnly: false, Stop) is not { InputData: { } data } candidate) return null;
        OnnxGraph graph = candidate.Graph.Copy();
        Node twin = graph.Body.Nodes.First(n => n.Is("If"));
        if (twin.Input(0) is { IsGraphInput: true } condition && data[condition.Name] is Tensor known) graph.Body.MakeConstant(condition, known.Content);
        OnnxGraph opened = GraphOptimizer.Optimize(graph, new OptimizeOptions { Pass = ["inline-constant-if"] }, Report.None, Stop);
        if (opened.Body.NodesWithSubgraphs.Count() >= graph.Body.NodesWithSubgraphs.Count() || opened.Body.Nodes.All(n => n.Is("Constant"))) return null;
        Dictionary<string, TensorData> inputs = opened.Body.Inputs.Where(i => data.Contains(i.Name)).ToDictionary(i => i.Name, i => ((Tensor)data[i.Name]!).Content, StringComparer.Ordinal);
        _inside?.Dispose();
        return _inside = Open(opened, inputs, _session, _check, $"{_prefix}{node.DisplayName}: ", _report);
    }

    public void Dispose()
    {
        _inside?.Dispose();
        Capture?.Dispose();
    }
}
