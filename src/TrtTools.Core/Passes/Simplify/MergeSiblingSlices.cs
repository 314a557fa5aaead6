using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Slices that together take all of one value along one axis, each a part of its own, are one Split.</summary>
internal sealed class MergeSiblingSlices : NodePass
{
    public override string Name => "merge-sibling-slices";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Slice"];

    public override bool Apply(Node node, PassContext context)
    {
        if (context.Opset < 2 || node.Input(0) is not { } whole || whole.UseList.Count > 64 || Read(node, context) is not { } own) return false;
        List<(long Start, long End, Node Node)> parts = [];
        foreach (Use use in whole.UseList)
        {
            if (use.Index == 0 && use.Node.Is("Slice") && use.Node.Graph == node.Graph && Read(use.Node, context) is { } part && part.Axis == own.Axis && part.Extent == own.Extent) parts.Add((part.Start, part.End, use.Node));
        }
        parts = [.. parts.OrderBy(p => p.Start).ThenBy(p => p.End)];
        if (parts.Count < 2 || parts[0].Start != 0 || parts[^1].End != own.Extent) return false;
        for (int i = 1; i < parts.Count; i++)
        {
            if (parts[i].Start != parts[i - 1].End) return false;
        }
        // Right behind what it splits, which is before all the parts.
        Node first = whole.Producer is { Next: { } next } producer && producer.Graph == node.Graph ? next : node.Graph.First!;
        Node split = context.AddNode("Split", [whole], parts[0].Node.Output()!.Name + "_split", first, PassContext.SourcesOf([.. parts.Select(p => p.Node)]));
        split.Attributes.Set(Attribute.Int("axis", own.Axis));
        long[] sizes = [.. parts.Select(p => p.End - p.Start)];
        if (context.Opset >= 13) context.SetInput(split, 1, node.Graph.AddConstant(split.Output()!.Name + "_sizes", TensorData.Vector<long>(sizes)));
        else split.Attributes.Set(Attribute.Ints("split", sizes));
        for (int i = 0; i < parts.Count; i++)
        {
            Value output = parts[i].Node.Output()!;
            parts[i].Node.SetInputs();
            context.Reproduce(output, split, i);
        }
        context.Touch(whole.Producer);
        return true;
    }

    private static (int Axis, long Start, long End, long Extent)? Read(Node node, PassContext context)
    {
        OperatorView view = context.View(node);
        if (view.SliceStarts is not [var start] || view.SliceEnds is not [var end] || (view.HasAxes && view.Axes is not [_]) || node.Output() is null) return null;
        if (view.Opset >= 10 && view.Has(4) && view.SliceSteps is not [1]) return null;
        if (Types.ShapeOf(node.Input(0)) is not { } shape) return null;
        long axis = view.Axes is { } axes ? axes[0] : 0;
        if (axis < 0) axis += shape.Rank;
        if (axis < 0 || axis >= shape.Rank || shape[(int)axis] is not { IsConstant: true, Value: >= 0 and < 1L << 40 } extent) return null;
        start = Math.Clamp(start < 0 ? start + extent.Value : start, 0, extent.Value);
        end = Math.Clamp(end < 0 ? end + extent.Value : end, 0, extent.Value);
        return start < end ? ((int)axis, start, end, extent.Value) : null;
    }
}
