using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Where an operand of a product lies: Offset + row · Row + inner · Inner + batches, in elements. Inner is the summed axis of factors and the column of what is like the result.</summary>
internal sealed record ProductOperand(Storage Storage, DimExpr Offset, DimExpr Row, DimExpr Inner, DimExpr Batch0, DimExpr Batch1)
{
    public DataType Type => Storage.Type;
}

/// <summary>How a convolution reads its image, channels last: element Offset + n · Image + h · Line + w · Pixel + c.</summary>
internal sealed record ImageWindow(DimExpr Images, DimExpr Height, DimExpr Width, DimExpr OutHeight, DimExpr OutWidth, long Channels, long FilterHeight, long FilterWidth, DimExpr Image, DimExpr Line, DimExpr Pixel,
    (long H, long W) Stride, (long H, long W) PadBegin, (long H, long W) PadEnd, (long H, long W) Dilation);

/// <summary>
/// A nest as y[batch, row, col] = epilogue(Σk x[batch, row, k] · w[batch, col, k]): neighbouring loops that every operand walks as one are joined. Columns are the result's contiguous axis. A convolution's rows are its
/// output pixels, its k runs over filter places and channels.
/// </summary>
internal sealed record ProductView
{
    public required ProductOperand X { get; init; }

    public required ProductOperand W { get; init; }

    /// <summary>The result; Inner is 1.</summary>
    public required ProductOperand Y { get; init; }

    public required DimExpr Rows { get; init; }

    public required DimExpr Cols { get; init; }

    public required DimExpr Depth { get; init; }

    public required DimExpr Batches0 { get; init; }

    public required DimExpr Batches1 { get; init; }

    public required EpilogueText Epilogue { get; init; }

    /// <summary>What the epilogue loads, in its order.</summary>
    public required IReadOnlyList<ProductOperand> Operands { get; init; }

    /// <summary>For a convolution: X.Row and X.Inner mean nothing then, and w is [col, filter row, filter column, channel] without gaps.</summary>
    public ImageWindow? Window { get; init; }

    /// <summary>How the epilogue makes integers of integers, where <see cref="Operands"/> are what that form reads and the weights' columns are interleaved for it; else null.</summary>
    public Requantization? Requantized { get; init; }

    /// <summary>No sum reaches 2^22.</summary>
    public bool NarrowSums { get; init; }

    private sealed record Group(DimExpr Extent, DimExpr[] Strides);

