using TrtTools.Ir;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>A Transpose of a Transpose is one Transpose, or none.</summary>
internal sealed class MergeConsecutiveTransposes : NodePass
{
    public override string Name => "merge-consecutive-transposes";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Transpose"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { Producer: { } inner } || !inner.Is("Transpose") || inner.Input(0) is not { } source || node.Output() is not { } output) return false;
        if (node.Attributes.Ints("perm") is not { } second || inner.Attributes.Ints("perm") is not { } first || first.Length != second.Length) return false;
        if (second.Any(p => p < 0 || p >= first.Length)) return false;
        long[] combined = [.. second.Select(p => first[p])];
        if (combined.Select((p, i) => p == i).All(same => same) && PassContext.CanReplace(output, source))
        {
            context.Replace(output, source);
            return true;
        }
        node.SourceNodes = PassContext.SourcesOf(inner, node);
        node.Attributes.Set(Attribute.Ints("perm", combined));
        context.SetInput(node, 0, source);
        return true;
    }
}
