using System.Text;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Nodes that compute the same from the same become one. One walk in topological order; a nested body also sees what stands before its owner.</summary>
internal sealed class MergeCommonSubexpressions : GraphPass
{
    private readonly Dictionary<Value, int> _ids = [];

    public override string Name => "merge-common-subexpressions";

    public override int Apply(PassContext context)
    {
        _ids.Clear();
        int count = Merge(context.Model.Body, new Scope(null), context);
        _ids.Clear();
        return count;
    }

    private int Merge(Graph graph, Scope scope, PassContext context)
    {
        int count = 0;
        foreach (Node node in graph.Nodes)
        {
            foreach (Graph below in node.Subgraphs.ToList()) count += Merge(below, new Scope(scope), context);
            if (KeyOf(node) is not { } key) continue;
            if (scope.Find(key) is not { } first)
            {
                scope.Add(key, node);
                continue;
            }
            if (!CanReplaceAll(node, first)) continue;
            first.SourceNodes = PassContext.SourcesOf(first, node);
            for (int i = 0; i < node.Outputs.Count; i++)
            {
                if (node.Outputs[i] is { } output) context.Replace(output, first.Outputs[i]!);
            }
            count++;
        }
        return count;
    }

    private static bool CanReplaceAll(Node node, Node first)
    {
        for (int i = 0; i < node.Outputs.Count; i++)
        {
            // Where both are graph outputs, one would need a node to copy the other: nothing is won.
            if (node.Outputs[i] is { IsGraphOutput: true } && (first.Outputs[i]!.IsGraphOutput || first.Graph != node.Graph)) return false;
        }
        return true;
    }

    private string? KeyOf(Node node)
    {
        if (node.Is("Constant") || Traits.IsRandom(node) || node.Subgraphs.Any()) return null;
        StringBuilder key = new();
        key.Append(node.Domain).Append(':').Append(node.OpType).Append(':').Append(node.Overload);
        foreach (Value? output in node.Outputs) key.Append(output is null ? '-' : '+');
        foreach (Value? input in node.Inputs) key.Append(' ').Append(input is null ? -1 : IdOf(input));
        foreach (Attribute attribute in node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal))
        {
            key.Append('|');
            if (!AttributeText.Append(key, attribute)) return null;
        }
        return key.ToString();
    }

    private int IdOf(Value value)
    {
        if (!_ids.TryGetValue(value, out int id)) _ids.Add(value, id = _ids.Count);
        return id;
    }

    private sealed class Scope(Scope? outer)
    {
        private readonly Dictionary<string, Node> _nodes = new(StringComparer.Ordinal);

        public Node? Find(string key) => _nodes.TryGetValue(key, out Node? node) && node.IsAlive ? node : outer?.Find(key);

        public void Add(string key, Node node) => _nodes[key] = node;
    }
}
