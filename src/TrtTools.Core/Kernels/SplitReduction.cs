using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Long reductions with few outputs, as two nests: parts of the reduction side by side, then the parts' join.</summary>
internal static class SplitReduction
{
    private const int Parts = 256;

    /// <summary>Null where the outputs alone fill the device, or there is little to reduce.</summary>
    public static IReadOnlyList<LoopNest>? TrySplit(LoopNest nest, GeneratorOptions options)
    {
        if (nest.Body is null || nest.Reduced.Count == 0 || nest.Combine >= Combiner.FirstMaximum || nest.Place is not null) return null;
        Axis whole = nest.Reduced.MaxBy(a => options.Guess(a.Extent))!;
        long outputs = nest.Space.Aggregate(1L, (n, a) => n * Math.Max(1, options.Guess(a.Extent))), length = options.Guess(whole.Extent);
        // Each part keeps enough to be worth a thread.
        if (outputs > options.Multiprocessors * 64L || length < 4096 || outputs * length < 1 << 20) return null;
        int parts = (int)Math.Min(Parts, Math.Max(2, options.Multiprocessors * 1024L / outputs));
        while (parts > 2 && length / parts < 64) parts /= 2;
        // In multiples of 16, so that vectors stay whole.
        DimExpr size = DimExpr.CeilDiv(DimExpr.CeilDiv(whole.Extent, parts), 16) * 16;
        Axis part = new("part", parts), inner = new("in", size);
        Expr at = Ex.Add(Ex.Mul(Ex.Of(part), Ex.Extent(size)), Ex.Of(inner));
        Ex.Rewriter rewriter = new(e => e is AxisExpr { Axis: { } axis } && ReferenceEquals(axis, whole) ? at : null);
        Expr body = rewriter.Apply(nest.Body);
        if (!(size * parts).Equals(whole.Extent)) body = new SelectExpr(Ex.Call("lt", at, Ex.Extent(whole.Extent)), body, Identity(nest.Combine, body.Type));
        DataType type = body.Type switch { ScalarType.Float32 => DataType.Float32, ScalarType.Float64 => DataType.Float64, ScalarType.Bool => DataType.Bool, _ => DataType.Int64 };
        DimExpr[] shape = [.. nest.Space.Select(a => a.Extent)];
        Storage partial = new(nest.Name + ".parts", StorageKind.Scratch, type, shape.Aggregate((DimExpr)parts, (n, d) => n * d));
        TensorView view = TensorView.Dense(partial, [parts, .. shape]);
        Axis join = new("part", parts);
        return
        [
            new LoopNest { Name = nest.Name + ".parts", Space = [part, .. nest.Space], Reduced = [.. nest.Reduced.Select(a => ReferenceEquals(a, whole) ? inner : a)], Combine = nest.Combine, Body = body, Result = new ReducedExpr(body.Type), Target = view },
            nest with { Reduced = [join], Body = new LoadExpr(view, [Ex.Of(join), .. Ex.Of(nest.Space)]) },
        ];
    }

    private static Expr Identity(Combiner combine, ScalarType type) => combine switch
    {
        Combiner.Sum or Combiner.Or => Ex.Constant(0, type),
        Combiner.Product => Ex.Constant(1, type),
        Combiner.Maximum => type.IsFloat() ? Ex.Number(double.NegativeInfinity, type) : type == ScalarType.Bool ? Ex.False : Ex.Int(long.MinValue),
        Combiner.Minimum => type.IsFloat() ? Ex.Number(double.PositiveInfinity, type) : type == ScalarType.Bool ? Ex.True : Ex.Int(long.MaxValue),
        _ => type == ScalarType.Bool ? Ex.True : Ex.Int(-1),
    };
}
