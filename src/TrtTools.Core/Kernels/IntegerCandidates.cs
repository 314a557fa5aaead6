namespace TrtTools.Kernels;

/// <summary>Variants of wgmma_gemm.cuh worth measuring for integers that become integers, likely fast ones first.</summary>
internal static class IntegerCandidates
{
    /// <summary>Bytes decide, so that blocks or groups that take turns, deep rings and narrow pieces are worth more than large tiles.</summary>
    public static IReadOnlyList<WgmmaVariant> Of(long rows, long cols, long inner, long taps, long batches, bool residual, int multiprocessors, bool thorough)
    {
        int span = inner % 128 is > 0 and <= 64 ? 64 : 128;
        long steps = taps * Ceiling(inner, span);
        List<(double Cost, WgmmaVariant Variant)> found = [];
        foreach ((int p, int q, int groups, bool pingPong, int registers, int resident) in new[]
        {
            (128, 64, 2, false, 0, 1), (128, 64, 2, false, 0, 2), (128, 64, 2, false, 0, 3), (128, 128, 2, false, 0, 1), (128, 128, 2, false, 0, 2), (128, 256, 2, false, 0, 1), (256, 64, 2, false, 0, 1), (256, 128, 2, false, 232, 1),
            (64, 64, 1, false, 0, 4), (64, 128, 1, false, 0, 3), (64, 256, 1, false, 0, 2), (128, 64, 2, true, 0, 1), (128, 128, 2, true, 232, 1), (64, 128, 2, true, 0, 1), (64, 128, 2, true, 0, 2), (64, 256, 2, true, 232, 1), (128, 192, 2, false, 0, 1), (192, 128, 3, false, 0, 1),
        })
        {
            if (q > 64 && q / 2 >= cols) continue;
            WgmmaVariant shape = new() { P = p, Q = q, Groups = groups, PingPong = pingPong, Registers = registers, Resident = resident, Span = span, Stages = 2 };
            long tiles = Ceiling(rows, p) * Ceiling(cols, q) * batches;
            if (resident > 1 && tiles <= multiprocessors) continue;
            // Where blocks have several tiles the ring runs on from one to the next.
            long most = tiles <= (long)multiprocessors * resident ? steps : Math.Max(steps * 2, 4);
            while (shape.Stages < Math.Min(12, most) && (shape with { Stages = shape.Stages + 1 }).SharedBytes(1, 1, false, true) <= shape.SharedLimit) shape = shape with { Stages = shape.Stages + 1 };
            found.Add((Cycles(shape, rows, cols, inner, taps, batches, residual, multiprocessors), shape));
        }
        return [.. found.OrderBy(f => f.Cost).ThenBy(f => f.Variant.ToString(), StringComparer.Ordinal).Select(f => f.Variant).Take(thorough ? 32 : 10)];
    }

    /// <summary>Cycles, roughly, of a multiprocessor: the longest of bytes, tensor cores and shared memory, and what of a tile's ends nobody covers.</summary>
    public static double Cycles(WgmmaVariant variant, long rows, long cols, long inner, long taps, long batches, bool residual, int multiprocessors)
    {
        long steps = taps * Ceiling(inner, variant.Span), tiles = Ceiling(rows, variant.P) * Ceiling(cols, variant.Q) * batches;
        double perProcessor = Math.Ceiling(tiles / (double)(multiprocessors * variant.Resident)) * variant.Resident;
        double step = Math.Max((variant.P / 64.0 * (64 + variant.Q) * variant.Span / 128.0) + ((variant.P + variant.Q) * variant.Span / 128.0), variant.P * (double)variant.Q * variant.Span / 4096);
        double bytes = (variant.P * (double)variant.Q * (residual ? 2 : 1)) + (steps * variant.P * variant.Span);
        double tile = Math.Max(steps * step, bytes / 13), ends = 900 + (variant.P * variant.Q / 16.0);
        return perProcessor * (tile + (ends / (variant.Resident > 1 || variant.PingPong ? 3 : 1)));
    }

    private static long Ceiling(long a, long b) => (a + b - 1) / b;
}
