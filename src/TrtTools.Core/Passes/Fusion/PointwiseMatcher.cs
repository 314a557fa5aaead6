using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Fusion;

/// <summary>Connected elementwise operators of one shape. Intermediate values may be read outside; a group that a path leaves and re-enters is not formed.</summary>
internal static class PointwiseMatcher
{
    private const int MostNodes = 64;

    /// <summary>How many nodes a search for a path through the outside visits before it gives up, taking it that there is one.</summary>
    private const int LongestSearch = 4096;

    private static readonly HashSet<string> s_operators = new(StringComparer.Ordinal)
    {
        "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual",
        "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu",
        "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
    };

    public static bool IsPointwise(Node node) => node.Domain.Length == 0 && s_operators.Contains(node.OpType);

    public static void Find(string pattern, FusionScope scope)
    {
        Dictionary<Node, Chain> chains = [];
        foreach (Node node in scope.Nodes)
        {
            if (!IsPointwise(node) || !scope.IsFree(node) || !HasFloatResult(node)) continue;
            Chain chain = Chain.Of(node, scope.PositionOf(node));
            chains.Add(node, chain);
            foreach (Value input in node.Inputs.OfType<Value>())
            {
                if (input.Producer is not { } producer || producer.Graph != node.Graph || !chains.TryGetValue(producer, out Chain? other) || other == chain) continue;
                if (!Types.SameShape(input, node.Output()))
                {
                    if (Types.ShapeOf(input) is null || Types.ShapeOf(node.Output()) is null) scope.Miss(pattern, node, $"the shape of '{input.Name}' or '{node.Output()!.Name}' is not known");
                    continue;
                }
                if (chain.Nodes.Count + other.Nodes.Count > MostNodes) continue;
                if (LeavesAndReturns(other, chain, chains, scope) || LeavesAndReturns(chain, other, chains, scope))
                {
                    scope.Miss(pattern, node, $"a path from '{producer.DisplayName}' leaves the group and comes back to it");
                    continue;
                }
                Chain merged = other.Join(chain);
                foreach (Node member in merged.Nodes) chains[member] = merged;
                chain = merged;
            }
        }
        foreach (Chain chain in chains.Values.Distinct())
        {
            if (chain.Nodes.Count < 2) continue;
            List<Node> nodes = [.. chain.Nodes.OrderBy(scope.PositionOf)];
            string operators = string.Concat(nodes.Take(6).Select(n => n.OpType));
            scope.Take(pattern, $"PointwiseChain_{operators}{(nodes.Count > 6 ? FormattableString.Invariant($"_and{nodes.Count - 6}") : "")}", nodes);
        }
    }

    /// <summary>Integers and Booleans on their own are shapes and conditions, which are not worth a kernel.</summary>
    private static bool HasFloatResult(Node node) => node.Outputs.Count == 1 && Types.TypeOf(node.Output()).IsFloatingPoint();

    /// <param name="Nodes">In the order they joined.</param>
    /// <param name="First">Position of the first node.</param>
    private sealed record Chain(IReadOnlyList<Node> Nodes, int First, int Last)
    {
        public static Chain Of(Node node, int position) => new([node], position, position);

        public Chain Join(Chain other) => new([.. Nodes, .. other.Nodes], Math.Min(First, other.First), Math.Max(Last, other.Last));

        public bool Equals(Chain? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }

    /// <summary>Whether something outside both depends on <paramref name="from"/> and feeds <paramref name="to"/>. Groups that exist already count as one node each.
    /// What ends before <paramref name="from"/> begins is not searched; the rare cycle that this misses is found when all groups are known.</summary>
    private static bool LeavesAndReturns(Chain from, Chain to, Dictionary<Node, Chain> chains, FusionScope scope)
    {
        if (to.Last < from.First) return false;
        Graph graph = from.Nodes[0].Graph;
        HashSet<Node> starts = [.. to.Nodes];
        HashSet<Node> seen = [.. to.Nodes];
        Stack<Node> pending = new(to.Nodes);
        int visits = 0;
        while (pending.TryPop(out Node? node))
        {
            bool isStart = starts.Contains(node);
            foreach (Value value in node.Inputs.OfType<Value>().Concat(node.Subgraphs.SelectMany(Captures.Of)))
            {
                if (value.Producer is not { } producer || producer.Graph != graph || seen.Contains(producer)) continue;
                Chain? chain = chains.GetValueOrDefault(producer);
                if (chain == from)
                {
                    // A direct edge is what joins the two; any other way goes through the outside.
                    if (isStart) continue;
                    return true;
                }
                IReadOnlyList<Node> companions = chain?.Nodes ?? scope.GroupOf(producer)?.Nodes ?? [producer];
                int last = chain?.Last ?? scope.PositionOf(companions[^1]);
                if (last < from.First) continue;
                foreach (Node member in companions)
                {
                    if (!seen.Add(member)) continue;
                    if (++visits > LongestSearch) return true;
                    pending.Push(member);
                }
            }
        }
        return false;
    }
}