    /// <summary>Null with the reason where the region is no such product.</summary>
    public static ProductView? Of(Region region, out string reason)
    {
        reason = "";
        if (region.Nests.Count != 1) return Fail($"it computes one product, the region has {region.Nests.Count} steps", out reason);
        LoopNest nest = region.Nests[0];
        if (nest.Place is not null || nest.Combine != Combiner.Sum) return Fail("it is no sum of products", out reason);
        if (region.Facts is ConvolutionFacts convolution && IsImage(convolution)) return OfConvolution(nest, convolution, out reason);
        Expr? body = nest.Body is SelectExpr { WhenTrue: CallExpr guarded, Condition: ConstantExpr { Integer: 1 } } ? guarded : nest.Body;
        if (body is not CallExpr { Function.Name: "mul", Operands: [LoadExpr left, LoadExpr right] }) return Fail("it is no sum of plain products", out reason);
        if (EpilogueText.Of(nest, left.Type == ScalarType.Int64, out reason) is not { } epilogue) return null;
        LinearAccess target = LinearAccess.Of(nest.Target, Ex.Of(nest.Space));
        LinearAccess[] all = [LinearAccess.Of(left.Source, left.Index), LinearAccess.Of(right.Source, right.Index), target, .. epilogue.Loads.Select(l => LinearAccess.Of(l.Source, l.Index))];
        if (all.Any(a => a.Terms.Count > 0)) return Fail("its operands are not read at even distances", out reason);
        List<Axis> onlyLeft = [], onlyRight = [], both = [];
        foreach (Axis axis in nest.Space.Where(a => !GeneratorOptions.Is(a.Extent, 1)))
        {
            bool inLeft = !GeneratorOptions.Is(all[0].Factor(axis), 0), inRight = !GeneratorOptions.Is(all[1].Factor(axis), 0);
            if (!inLeft && !inRight) return Fail($"the loop {axis} repeats a result", out reason);
            (inLeft ? inRight ? both : onlyLeft : onlyRight).Add(axis);
        }
        // The factor that has the result's contiguous axis is w.
        bool rightIsW = onlyRight.Any(a => GeneratorOptions.Is(target.Factor(a), 1)) || (!onlyLeft.Any(a => GeneratorOptions.Is(target.Factor(a), 1)) && onlyLeft.Count > 0);
        (int x, int w) = rightIsW ? (0, 1) : (1, 0);
        List<Group> rows = Join(rightIsW ? onlyLeft : onlyRight, all), cols = Join(rightIsW ? onlyRight : onlyLeft, all), batch = Join(both, all), inner = Join([.. nest.Reduced.Where(a => !GeneratorOptions.Is(a.Extent, 1))], all);
        if (rows.Count > 1) (batch, rows) = ([.. batch, .. rows.Take(rows.Count - 1)], rows[^1..]);
        if (cols.Count > 1) return Fail("its columns are not evenly spaced", out reason);
        if (batch.Count > 2) return Fail("its batches are not evenly spaced", out reason);
        if (inner.Count > 1) return Fail("the summed axes are not evenly spaced", out reason);
        Group? r = rows.FirstOrDefault(), c = cols.FirstOrDefault(), k = inner.FirstOrDefault(), b0 = batch.Count > 0 ? batch[^1] : null, b1 = batch.Count > 1 ? batch[0] : null;
        if (c is not null && !GeneratorOptions.Is(c.Strides[2], 1)) return Fail("no axis of its result is contiguous", out reason);
        DimExpr At(Group? group, int operand) => group?.Strides[operand] ?? DimExpr.Zero;
        ProductOperand Operand(int i, Group? row, Group? column) => new(all[i].View.Storage, all[i].Offset, At(row, i), column is null ? DimExpr.One : column.Strides[i], At(b0, i), At(b1, i));
        return new ProductView
        {
            X = Operand(x, r, k), W = Operand(w, c, k), Y = Operand(2, r, c), Rows = r?.Extent ?? DimExpr.One, Cols = c?.Extent ?? DimExpr.One, Depth = k?.Extent ?? DimExpr.One,
            Batches0 = b0?.Extent ?? DimExpr.One, Batches1 = b1?.Extent ?? DimExpr.One, Epilogue = epilogue, Operands = [.. epilogue.Loads.Select((_, i) => Operand(i + 3, r, c))],
        };
    }

    /// <summary>What is more than a product of pixels by channels.</summary>
    private static bool IsImage(ConvolutionFacts facts) =>
        facts.Input.Rank == 4 && facts.Group == 1 && !(GeneratorOptions.Is(facts.Weight.Shape[2], 1) && GeneratorOptions.Is(facts.Weight.Shape[3], 1) && facts.Strides.All(s => s == 1) && facts.PadsBegin.Concat(facts.PadsEnd).All(p => p == 0));

