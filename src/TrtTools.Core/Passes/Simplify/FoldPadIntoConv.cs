using TrtTools.Ir;
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
        if (node.Attributes.String("auto_pad", "NOTSET") is not ("NOTSET" or "VALID" or "")) return false;
        int rank = Types.RankOf(node.Input(1)) ?? 0;
        if (PadReader.SpatialZeros(context.View(pad), rank, 0) is not { } amounts) return false;
        int spatial = rank - 2;
        long[] pads = node.Attributes.Ints("pads") is { } own && node.Attributes.String("auto_pad", "NOTSET") != "VALID" ? [.. own] : new long[spatial * 2];
        if (pads.Length != spatial * 2) return false;
        for (int i = 0; i < pads.Length; i++) pads[i] += amounts[i];
        node.SourceNodes = PassContext.SourcesOf(pad, node);
        node.Attributes.Remove("auto_pad");
        node.Attributes.Set(Attribute.Ints("pads", pads));
        context.SetInput(node, 0, source);
        return true;
    }
}
