using System.Collections;
using System.Management.Automation.Language;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

/// <summary>Names of the graph's nodes, those of subgraphs included; a node without a name goes by its first output.</summary>
public sealed class NodeNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) =>
        GraphAtCursor.Find(command, bound) is { } graph ? GraphQuery.Nodes(graph, new NodeQuery { Recurse = true }).Select(n => (n.Name.Length > 0 ? n.Name : n.Outputs.FirstOrDefault(o => o.Length > 0) ?? "", n.OpType)).Where(c => c.Item1.Length > 0) : [];
}

/// <summary>Names of all the graph's tensors.</summary>
public sealed class TensorNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) =>
        GraphAtCursor.Find(command, bound) is { } graph ? GraphQuery.TensorNames(graph).Select(t => (t, "")) : [];
}

/// <summary>Names of nodes and tensors.</summary>
public sealed class NodeOrTensorNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) =>
        GraphAtCursor.Find(command, bound) is { } graph ? graph.Nodes.Where(n => n.Name.Length > 0).Select(n => (n.Name, n.OpType)).Concat(GraphQuery.TensorNames(graph).Select(t => (t, ""))) : [];
}

/// <summary>Names of the graph's inputs.</summary>
public sealed class GraphInputNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => (GraphAtCursor.Find(command, bound)?.Inputs ?? []).Select(i => (i.Name, i.ToString()));
}

/// <summary>Names of the graph's outputs.</summary>
public sealed class GraphOutputNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => (GraphAtCursor.Find(command, bound)?.Outputs ?? []).Select(o => (o.Name, o.ToString()));
}

/// <summary>Names of the graph's initializers.</summary>
public sealed class InitializerNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => (GraphAtCursor.Find(command, bound)?.Initializers ?? []).Select(i => (i.Name, i.ToString()));
}

/// <summary>Operators that the graph's nodes are of.</summary>
public sealed class NodeOperatorCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) =>
        GraphAtCursor.Find(command, bound) is { } graph ? GraphQuery.Nodes(graph, new NodeQuery { Recurse = true }).Select(n => (n.Domain == "ai.onnx" ? n.OpType : $"{n.Domain}::{n.OpType}", "")) : [];
}

/// <summary>Operators that a new node can be.</summary>
public sealed class OperatorCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => SurgeryNames.Operators.Select(o => (o, ""));
}

/// <summary>The model's own functions.</summary>
public sealed class FunctionNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => (GraphAtCursor.Find(command, bound)?.Functions ?? []).Select(f => (f, ""));
}

/// <summary>Offers @{ 'output' = '' } for each output of the graph.</summary>
public sealed class TensorMapCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => (GraphAtCursor.Find(command, bound)?.Outputs ?? []).Select(o => ($"@{{ {Quote(o.Name)} = '' }}", o.ToString()));

    private protected override string Write(string text) => text;
}