    private static ProductView? OfConvolution(LoopNest nest, ConvolutionFacts facts, out string reason)
    {
        TensorView x = facts.Input, w = facts.Weight;
        if (EpilogueText.Of(nest, facts.Integer, out reason) is not { } epilogue) return null;
        if (nest.Space.Count != 4) return Fail("the loops of its result are not those of a convolution", out reason);
        if (!w.Shape.Skip(1).All(d => d.IsConstant)) return Fail("its filter's size is known only at run time", out reason);
        if (!HasPlainBody(nest)) return Fail("its operands are computed while they are read", out reason);
        (long channels, long height, long width) = (w.Shape[1].Value, w.Shape[2].Value, w.Shape[3].Value);
        if (!GeneratorOptions.Is(x.Strides[1], 1) && channels > 1) return Fail("its input's channels are not contiguous", out reason);
        LinearAccess target = LinearAccess.Of(nest.Target, Ex.Of(nest.Space));
        LinearAccess[] all = [target, .. epilogue.Loads.Select(l => LinearAccess.Of(l.Source, l.Index))];
        if (all.Any(a => a.Terms.Count > 0)) return Fail("its operands are not read at even distances", out reason);
        List<Group> rows = Join([.. new[] { nest.Space[0], nest.Space[2], nest.Space[3] }.Where(a => !GeneratorOptions.Is(a.Extent, 1))], all);
        if (rows.Count > 1) return Fail("pixels of its result are not evenly spaced", out reason);
        if (!GeneratorOptions.Is(target.Factor(nest.Space[1]), 1) && !GeneratorOptions.Is(nest.Space[1].Extent, 1)) return Fail("its result's channels are not contiguous", out reason);
        if (!GeneratorOptions.Is(w.Strides[1], 1) || !GeneratorOptions.Is(w.Strides[3], channels) || !GeneratorOptions.Is(w.Strides[2], channels * width)) return Fail("its filters are not stored channels last", out reason);
        Group? r = rows.FirstOrDefault();
        ProductOperand Operand(int i) => new(all[i].View.Storage, all[i].Offset, r?.Strides[i] ?? DimExpr.Zero, all[i].Factor(nest.Space[1]), DimExpr.Zero, DimExpr.Zero);
        return new ProductView
        {
            X = new ProductOperand(x.Storage, x.Offset, DimExpr.Zero, DimExpr.One, DimExpr.Zero, DimExpr.Zero), W = new ProductOperand(w.Storage, w.Offset, w.Strides[0], DimExpr.One, DimExpr.Zero, DimExpr.Zero),
            Y = Operand(0) with { Inner = DimExpr.One }, Rows = r?.Extent ?? DimExpr.One, Cols = w.Shape[0], Depth = channels * height * width, Batches0 = DimExpr.One, Batches1 = DimExpr.One,
            Epilogue = epilogue, Operands = [.. epilogue.Loads.Select((_, i) => Operand(i + 1))],
            Window = new ImageWindow(x.Shape[0], x.Shape[2], x.Shape[3], nest.Space[2].Extent, nest.Space[3].Extent, channels, height, width, x.Strides[0], x.Strides[2], x.Strides[3],
                (facts.Strides[0], facts.Strides[1]), (facts.PadsBegin[0], facts.PadsBegin[1]), (facts.PadsEnd[0], facts.PadsEnd[1]), (facts.Dilations[0], facts.Dilations[1])),
        };
    }

    /// <summary>Whether the nest multiplies stored numbers, as the facts say, and does not subtract a zero point first.</summary>
    private static bool HasPlainBody(LoopNest nest) => nest.Body switch
    {
        SelectExpr { WhenTrue: CallExpr { Function.Name: "mul", Operands: [LoadExpr, LoadExpr] }, WhenFalse: ConstantExpr { Number: 0, Integer: 0 } } => true,
        CallExpr { Function.Name: "mul", Operands: [LoadExpr, LoadExpr] } => true,
        _ => false,
    };

    /// <summary>Joins neighbours, outer first, whose strides say that together they are one axis in every operand.</summary>
    private static List<Group> Join(IReadOnlyList<Axis> axes, IReadOnlyList<LinearAccess> operands)
    {
        List<Group> groups = [];
        foreach (Axis axis in axes)
        {
            Group next = new(axis.Extent, [.. operands.Select(o => o.Factor(axis))]);
            if (groups.Count > 0 && groups[^1].Strides.Zip(next.Strides).All(p => p.First.Equals(p.Second * next.Extent))) groups[^1] = new Group(groups[^1].Extent * next.Extent, next.Strides);
            else groups.Add(next);
        }
        return groups;
    }

    private static ProductView? Fail(string why, out string reason)
    {
        reason = why;
        return null;
    }
}
