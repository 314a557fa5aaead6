using TrtTools.Ir;
using TrtTools.Ops;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Padding with zeros of the spatial dimensions becomes the Conv's own.</summary>
internal sealed class FoldPadIntoConv : NodePass
{
    public override string Name => "fold-pad-into-conv";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Conv"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { HasSingleUse: true, Producer: { } pad } || !pad.Is("Pad") || pad.Graph != node.Graph || pad.Input(0) is not { } source) return false;
        OperatorView view = context.View(pad);
        if (view.String("mode", "constant") != "constant" || view.PadValue is not 0 || view.PadAmounts is not { } amounts) return false;
        if (node.Attributes.String("auto_pad", "NOTSET") is not ("NOTSET" or "VALID" or "")) return false;
        int rank = Types.RankOf(node.Input(1)) ?? 0;
        if (rank < 3) return false;
        if (view.HasAxes)
        {
            if (view.Axes is not { } axes || axes.Length * 2 != amounts.Length) return false;
            long[] all = new long[rank * 2];
            for (int i = 0; i < axes.Length; i++)
            {
                int axis = (int)(axes[i] < 0 ? axes[i] + rank : axes[i]);
                if (axis < 0 || axis >= rank) return false;
                all[axis] = amounts[i];
                all[axis + rank] = amounts[i + axes.Length];
            }
            amounts = all;
        }
        if (amounts.Length != rank * 2 || amounts.Any(a => a < 0) || amounts[0] != 0 || amounts[1] != 0 || amounts[rank] != 0 || amounts[rank + 1] != 0) return false;
        int spatial = rank - 2;
        long[] pads = node.Attributes.Ints("pads") is { } own && node.Attributes.String("auto_pad", "NOTSET") != "VALID" ? [.. own] : new long[spatial * 2];
        if (pads.Length != spatial * 2) return false;
        for (int i = 0; i < spatial; i++)
        {
            pads[i] += amounts[i + 2];
            pads[i + spatial] += amounts[i + 2 + rank];
        }
        node.SourceNodes = PassContext.SourcesOf(pad, node);
        node.Attributes.Remove("auto_pad");
        node.Attributes.Set(Attribute.Ints("pads", pads));
        context.SetInput(node, 0, source);
        return true;
    }
}
