using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Fusion;

/// <summary>Nodes that become one.</summary>
/// <param name="Pattern">The pattern that found them.</param>
/// <param name="FunctionName">What the function is called.</param>
/// <param name="Nodes">In the graph's order.</param>
internal sealed record FusionGroup(string Pattern, string FunctionName, IReadOnlyList<Node> Nodes);

/// <summary>What the matchers share: positions, which node is taken already, and the near misses.</summary>
internal sealed class FusionScope
{
    private readonly OnnxGraph _model;
    private readonly Dictionary<Node, int> _positions = [];
    private readonly Dictionary<string, List<Node>> _byOperator = new(StringComparer.Ordinal);
    private readonly Dictionary<Node, FusionGroup> _taken = [];

    /// <summary>Nodes whose attributes cannot stand in a function's body.</summary>
    private readonly HashSet<Node> _fixed = [];
    private readonly List<FusionGroup> _groups = [];
    private readonly List<FusionRecord> _misses = [];
    private readonly HashSet<(string, Node)> _missed = [];

    /// <param name="activations">What may end a convolution or a matrix product.</param>
    public FusionScope(OnnxGraph model, IReadOnlyList<Composite> activations)
    {
        _model = model;
        Activations = activations;
        ActivationEnds = activations.SelectMany(a => a.Shapes).SelectMany(s => s.RootOpTypes).ToHashSet(StringComparer.Ordinal);
        foreach (Node node in model.Body.NodesWithSubgraphs)
        {
            _positions.Add(node, _positions.Count);
            foreach (Ir.Attribute attribute in node.Attributes)
            {
                if (attribute.Reference is not null || attribute.Content is not (float or long or byte[] or long[] or float[] or byte[][] or TensorData or TensorData[])) _fixed.Add(node);
            }
            string key = KeyOf(node.Domain, node.OpType);
            if (!_byOperator.TryGetValue(key, out List<Node>? nodes)) _byOperator.Add(key, nodes = []);
            nodes.Add(node);
        }
    }

    public OnnxGraph Model => _model;

    public IReadOnlyList<Composite> Activations { get; }

    /// <summary>Operators that end one of them.</summary>
    public IReadOnlySet<string> ActivationEnds { get; }

    public IReadOnlyList<FusionGroup> Groups => _groups;

    public IReadOnlyList<FusionRecord> Misses => _misses;

    public IEnumerable<Node> Nodes => _positions.Keys;

    /// <summary>Nodes of these operators ("Add", "com.microsoft::Gelu"), the last first.</summary>
    public IEnumerable<Node> LastOf(IEnumerable<string> operators) =>
        operators.Distinct(StringComparer.Ordinal).SelectMany(o => _byOperator.GetValueOrDefault(o) ?? []).OrderByDescending(PositionOf);

    private static string KeyOf(string domain, string opType) => domain.Length == 0 ? opType : $"{domain}::{opType}";

    public OperatorView View(Node node) => OperatorView.Of(_model, node);

    public int PositionOf(Node node) => _positions[node];

    public FusionGroup? GroupOf(Node node) => _taken.GetValueOrDefault(node);

    public bool IsFree(Node node) => !_taken.ContainsKey(node) && !_fixed.Contains(node);

    /// <summary>Takes the nodes. They are all free.</summary>
    public void Take(string pattern, string functionName, IEnumerable<Node> nodes)
    {
        FusionGroup group = new(pattern, functionName, [.. nodes.Distinct().OrderBy(PositionOf)]);
        foreach (Node node in group.Nodes) _taken.Add(node, group);
        _groups.Add(group);
    }

    /// <summary>Puts another set in the place of a group's.</summary>
    public void Replace(FusionGroup old, FusionGroup replacement)
    {
        _groups[_groups.IndexOf(old)] = replacement;
        foreach (Node node in replacement.Nodes) _taken[node] = replacement;
    }

    /// <summary>Makes one group of several, or of nodes that are in none yet.</summary>
    public void Join(IReadOnlyList<FusionGroup> members, string pattern, string functionName)
    {
        foreach (FusionGroup member in members) _groups.Remove(member);
        FusionGroup group = new(pattern, functionName, [.. members.SelectMany(m => m.Nodes).OrderBy(PositionOf)]);
        foreach (Node node in group.Nodes) _taken[node] = group;
        _groups.Add(group);
    }

    /// <summary>Notes what nearly fused, once per node and pattern.</summary>
    public void Miss(string pattern, Node node, string reason)
    {
        if (!_missed.Add((pattern, node))) return;
        _misses.Add(new FusionRecord(pattern, node.DisplayName, false, reason) { SourceNode = [.. PassContext.SourcesOf(node)], Model = _model.Name, Path = _model.Path });
    }

    /// <summary>Why the value cannot disappear inside a group; null when only nodes of the group read it.</summary>
    public static string? WhyVisible(Value value, IReadOnlySet<Node> group)
    {
        if (value.IsGraphOutput) return $"'{value.Name}' is a graph output";
        foreach (Use use in value.UseList)
        {
            if (!group.Contains(use.Node)) return $"'{value.Name}' is also read by '{use.Node.DisplayName}'";
        }
        return null;
    }

    /// <summary>Why the nodes cannot be one group that ends in <paramref name="last"/>; null when they can.</summary>
    /// <param name="visible">Values that others may read.</param>
    public string? WhyNot(IReadOnlyCollection<Node> nodes, Node last, IReadOnlyCollection<Value>? visible = null)
    {
        HashSet<Node> group = [.. nodes];
        foreach (Node node in nodes.OrderBy(PositionOf))
        {
            if (_fixed.Contains(node)) return $"'{node.DisplayName}' has an attribute that cannot stand in a function";
            if (GroupOf(node) is { } other) return $"'{node.DisplayName}' is part of a fused {other.FunctionName} already";
            if (ReferenceEquals(node, last))
            {
                foreach (Value extra in node.Outputs.Skip(1).OfType<Value>())
                {
                    if (extra.HasUses) return $"its output '{extra.Name}' is used";
                }
                continue;
            }
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                if (visible?.Contains(output) != true && WhyVisible(output, group) is { } reason) return reason;
            }
        }
        return null;
    }
}
