using TrtTools.Ir;
using TrtTools.Ops;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Padding of the spatial dimensions becomes the pool's own: zeros before an AveragePool that counts its padding or has none,
/// the least number before a MaxPool.</summary>
internal sealed class FoldPadIntoPool : NodePass
{
    public override string Name => "fold-pad-into-pool";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["AveragePool", "MaxPool"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { HasSingleUse: true, Producer: { } pad } || !pad.Is("Pad") || pad.Graph != node.Graph || pad.Input(0) is not { } source) return false;
        // Indices count from the padded input, and a window of nothing but padding has no maximum.
        if (node.Outputs.Count > 1 || node.Attributes.Int("ceil_mode", 0) != 0 || context.Opset < 7) return false;
        if (node.Attributes.Ints("kernel_shape") is not { } kernel || Types.RankOf(source) is not { } rank || kernel.Length != rank - 2) return false;
        if (node.Attributes.String("auto_pad", "NOTSET") is not ("NOTSET" or "VALID" or "")) return false;
        long[] pads = node.Attributes.Ints("pads") is { } own && node.Attributes.String("auto_pad", "NOTSET") != "VALID" ? [.. own] : new long[kernel.Length * 2];
        OperatorView view = context.View(pad);
        bool averages = node.OpType == "AveragePool";
        if (PadReader.SpatialZeros(view, rank, averages ? 0 : double.NegativeInfinity) is not { } amounts || pads.Length != amounts.Length) return false;
        if (averages && pads.Any(p => p != 0) && node.Attributes.Int("count_include_pad", 0) == 0) return false;
        for (int i = 0; i < pads.Length; i++)
        {
            pads[i] += amounts[i];
            // ONNX Runtime takes no padding as large as the window.
            if (pads[i] >= kernel[i % kernel.Length]) return false;
        }
        node.SourceNodes = PassContext.SourcesOf(pad, node);
        node.Attributes.Remove("auto_pad");
        node.Attributes.Set(Attribute.Ints("pads", pads));
        if (averages) node.Attributes.Set(Attribute.Int("count_include_pad", 1));
        context.SetInput(node, 0, source);
        return true;
    }
}

/// <summary>What a Pad does, for those that take it over.</summary>
internal static class PadReader
{
    /// <summary>Amounts before and then after each spatial axis of a tensor of this rank; null unless it pads just those, by no negative amounts, with this value.</summary>
    public static long[]? SpatialZeros(OperatorView view, int rank, double value)
    {
        if (rank < 3 || view.String("mode", "constant") != "constant" || view.PadValue is not { } filling || view.PadAmounts is not { } amounts) return null;
        if (filling != value && !(double.IsNegativeInfinity(value) && filling <= float.MinValue)) return null;
        if (view.HasAxes)
        {
            if (view.Axes is not { } axes || axes.Length * 2 != amounts.Length) return null;
            long[] all = new long[rank * 2];
            for (int i = 0; i < axes.Length; i++)
            {
                int axis = (int)(axes[i] < 0 ? axes[i] + rank : axes[i]);
                if (axis < 0 || axis >= rank) return null;
                all[axis] = amounts[i];
                all[axis + rank] = amounts[i + axes.Length];
            }
            amounts = all;
        }
        if (amounts.Length != rank * 2 || amounts.Any(a => a < 0) || amounts[0] != 0 || amounts[1] != 0 || amounts[rank] != 0 || amounts[rank + 1] != 0) return null;
        return [.. amounts[2..rank], .. amounts[(rank + 2)..]];
    }
}
