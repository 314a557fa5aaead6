using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Pad in its modes.</summary>
internal static class PadRule
{
    public static string? Lower(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        if (!PointwiseForm.Computes(source.Type)) return $"no kernel moves {source.Type}";
        DimExpr[]? amounts = node.View.Opset >= 11 ? node.Extents(1) : node.View.PadAmounts?.Select(DimExpr.Constant).ToArray();
        if (amounts is null) return "its amounts depend on the run";
        long[]? axes = node.View.Opset >= 18 && node.View.HasAxes ? node.View.Axes : [.. Enumerable.Range(0, source.Rank).Select(a => (long)a)];
        if (axes is null) return "its axes depend on the run";
        DimExpr[] before = [.. Enumerable.Repeat(DimExpr.Zero, source.Rank)], after = [.. before];
        for (int i = 0; i < axes.Length; i++)
        {
            int axis = (int)(axes[i] < 0 ? axes[i] + source.Rank : axes[i]);
            (before[axis], after[axis]) = (amounts[i], amounts[i + axes.Length]);
        }
        string mode = node.View.String("mode", "constant");
        node.EmitMap(index =>
        {
            Expr[] own = new Expr[index.Length];
            Expr inside = Ex.True;
            for (int axis = 0; axis < own.Length; axis++)
            {
                DimExpr extent = source.Shape[axis];
                own[axis] = Ex.Sub(index[axis], Ex.Extent(before[axis]));
                bool padsBefore = !(before[axis] is { IsConstant: true, Value: <= 0 }), padsAfter = !(after[axis] is { IsConstant: true, Value: <= 0 });
                if (!padsBefore && !padsAfter) continue;
                Expr last = Ex.Extent(extent - DimExpr.One);
                switch (mode)
                {
                    case "edge":
                        own[axis] = Ex.Max(Ex.Zero, Ex.Min(own[axis], last));
                        break;
                    case "reflect":
                        Expr forward = Ex.Select(Ex.Less(own[axis], Ex.Zero), Ex.Call("neg", own[axis]), own[axis]);
                        own[axis] = Ex.Select(Ex.LessOrEqual(forward, last), forward, Ex.Sub(Ex.Extent((extent - DimExpr.One) * 2), forward));
                        break;
                    case "wrap":
                        own[axis] = Ex.Mod(own[axis], extent);
                        break;
                    default:
                        if (padsBefore) inside = Ex.And(inside, Ex.GreaterOrEqual(own[axis], Ex.Zero));
                        if (padsAfter) inside = Ex.And(inside, Ex.LessOrEqual(own[axis], last));
                        break;
                }
            }
            return Ex.Select(inside, NodeLowering.LoadAt(source, own), Fill(node, source));
        });
        return null;
    }

    private static Expr Fill(NodeLowering node, LoweredValue source) => node.View.PadValue is { } known ? Ex.Constant(known, source.Type.ScalarType())
        : NodeLowering.LoadAt(node.Input(2), [.. Enumerable.Repeat(Ex.Zero, node.Input(2).Rank)]);
}
