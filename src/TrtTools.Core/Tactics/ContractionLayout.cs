using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>One operand of a matrix product as a column-major library sees it.</summary>
internal sealed record MatrixOperand(Storage Storage, DimExpr Offset, bool Transposed, DimExpr Leading, DimExpr BatchStride);

/// <summary>
/// A nest that sums products of two loads, as one (batched) column-major product D[m, n] = A[m, k] · B[k, n]: axes of the loops that lie evenly in every operand are joined.
/// Rows of D are the axis that is contiguous in the target.
/// </summary>
internal sealed record ContractionLayout
{
    public required MatrixOperand A { get; init; }

    public required MatrixOperand B { get; init; }

    public required MatrixOperand D { get; init; }

    public required DimExpr M { get; init; }

    public required DimExpr N { get; init; }

    public required DimExpr K { get; init; }

    public required DimExpr Batch { get; init; }

    /// <summary>The other loads that were laid out, in the order they were given.</summary>
    public required IReadOnlyList<Addend> Others { get; init; }

    /// <summary>A load beside the product, with its strides along rows, columns and batch of D.</summary>
    public sealed record Addend(Footprint Load, DimExpr Row, DimExpr Column, DimExpr Batch);

    private sealed record Group(DimExpr Extent, DimExpr[] Strides);

    /// <summary>Null with the reason when the nest is no such product.</summary>
    public static ContractionLayout? Of(LoopNest nest, IReadOnlyList<LoadExpr> others, out string reason)
    {
        reason = "";
        if (nest.Place is not null) return Fail("its results are scattered", out reason);
        if (nest.Combine != Combiner.Sum || nest.Body is not CallExpr { Function.Name: "mul", Operands: [LoadExpr left, LoadExpr right] }) return Fail("it is no sum of plain products", out reason);
        if (Footprint.Of(left) is not { } x || Footprint.Of(right) is not { } y) return Fail("its operands are not read at even distances", out reason);
        List<Footprint> all = [x, y, Footprint.Target(nest)];
        foreach (LoadExpr other in others)
        {
            if (Footprint.Of(other) is not { } footprint) return Fail("what is added is not read at even distances", out reason);
            all.Add(footprint);
        }
        // Operand 0 depends on rows of x, operand 1 on columns of y; what both depend on is batch.
        List<Axis> onlyX = [], onlyY = [], both = [];
        foreach (Axis axis in nest.Space.Where(a => !IsOne(a.Extent)))
        {
            bool inX = !IsZero(x.Stride(axis)), inY = !IsZero(y.Stride(axis));
            if (!inX && !inY) return Fail($"the loop {axis} repeats a result", out reason);
            (inX ? inY ? both : onlyX : onlyY).Add(axis);
        }
        List<Group> rows = Join(onlyX, all), columns = Join(onlyY, all), batch = Join(both, all), inner = Join([.. nest.Reduced.Where(a => !IsOne(a.Extent))], all);
        // Rows that do not join become batches over which the other operand repeats; so do columns.
        if (rows.Count > 1) (batch, rows) = ([.. batch, .. rows.Take(rows.Count - 1)], rows[^1..]);
        if (columns.Count > 1) (batch, columns) = ([.. batch, .. columns.Take(columns.Count - 1)], columns[^1..]);
        if (batch.Count > 1) return Fail("its batches are not evenly spaced", out reason);
        if (inner.Count > 1) return Fail("the summed axes are not evenly spaced", out reason);
        Group? r = rows.FirstOrDefault(), c = columns.FirstOrDefault(), b = batch.FirstOrDefault(), k = inner.FirstOrDefault();
        DimExpr At(Group? group, int operand) => group?.Strides[operand] ?? DimExpr.Zero;
        bool IsUnit(Group? group, int operand) => group is null || IsOne(group.Strides[operand]);
        // The contiguous axis of the target is the rows of D; where there is a choice, the channels (columns of y), along which a bias runs.
        bool swapped = IsUnit(c, 2) && (c is not null || !IsUnit(r, 2));
        if (!swapped && !IsUnit(r, 2)) return Fail("no axis of its result is contiguous", out reason);
        (Group? m, Group? n) = swapped ? (c, r) : (r, c);
        (int first, int second) = swapped ? (1, 0) : (0, 1);
        if (Operand(all[first], m, k, first) is not { } a) return Fail("an operand has no contiguous axis", out reason);
        if (Operand(all[second], k, n, second) is not { } bb) return Fail("an operand has no contiguous axis", out reason);
        return new ContractionLayout
        {
            A = a, B = bb, D = new MatrixOperand(all[2].Storage, all[2].Offset, false, n is null ? m?.Extent ?? DimExpr.One : n.Strides[2], At(b, 2)),
            M = m?.Extent ?? DimExpr.One, N = n?.Extent ?? DimExpr.One, K = k?.Extent ?? DimExpr.One, Batch = b?.Extent ?? DimExpr.One,
            Others = [.. others.Select((_, i) => new Addend(all[i + 3], At(m, i + 3), At(n, i + 3), At(b, i + 3)))],
        };

        MatrixOperand? Operand(Footprint footprint, Group? rowGroup, Group? columnGroup, int operand)
        {
            DimExpr stride = At(b, operand), rowStride = At(rowGroup, operand), columnStride = At(columnGroup, operand);
            if (rowGroup is null || IsOne(rowStride)) return new MatrixOperand(footprint.Storage, footprint.Offset, false, columnGroup is null ? rowGroup?.Extent ?? DimExpr.One : columnStride, stride);
            if (columnGroup is null || IsOne(columnStride)) return new MatrixOperand(footprint.Storage, footprint.Offset, true, rowStride, stride);
            return null;
        }
    }

    /// <summary>Joins neighbours, outer first, whose strides say that together they are one axis in every operand.</summary>
    private static List<Group> Join(IReadOnlyList<Axis> axes, IReadOnlyList<Footprint> operands)
    {
        List<Group> groups = [];
        foreach (Axis axis in axes)
        {
            Group next = new(axis.Extent, [.. operands.Select(o => o.Stride(axis))]);
            if (groups.Count > 0 && groups[^1].Strides.Zip(next.Strides).All(p => p.First.Equals(p.Second * next.Extent))) groups[^1] = new Group(groups[^1].Extent * next.Extent, next.Strides);
            else groups.Add(next);
        }
        return groups;
    }

    public static bool IsOne(DimExpr value) => value is { IsConstant: true, Value: 1 };

    public static bool IsZero(DimExpr value) => value is { IsConstant: true, Value: 0 };

    private static ContractionLayout? Fail(string why, out string reason)
    {
        reason = why;
        return null;
    }
}
