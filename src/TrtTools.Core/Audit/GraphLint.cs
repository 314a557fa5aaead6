using TrtTools.Ir;
using TrtTools.Shapes;

namespace TrtTools.Audit;

/// <summary>Finds what is wrong with a graph: all of it in one run, in subgraphs and functions too. The graph is not changed.</summary>
public static class GraphLint
{
    public static IReadOnlyList<GraphFinding> Check(OnnxGraph graph)
    {
        // A copy, since inference sets types in place.
        OnnxGraph copy = graph.Copy();
        List<GraphFinding> findings = [];
        LintLog log = new(findings, graph.Name, graph.Path);
        foreach (LintBody body in LintBody.All(copy))
        {
            DeclarationLint.Check(body, log);
            UsageLint.Check(body, log);
        }
        ModelLint.Check(copy, log);
        CheckInferred(copy, log);
        return [.. findings.OrderByDescending(f => f.Severity)];
    }

    /// <summary>Infers the graph's types in place, and gives what a runtime would refuse. What is only odd is not looked for.</summary>
    internal static IReadOnlyList<GraphFinding> InferAndFindErrors(OnnxGraph graph)
    {
        List<GraphFinding> findings = [];
        LintLog log = new(findings, graph.Name, graph.Path);
        foreach (LintBody body in LintBody.All(graph)) DeclarationLint.Check(body, log, readsContent: false);
        ModelLint.Check(graph, log);
        CheckInferred(graph, log);
        return [.. findings.Where(f => f.Severity == FindingSeverity.Error)];
    }

    private static void CheckInferred(OnnxGraph graph, LintLog log)
    {
        ShapeResult shapes = ShapeInference.Infer(graph);
        foreach (string contradiction in shapes.Contradictions) log.Contradiction(contradiction);
        foreach (LintBody body in LintBody.All(graph))
        {
            foreach (Node node in body.Graph.Nodes) new NodeLint(node, body, log).Check();
        }
    }
}

/// <summary>Collects findings.</summary>
internal sealed class LintLog(List<GraphFinding> findings, string model, string? path)
{
    public void Error(string code, string node, string message, string fix) => Add(code, FindingSeverity.Error, node, message, fix);

    public void Warning(string code, string node, string message, string fix) => Add(code, FindingSeverity.Warning, node, message, fix);

    public void Info(string code, string node, string message, string fix) => Add(code, FindingSeverity.Info, node, message, fix);

    /// <summary>A line of shape inference: "Node 'name' (Op): …".</summary>
    public void Contradiction(string line)
    {
        const string Start = "Node '";
        int end = line.IndexOf("' (", StringComparison.Ordinal);
        string node = line.StartsWith(Start, StringComparison.Ordinal) && end > 0 ? line[Start.Length..end] : "";
        // A wrong shape in a declaration does no harm by itself, since runtimes go by what they infer; a wrong element type does.
        if (line.Contains("declared as [", StringComparison.Ordinal) || line.Contains(" is declared ", StringComparison.Ordinal)) Warning("DeclarationContradiction", node, line, "Correct the declared type, or drop it: Optimize-OnnxGraph writes the inferred one");
        else if (line.Contains("declared as ", StringComparison.Ordinal)) Error("TypeContradiction", node, line, "Correct the declared type, or the node before it");
        else Error("ShapeContradiction", node, line, "Check the exporter, or the shapes declared for this node's inputs");
    }

    private void Add(string code, FindingSeverity severity, string node, string message, string fix) =>
        findings.Add(new GraphFinding(code, severity, node, Sentence(message), Sentence(fix)) { Model = model, Path = path });

    private static string Sentence(string text) => text.EndsWith('.') || text.EndsWith('?') ? text : text + ".";
}

/// <summary>One body of a model with what holds in it.</summary>
/// <param name="Graph">The body.</param>
/// <param name="Model">The model.</param>
/// <param name="Opset">Operator-set versions in force.</param>
/// <param name="Function">The function it belongs to, itself or through subgraphs; null in the main graph.</param>
internal sealed record LintBody(Graph Graph, OnnxGraph Model, IReadOnlyDictionary<string, long> Opset, Function? Function)
{
    public bool IsMain => ReferenceEquals(Graph, Model.Body);

    /// <summary>Where a thing stands, as an ending of a sentence; empty in the main graph.</summary>
    public string Where => Graph.Owner is { } owner ? $" in a subgraph of node '{owner.DisplayName}' ({owner.OpType})" : Function is { } f ? $" in function '{f.Domain}::{f.Name}'" : "";

    public static IEnumerable<LintBody> All(OnnxGraph model) =>
        model.Body.WithSubgraphs.Select(g => new LintBody(g, model, model.OpsetImports, null))
            .Concat(model.FunctionTable.Values.SelectMany(f => f.Body.WithSubgraphs.Select(g => new LintBody(g, model, f.Opset, f))));
}
