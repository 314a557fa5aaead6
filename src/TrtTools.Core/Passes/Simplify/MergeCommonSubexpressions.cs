using System.Text;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Nodes that compute the same from the same become one. One walk in topological order; a nested body also sees what stands before its owner.</summary>
internal sealed class MergeCommonSubexpressions : GraphPass
{
    public override string Name => "merge-common-subexpressions";

    public override int Apply(PassContext context) => Merge(context.Model.Body, new Scope(null), context);

    private int Merge(Graph graph, Scope scope, PassContext context)
    {
        int count = 0;
        foreach (Node node in graph.Nodes)
        {
            foreach (Graph below in node.Subgraphs.ToList()) count += Merge(below, new Scope(scope), context);
            if (!MayMerge(node)) continue;
            if (scope.Find(node) is not { } first)
            {
                scope.Add(node);
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

    private static bool MayMerge(Node node) => !node.Is("Constant") && !Traits.IsRandom(node) && !node.Attributes.HasGraphs;

    private sealed class Scope(Scope? outer)
    {
        private readonly Dictionary<Node, Node> _nodes = new(SameComputation.Comparer);

        public Node? Find(Node node) => _nodes.TryGetValue(node, out Node? first) && first.IsAlive ? first : outer?.Find(node);

        public void Add(Node node) => _nodes[node] = node;
    }

    /// <summary>Nodes that are equal when they compute the same. Their inputs must not change while they are keys.</summary>
    private sealed class SameComputation : IEqualityComparer<Node>
    {
        public static SameComputation Comparer { get; } = new();

        public bool Equals(Node? x, Node? y)
        {
            if (ReferenceEquals(x, y)) return true;
            if (x is null || y is null || x.OpType != y.OpType || x.Domain != y.Domain || x.Overload != y.Overload || x.Attributes.Count != y.Attributes.Count) return false;
            if (x.Inputs.Count != y.Inputs.Count || x.Outputs.Count != y.Outputs.Count) return false;
            for (int i = 0; i < x.Inputs.Count; i++)
            {
                if (!ReferenceEquals(x.Inputs[i], y.Inputs[i])) return false;
            }
            for (int i = 0; i < x.Outputs.Count; i++)
            {
                if (x.Outputs[i] is null != y.Outputs[i] is null) return false;
            }
            StringBuilder first = new(), second = new();
            return Describe(x, first) && Describe(y, second) && first.Equals(second);
        }

        public int GetHashCode(Node node)
        {
            HashCode hash = new();
            hash.Add(node.OpType, StringComparer.Ordinal);
            foreach (Value? input in node.Inputs) hash.Add(input);
            int sum = 0;
            foreach (Attribute attribute in node.Attributes)
            {
                // Summed, since attributes stand in any order; what tells most apart is enough.
                if (attribute.Content is long number) sum += HashCode.Combine(number);
                else if (attribute.Content is float real) sum += HashCode.Combine(real);
                else if (attribute.Content is long[] numbers)
                {
                    int list = numbers.Length;
                    foreach (long item in numbers) list = (list * 31) + (int)item;
                    sum += list;
                }
            }
            hash.Add(sum);
            return hash.ToHashCode();
        }

        private static bool Describe(Node node, StringBuilder text)
        {
            foreach (Attribute attribute in node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal))
            {
                text.Append('|');
                if (!AttributeText.Append(text, attribute)) return false;
            }
            return true;
        }
    }
}
