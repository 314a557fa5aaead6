using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Operators whose elements change place, not value.</summary>
internal static class MovementForm
{
    public static IReadOnlyDictionary<string, LoweringRule> Rules { get; } = new Dictionary<string, LoweringRule>(StringComparer.Ordinal)
    {
        ["Identity"] = node => Move(node, index => index),
        ["Reshape"] = Reshape, ["Flatten"] = Reshape, ["Squeeze"] = Reshape, ["Unsqueeze"] = Reshape,
        ["Transpose"] = Transpose, ["Expand"] = Expand, ["Tile"] = Tile, ["Concat"] = Concat, ["Split"] = Split, ["Slice"] = SliceRule.Lower, ["Pad"] = PadRule.Lower,
        ["DepthToSpace"] = DepthToSpace, ["SpaceToDepth"] = SpaceToDepth, ["ReverseSequence"] = ReverseSequence, ["Trilu"] = Trilu, ["CenterCropPad"] = CenterCropPad,
    };

    /// <summary>Each element of output 0 is the input's element at the index given.</summary>
    public static string? Move(NodeLowering node, Func<Expr[], IReadOnlyList<Expr>> place)
    {
        LoweredValue source = node.Input(0);
        if (!PointwiseForm.Computes(source.Type)) return $"no kernel moves {source.Type}";
        node.EmitMap(index => NodeLowering.LoadAt(source, place(index)));
        return null;
    }

    private static string? Reshape(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        DimExpr[] shape = node.OutputShape();
        if (Move(node, index => Reindex(index, shape, source.Shape)) is { } reason) return reason;
        node.Scope.Operations[^1].KeepsOrder = true;
        return null;
    }

    /// <summary>The index, in a tensor of shape <paramref name="to"/>, of the element that stands at <paramref name="index"/> in one of shape <paramref name="from"/>, both row by row.</summary>
    public static IReadOnlyList<Expr> Reindex(IReadOnlyList<Expr> index, IReadOnlyList<DimExpr> from, IReadOnlyList<DimExpr> to)
    {
        Expr[] result = new Expr[to.Count];
        foreach ((Range own, Range other) in ReshapeGroups.Of(from, to))
        {
            (int start, int end) = (own.Start.Value, own.End.Value);
            Expr linear = Ex.Zero;
            for (int axis = start; axis < end; axis++) linear = Ex.Add(Ex.Mul(linear, Ex.Extent(from[axis])), index[axis]);
            int first = other.Start.Value;
            // Leading axes of extent 1 take no part of the linear index.
            while (first < other.End.Value - 1 && to[first] is { IsConstant: true, Value: 1 }) result[first++] = Ex.Zero;
            for (int axis = other.End.Value - 1; axis >= first; axis--)
            {
                result[axis] = to[axis] is { IsConstant: true, Value: 1 } ? Ex.Zero : axis == first ? linear : Ex.Mod(linear, to[axis]);
                if (axis > first) linear = Ex.FloorDiv(linear, to[axis]);
            }
        }
        return result;
    }

    private static string? Transpose(NodeLowering node)
    {
        int[] permutation = node.View.Permutation(node.Input(0).Rank);
        return Move(node, index =>
        {
            Expr[] own = new Expr[index.Length];
            for (int axis = 0; axis < index.Length; axis++) own[permutation[axis]] = index[axis];
            return own;
        });
    }

    private static string? Expand(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        if (!PointwiseForm.Computes(source.Type)) return $"no kernel moves {source.Type}";
        DimExpr[] shape = node.OutputShape();
        node.EmitMap(index => NodeLowering.LoadBroadcast(source, index, shape));
        return null;
    }

    private static string? Tile(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        return Move(node, index => [.. index.Select((i, axis) => node.OutputShape()[axis].Equals(source.Shape[axis]) ? i : Ex.Mod(i, source.Shape[axis]))]);
    }

    private static string? Concat(NodeLowering node)
    {
        LoweredValue target = node.Output();
        if (!PointwiseForm.Computes(target.Type)) return $"no kernel moves {target.Type}";
        int axis = (int)(node.View.Axis < 0 ? node.View.Axis + target.Rank : node.View.Axis);
        DimExpr start = DimExpr.Zero;
        for (int i = 0; i < node.InputCount; i++)
        {
            LoweredValue part = node.Input(i);
            DimExpr extent = part.Shape[axis];
            if (!(extent is { IsConstant: true, Value: 0 }))
            {
                Axis[] space = NodeLowering.Space(part.Shape);
                Expr[] index = Ex.Of(space), place = [.. index];
                place[axis] = Ex.Add(index[axis], Ex.Extent(start));
                // A region for each part, so that what computes the part can write it in place.
                node.Emit(RegionKind.Map, new LoopNest { Name = target.Name, Space = space, Result = NodeLowering.LoadAt(part, index), Target = target.View, Place = place });
            }
            start += extent;
        }
        return null;
    }

