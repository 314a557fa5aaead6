using TrtTools.Onnx.Proto;

namespace TrtTools.Onnx;

/// <summary>Finds what no graph can represent before one is made: names defined twice, names nobody defines, functions that call themselves.
/// All faults come in one error.</summary>
internal sealed class StructureCheck
{
    private const int Shown = 20;
    private readonly List<string> _problems = [];
    private readonly List<HashSet<string>> _scopes = [];

    public static void Run(ModelProto model, string file)
    {
        StructureCheck check = new();
        check.CheckGraph(model.Graph, "the graph");
        foreach (FunctionProto function in model.Functions) check.CheckFunction(function);
        check.CheckRecursion(model);
        if (check._problems.Count == 0) return;
        string found = string.Join("; ", check._problems.Take(Shown));
        if (check._problems.Count > Shown) found += $"; and {check._problems.Count - Shown} more";
        throw Malformed.Model(file, found, "Every tensor is defined once, by an input, an initializer or a node, before it is read");
    }

    public static string Describe(NodeProto node) =>
        node.Name.Length > 0 ? $"node '{node.Name}' ({node.OpType})" : $"the {node.OpType} that makes '{node.Output.FirstOrDefault(o => o.Length > 0) ?? ""}'";

    private void CheckGraph(GraphProto graph, string where)
    {
        Dictionary<string, string> defined = new(StringComparer.Ordinal);
        foreach (ValueInfoProto input in graph.Input)
        {
            if (input.Name.Length == 0) _problems.Add($"an input of {where} has no name");
            else if (!defined.TryAdd(input.Name, "an input")) _problems.Add($"'{input.Name}' stands twice among the inputs of {where}");
        }
        HashSet<string> initialized = new(StringComparer.Ordinal);
        foreach (string name in graph.Initializer.Select(i => i.Name).Concat(graph.SparseInitializer.Select(s => s.Values?.Name ?? "")))
        {
            if (name.Length == 0) _problems.Add($"an initializer of {where} has no name");
            else if (!initialized.Add(name)) _problems.Add($"'{name}' stands twice among the initializers of {where}");
            else defined.TryAdd(name, "an initializer");
        }
        CheckNodes(graph.Node, graph.Output.Select(o => o.Name), defined, where);
    }

    private void CheckFunction(FunctionProto function)
    {
        string where = $"function '{function.Domain}::{function.Name}'";
        Dictionary<string, string> defined = new(StringComparer.Ordinal);
        foreach (string input in function.Input)
        {
            if (input.Length == 0) _problems.Add($"an input of {where} has no name");
            else if (!defined.TryAdd(input, "an input")) _problems.Add($"'{input}' stands twice among the inputs of {where}");
        }
        CheckNodes(function.Node, function.Output, defined, where);
        CheckAttributes(function.AttributeProto, where);
    }

    private void CheckNodes(IReadOnlyList<NodeProto> nodes, IEnumerable<string> outputs, Dictionary<string, string> defined, string where)
    {
        foreach (NodeProto node in nodes)
        {
            foreach (string output in node.Output)
            {
                if (output.Length == 0 || defined.TryAdd(output, "")) continue;
                string first = defined[output] is { Length: > 0 } text ? text : _problems.Count < Shown ? Describe(nodes.First(n => n.Output.Contains(output))) : "a node";
                _problems.Add($"'{output}' is defined twice in {where}, by {first} and by {Describe(node)}");
            }
        }
        _scopes.Add([.. defined.Keys]);
        foreach (NodeProto node in nodes)
        {
            CheckAttributes(node.Attribute, Describe(node));
            foreach (string input in node.Input)
            {
                if (input.Length > 0 && !IsVisible(input)) _problems.Add($"{Describe(node)} reads '{input}', which nothing defines");
            }
        }
        foreach (string output in outputs)
        {
            if (!IsVisible(output)) _problems.Add($"output '{output}' of {where} is defined by nothing");
        }
        _scopes.RemoveAt(_scopes.Count - 1);
    }

    private void CheckAttributes(IReadOnlyList<AttributeProto> attributes, string owner)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (AttributeProto attribute in attributes)
        {
            if (!names.Add(attribute.Name)) _problems.Add($"{owner} has two attributes '{attribute.Name}'");
            if (attribute.G is { } graph) CheckGraph(graph, $"'{attribute.Name}' of {owner}");
            foreach (GraphProto g in attribute.Graphs) CheckGraph(g, $"'{attribute.Name}' of {owner}");
        }
    }

    private bool IsVisible(string name)
    {
        for (int i = _scopes.Count - 1; i >= 0; i--)
        {
            if (_scopes[i].Contains(name)) return true;
        }
        return false;
    }

    private void CheckRecursion(ModelProto model)
    {
        Dictionary<(string, string, string), FunctionProto> table = [];
        foreach (FunctionProto function in model.Functions)
        {
            if (!table.TryAdd((function.Domain, function.Name, function.Overload), function)) _problems.Add($"function '{function.Domain}::{function.Name}' is defined twice");
        }
        HashSet<FunctionProto> done = new(ReferenceEqualityComparer.Instance);
        foreach (FunctionProto start in model.Functions)
        {
            // Depth first with a stack of our own: calls may be chained thousands deep.
            List<(FunctionProto Function, IEnumerator<FunctionProto> Calls)> path = [];
            if (!done.Add(start)) continue;
            path.Add((start, Calls(start.Node, table).GetEnumerator()));
            while (path.Count > 0)
            {
                if (!path[^1].Calls.MoveNext())
                {
                    path.RemoveAt(path.Count - 1);
                    continue;
                }
                FunctionProto next = path[^1].Calls.Current;
                int at = path.FindIndex(p => ReferenceEquals(p.Function, next));
                if (at >= 0) _problems.Add($"functions call themselves: {string.Join(" → ", path.Skip(at).Select(p => p.Function.Name).Append(next.Name))}");
                else if (done.Add(next)) path.Add((next, Calls(next.Node, table).GetEnumerator()));
            }
        }
    }

    private static IEnumerable<FunctionProto> Calls(IEnumerable<NodeProto> nodes, Dictionary<(string, string, string), FunctionProto> table)
    {
        foreach (NodeProto node in nodes)
        {
            if (table.TryGetValue((node.Domain == "ai.onnx" ? "" : node.Domain, node.OpType, node.Overload), out FunctionProto? function)) yield return function;
            foreach (AttributeProto attribute in node.Attribute)
            {
                foreach (GraphProto graph in attribute.G is { } g ? attribute.Graphs.Append(g) : attribute.Graphs)
                {
                    foreach (FunctionProto called in Calls(graph.Node, table)) yield return called;
                }
            }
        }
    }
}
