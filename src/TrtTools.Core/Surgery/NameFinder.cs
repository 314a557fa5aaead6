using System.IO.Enumeration;
using TrtTools.Data;
using TrtTools.Ir;

namespace TrtTools.Surgery;

/// <summary>Finds nodes and tensors by the names that users type. A name is first taken as it stands, even if it holds * or ?; only then as a pattern.</summary>
internal sealed class NameFinder(OnnxGraph model)
{
    private ILookup<string, Node>? _nodes;

    private ILookup<string, Node> NodesByName => _nodes ??= model.Body.NodesWithSubgraphs.ToLookup(n => n.DisplayName, StringComparer.Ordinal);

    public static bool IsPattern(string name) => name.Contains('*', StringComparison.Ordinal) || name.Contains('?', StringComparison.Ordinal);

    public static bool Matches(string pattern, string name) => string.Equals(pattern, name, StringComparison.Ordinal) || (IsPattern(pattern) && FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false));

    /// <summary>Operators go by name whatever the case, with their domain in front or without.</summary>
    public static bool IsOperator(string pattern, Node node) =>
        FileSystemName.MatchesSimpleExpression(pattern, node.OpType, ignoreCase: true) || FileSystemName.MatchesSimpleExpression(pattern, $"{(node.Domain.Length == 0 ? "ai.onnx" : node.Domain)}::{node.OpType}", ignoreCase: true);

    /// <summary>The one node of this name; a node without one goes by its first output, and so does one of several with the same name.</summary>
    public Node Node(string name)
    {
        List<Node> found = [.. NodesByName[name]];
        if (found.Count == 1) return found[0];
        if (found.Count == 0)
        {
            return ProducerOf(name) ?? throw Unknown(name);
        }
        string outputs = string.Join(", ", found.Take(4).Select(n => $"'{n.Outputs.FirstOrDefault(o => o is not null)?.Name}'"));
        throw new TrtToolsException(ErrorCode.NodeNotFound, $"Node '{name}'", $"{found.Count} nodes have this name", "It takes a name that is one node's", $"Name the node by a tensor it gives, one of {outputs}");
    }

    /// <summary>The nodes of these names and patterns, in the graph's order.</summary>
    public IReadOnlyList<Node> Nodes(IEnumerable<string> names)
    {
        HashSet<Node> found = [];
        foreach (string name in names)
        {
            if (!IsPattern(name) || NodesByName.Contains(name))
            {
                found.Add(Node(name));
                continue;
            }
            int before = found.Count;
            bool any = false;
            foreach (Node node in model.Body.NodesWithSubgraphs.Where(n => Matches(name, n.DisplayName))) any |= found.Add(node);
            if (!any && found.Count == before && !found.Any(n => Matches(name, n.DisplayName))) throw Unknown(name);
        }
        return [.. model.Body.NodesWithSubgraphs.Where(found.Contains)];
    }

    /// <summary>The tensor of this name: the main graph's, else the one of a subgraph.</summary>
    public Value Tensor(string name)
    {
        if (model.Body.Find(name) is { } main) return main;
        List<Value> found = [.. model.Body.WithSubgraphs.Skip(1).Select(g => g.Find(name)).OfType<Value>()];
        if (found.Count == 1) return found[0];
        if (found.Count == 0) throw UnknownTensor(name);
        throw new TrtToolsException(ErrorCode.TensorNotFound, $"Tensor '{name}'", $"{found.Count} subgraphs have one of this name ({string.Join(", ", found.Take(3).Select(v => $"'{GraphNode.ScopeOf(v.Graph)}'"))})",
            "It takes a name that is one tensor's", "Rename the others first, by way of the nodes that give them");
    }

    /// <summary>The tensor of this name in the main graph.</summary>
    public Value MainTensor(string name)
    {
        Value value = Tensor(name);
        if (value.Graph == model.Body) return value;
        throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{name}'", $"it stands in a subgraph ('{GraphNode.ScopeOf(value.Graph)}')", "It takes a tensor of the main graph", "Give an output of the node around it");
    }

    /// <summary>What a node of this body can read under this name.</summary>
    public Value Visible(Graph body, string name)
    {
        if (body.Resolve(name) is { } value) return value;
        Value elsewhere = Tensor(name);
        throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{name}'", $"it stands in a subgraph ('{GraphNode.ScopeOf(elsewhere.Graph)}') that the node does not see", "A tensor of the node's own body or of one around it", "Give an output of the node around it");
    }

    /// <summary>The tensors of these names and patterns, each once; patterns look at the main graph, and beyond it with <paramref name="recurse"/>.</summary>
    public IReadOnlyList<Value> Tensors(IEnumerable<string> names, bool recurse = false, Func<Value, bool>? among = null, string kind = "tensor")
    {
        OrderedDictionary<Value, bool> found = [];
        foreach (string name in names)
        {
            if (!IsPattern(name) || model.Body.Find(name) is not null)
            {
                found.TryAdd(Tensor(name), true);
                continue;
            }
            List<Value> matching = [.. (recurse ? model.Body.WithSubgraphs.SelectMany(g => g.Values) : model.Body.Values).Where(v => (among is null || among(v)) && Matches(name, v.Name))];
            if (matching.Count == 0)
            {
                throw new TrtToolsException(ErrorCode.TensorNotFound, $"{Capital(kind)} '{name}'", $"no {kind} of '{model.Name}' matches", "It takes a name, or a pattern with * and ?.", NearestTensors(name.Trim('*', '?')));
            }
            foreach (Value value in matching) found.TryAdd(value, true);
        }
        return [.. found.Keys];
    }

    private Node? ProducerOf(string tensor) => model.Body.WithSubgraphs.Select(g => g.Find(tensor)?.Producer).FirstOrDefault(n => n is not null);

    private TrtToolsException Unknown(string name) => new(ErrorCode.NodeNotFound, $"Node '{name}'", $"'{model.Name}' has no node of this name", "",
        Nearest(name, NodesByName.Select(n => n.Key), "Get-GraphNode lists the nodes"));

    private TrtToolsException UnknownTensor(string name) => new(ErrorCode.TensorNotFound, $"Tensor '{name}'", $"'{model.Name}' has no tensor of this name", "", NearestTensors(name));

    private string NearestTensors(string name) => Nearest(name, model.Body.WithSubgraphs.SelectMany(g => g.Values).Select(v => v.Name), "Get-GraphTensor lists the tensors");

    /// <summary>The three nearest names, whatever their distance: there is always something to go on from. <paramref name="otherwise"/> says that there are none, or names the cmdlet that lists them.</summary>
    internal static string Nearest(string name, IEnumerable<string> candidates, string otherwise)
    {
        List<string> nearest = [.. candidates.Where(c => c.Length > 0).Distinct(StringComparer.Ordinal).Select(c => (Name: c, Distance: Distance(c, name))).OrderBy(c => c.Distance).ThenBy(c => c.Name, StringComparer.Ordinal).Take(3).Select(c => c.Name)];
        if (nearest.Count == 0) return otherwise;
        string near = nearest.Count == 1 ? $"The nearest is '{nearest[0]}'" : $"The nearest are {string.Join(", ", nearest.Select(n => $"'{n}'"))}";
        return otherwise.StartsWith("Get-", StringComparison.Ordinal) ? $"{near}; {otherwise}" : near;
    }

    private static int Distance(string candidate, string name) => name.Length > 2 && candidate.Contains(name, StringComparison.OrdinalIgnoreCase) ? 1 : EditDistance.Of(candidate, name) * 2;

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
