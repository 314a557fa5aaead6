using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Passes.Simplify;

/// <summary>A Concat that only another Concat along the same axis reads becomes part of it.</summary>
internal sealed class MergeConsecutiveConcats : NodePass
{
    public override string Name => "merge-consecutive-concats";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Concat"];

    public override bool Apply(Node node, PassContext context)
    {
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            if (node.Input(i) is not { HasSingleUse: true, Producer: { } inner } value || !inner.Is("Concat") || inner.Graph != node.Graph) continue;
            if (!SameAxis(context.View(node), context.View(inner), Types.RankOf(value))) continue;
            List<Value?> inputs = [.. node.Inputs.Take(i), .. inner.Inputs, .. node.Inputs.Skip(i + 1)];
            node.SourceNodes = PassContext.SourcesOf(inner, node);
            node.SetInputs(inputs);
            context.TouchAround(node);
            context.RemoveIfUnused(inner);
            return true;
        }
        return false;
    }

    private static bool SameAxis(OperatorView a, OperatorView b, int? rank)
    {
        if (a.Axis == b.Axis) return true;
        return rank is { } r && (a.Axis + r) % r == (b.Axis + r) % r;
    }
}
