using TrtTools.Ir;

namespace TrtTools.Passes.Fusion;

/// <summary>A depthwise convolution, with what follows it, and the pointwise convolution that alone reads it: one layer.</summary>
internal static class SeparableMatcher
{
    public static void Find(string pattern, FusionScope scope)
    {
        foreach (Node pointwise in scope.LastOf(["Conv"]).Reverse().ToList())
        {
            if (!IsPointwise(pointwise, scope) || pointwise.Input(0) is not { Producer: { } before } between || before.Graph != pointwise.Graph) continue;
            if (GroupOf(pointwise, scope) is not { } second || !ReferenceEquals(second.Nodes[0], pointwise) || GroupOf(before, scope) is not { } first || !IsDepthwise(first.Nodes[0], scope)) continue;
            if (FusionScope.WhyVisible(between, new HashSet<Node> { pointwise }) is { } reason)
            {
                scope.Miss(pattern, pointwise, reason);
                continue;
            }
            scope.Join([first, second], pattern, $"{first.FunctionName}_{second.FunctionName}");
        }
    }

    /// <summary>A convolution's group, or a group of the convolution alone.</summary>
    private static FusionGroup? GroupOf(Node node, FusionScope scope) =>
        scope.GroupOf(node) is { } group ? group.Pattern == "Conv" ? group : null : node.Is("Conv") && scope.IsFree(node) ? new FusionGroup("Conv", node.Input(2) is null ? "Conv" : "ConvBias", [node]) : null;

    private static bool IsDepthwise(Node node, FusionScope scope) =>
        node.Is("Conv") && Types.StaticShapeOf(node.Input(1)) is { Length: 4 } weights && weights[1] == 1 && scope.View(node).Int("group", 1) is > 1 and var group && group == weights[0];

    private static bool IsPointwise(Node node, FusionScope scope) =>
        node.Domain.Length == 0 && Types.StaticShapeOf(node.Input(1)) is { Length: 4 } weights && weights[2] == 1 && weights[3] == 1 && scope.View(node).Int("group", 1) == 1
        && scope.View(node).Ints("strides") is null or [1, 1] && (scope.View(node).Ints("pads") is not { } pads || pads.All(p => p == 0));
}
