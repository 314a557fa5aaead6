using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Reshape after Reshape, Flatten, Squeeze or Unsqueeze reads the original value; Squeeze undoes Unsqueeze; Unsqueeze of Unsqueeze and
/// Squeeze of Squeeze become one.</summary>
internal sealed class MergeConsecutiveReshapes : NodePass
{
    public override string Name => "merge-consecutive-reshapes";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Reshape", "Flatten", "Squeeze", "Unsqueeze"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { Producer: { Domain.Length: 0 } inner } || inner.Input(0) is not { } source || node.Output() is not { } output) return false;
        if (!OpTypes.Contains(inner.OpType)) return false;
        if (Types.SameShape(source, output) && PassContext.CanReplace(output, source))
        {
            context.Replace(output, source);
            return true;
        }
        OperatorView view = context.View(node);
        switch (node.OpType)
        {
            case "Reshape":
                // A 0 copies an extent of the inner result, which the source may not have at that place.
                if (view.ReshapeTarget is not { } target || target.Contains(0L)) return false;
                node.SourceNodes = PassContext.SourcesOf(inner, node);
                context.SetInput(node, 0, source);
                return true;
            case "Squeeze" or "Unsqueeze":
                if (view.Axes is not { } axes || context.View(inner).Axes is not { } innerAxes) return false;
                return inner.OpType == node.OpType ? Merge(node, inner, axes, innerAxes, source, context)
                    : inner.OpType is "Squeeze" or "Unsqueeze" && Cancel(node, inner, axes, innerAxes, source, output, context);
            default:
                return false;
        }
    }

    private static bool Cancel(Node node, Node inner, long[] axes, long[] innerAxes, Value source, Value output, PassContext context)
    {
        // Equal non-negative axes: what one puts in, the other takes out again.
        if (axes.Any(a => a < 0) || innerAxes.Any(a => a < 0) || !axes.Order().SequenceEqual(innerAxes.Order()) || !PassContext.CanReplace(output, source)) return false;
        if (inner.OpType == "Squeeze" && node.OpType != "Unsqueeze") return false;
        context.Replace(output, source);
        return true;
    }

    private static bool Merge(Node node, Node inner, long[] axes, long[] innerAxes, Value source, PassContext context)
    {
        if (Types.RankOf(source) is not { } rank) return false;
        bool adds = node.OpType == "Unsqueeze";
        int middle = adds ? rank + innerAxes.Length : rank - innerAxes.Length;
        int final = adds ? middle + axes.Length : middle - axes.Length;
        if (final < 0) return false;
        // Marks of the axes of the larger shape (Unsqueeze: the result; Squeeze: the source) that go or come.
        int outerRank = adds ? final : rank;
        bool[] marks = new bool[outerRank];
        long[] outermost = adds ? axes : innerAxes;
        long[] other = adds ? innerAxes : axes;
        foreach (long axis in outermost) marks[Normalize(axis, outerRank)] = true;
        List<int> rest = [.. Enumerable.Range(0, outerRank).Where(i => !marks[i])];
        if (rest.Count != middle) return false;
        foreach (long axis in other) marks[rest[Normalize(axis, middle)]] = true;
        long[] merged = [.. Enumerable.Range(0, outerRank).Where(i => marks[i]).Select(i => (long)i)];
        node.SourceNodes = PassContext.SourcesOf(inner, node);
        if (node.Inputs.Count > 1) context.SetInput(node, 1, node.Graph.AddConstant(node.Output()!.Name + "_axes", TensorData.Vector<long>(merged)));
        else node.Attributes.Set(Attribute.Ints("axes", merged));
        context.SetInput(node, 0, source);
        return true;
    }

    private static int Normalize(long axis, int rank) => (int)(axis < 0 ? axis + rank : axis);
}