    private static string? Split(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        if (!PointwiseForm.Computes(source.Type)) return $"no kernel moves {source.Type}";
        int axis = (int)(node.View.Axis < 0 ? node.View.Axis + source.Rank : node.View.Axis);
        DimExpr start = DimExpr.Zero;
        for (int i = 0; i < node.Node.Outputs.Count; i++)
        {
            DimExpr from = start;
            if (node.Node.Outputs[i] is null) return "one of its outputs is not named";
            start += node.OutputShape(i)[axis];
            if (node.Wants(i)) node.Emit(RegionKind.Map, NodeLowering.Map(node.Output(i), index => NodeLowering.LoadAt(source, [.. index.Select((e, d) => d == axis ? Ex.Add(e, Ex.Extent(from)) : e)])));
        }
        return null;
    }

    private static string? DepthToSpace(NodeLowering node)
    {
        long block = node.View.Int("blocksize", 1);
        DimExpr depth = DimExpr.FloorDiv(node.Input(0).Shape[1], block * block);
        bool depthFirst = node.View.String("mode", "DCR") == "DCR";
        return Move(node, index =>
        {
            Expr row = Ex.Mod(index[2], block), column = Ex.Mod(index[3], block);
            Expr inBlock = Ex.Add(Ex.Mul(row, Ex.Int(block)), column);
            Expr channel = depthFirst ? Ex.Add(Ex.Mul(inBlock, Ex.Extent(depth)), index[1]) : Ex.Add(Ex.Mul(index[1], Ex.Int(block * block)), inBlock);
            return [index[0], channel, Ex.FloorDiv(index[2], block), Ex.FloorDiv(index[3], block)];
        });
    }

    private static string? SpaceToDepth(NodeLowering node)
    {
        long block = node.View.Int("blocksize", 1);
        DimExpr depth = node.Input(0).Shape[1];
        return Move(node, index =>
        {
            Expr inBlock = Ex.FloorDiv(index[1], depth);
            return [index[0], Ex.Mod(index[1], depth), Ex.Add(Ex.Mul(index[2], Ex.Int(block)), Ex.FloorDiv(inBlock, block)), Ex.Add(Ex.Mul(index[3], Ex.Int(block)), Ex.Mod(inBlock, block))];
        });
    }

    private static string? ReverseSequence(NodeLowering node)
    {
        LoweredValue lengths = node.Input(1);
        int batch = (int)node.View.Int("batch_axis", 1), time = (int)node.View.Int("time_axis", 0);
        return Move(node, index =>
        {
            Expr length = Ex.Convert(NodeLowering.LoadAt(lengths, index[batch]), ScalarType.Int64);
            Expr[] own = [.. index];
            own[time] = Ex.Select(Ex.Less(index[time], length), Ex.Sub(Ex.Sub(length, Ex.One), index[time]), index[time]);
            return own;
        });
    }

    private static string? Trilu(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        LoweredValue? k = node.Optional(1);
        bool upper = node.View.Int("upper", 1) != 0;
        node.EmitMap(index =>
        {
            Expr shift = k is null ? Ex.Zero : NodeLowering.LoadAt(k, [.. Enumerable.Repeat(Ex.Zero, k.Rank)]), distance = Ex.Sub(index[^1], index[^2]);
            return Ex.Select(upper ? Ex.GreaterOrEqual(distance, shift) : Ex.LessOrEqual(distance, shift), NodeLowering.LoadAt(source, index), Ex.Constant(0, source.Type.ScalarType()));
        });
        return null;
    }

    private static string? CenterCropPad(NodeLowering node)
    {
        LoweredValue source = node.Input(0);
        DimExpr[] shape = node.OutputShape();
        node.EmitMap(index =>
        {
            Expr[] own = [.. index];
            Expr inside = Ex.True;
            for (int axis = 0; axis < own.Length; axis++)
            {
                if (shape[axis].Equals(source.Shape[axis])) continue;
                // Crops drop half of what is too much (rounded down) before, pads add half of what is missing.
                Expr shift = Ex.Select(Ex.Less(Ex.Extent(shape[axis]), Ex.Extent(source.Shape[axis])),
                    Ex.Extent(DimExpr.FloorDiv(source.Shape[axis] - shape[axis], 2)), Ex.Call("neg", Ex.Extent(DimExpr.FloorDiv(shape[axis] - source.Shape[axis], 2))));
                own[axis] = Ex.Add(index[axis], Index.Simplify(shift));
                inside = Ex.And(inside, Ex.And(Ex.GreaterOrEqual(own[axis], Ex.Zero), Ex.Less(own[axis], Ex.Extent(source.Shape[axis]))));
            }
            return Ex.Select(inside, NodeLowering.LoadAt(source, own), Ex.Constant(0, source.Type.ScalarType()));
        });
        return null;
    }
}
