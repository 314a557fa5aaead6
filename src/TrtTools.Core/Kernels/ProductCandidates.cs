namespace TrtTools.Kernels;

/// <summary>Variants worth measuring for a product of given size, likely fast ones first. Which they are does not change what is computed.</summary>
internal static class ProductCandidates
{
    private const int Resident = 110 * 1024;

    /// <summary>For wgmma_gemm.cuh.</summary>
    public static IReadOnlyList<WgmmaVariant> Wgmma(long rows, long cols, long steps, long batches, int multiprocessors, bool tf32OrFloatOut, bool thorough)
    {
        List<(double Cost, WgmmaVariant Variant)> found = [];
        foreach (WgmmaVariant shape in Shapes(rows, cols, multiprocessors, tf32OrFloatOut, thorough))
        {
            long tiles = Ceiling(rows, shape.TileRows) * Ceiling(cols, shape.TileCols) * batches;
            foreach (int split in (ReadOnlySpan<int>)[1, 2, 3, 4, 6, 8])
            {
                if (split > 1 && (shape.PingPong || shape.Registers > 0 || tiles * split > 2 * multiprocessors || steps < 2 * split || shape.P > 128)) continue;
                int perBlock = (int)Math.Min(int.MaxValue, Ceiling(steps, split));
                bool small = tiles * split <= 2 * multiprocessors;
                int stageBytes = shape.StageBytes(2, weightsOutside: false);
                int result = split > 1 ? 0 : shape.Panels > 0 ? shape.Groups * shape.Panels * 64 * 128 : shape.P * shape.Q * 2 * (shape.PingPong ? shape.Groups : 1);
                int stages = Math.Clamp(((small && tiles * split > multiprocessors ? Resident : WgmmaVariant.MaxSharedBytes - 2048) - result) / stageBytes, 0, Math.Min(12, Math.Max(perBlock, 2)));
                if (stages < 2) continue;
                WgmmaVariant variant = shape with { Split = split, Stages = stages };
                if (variant.SharedBytes(2, tf32OrFloatOut ? 4 : 2, weightsOutside: false, stored: true) > WgmmaVariant.MaxSharedBytes && stages == 2) continue;
                found.Add((Cost(variant, rows, cols, steps, batches, tiles, multiprocessors), variant));
            }
        }
        int count = thorough ? 32 : 8;
        return [.. found.OrderBy(f => f.Cost).ThenBy(f => f.Variant.ToString(), StringComparer.Ordinal).Select(f => f.Variant).Take(count)];
    }

    private static IEnumerable<WgmmaVariant> Shapes(long rows, long cols, int multiprocessors, bool wide, bool thorough)
    {
        // Rows on the 64-row side.
        foreach ((int p, int groups) in new[] { (64, 1), (128, 2), (256, 2) })
        {
            foreach (int q in new[] { 32, 64, 96, 128, 192, 256 })
            {
                if (q / 2 >= cols || p / 2 > rows || (p == 256 && q > 128) || (p == 64 && q > 128)) continue;
                yield return new WgmmaVariant { P = p, Q = q, Groups = groups, Stages = 2, Registers = p == 256 ? 232 : 0, Panels = 0 };
                if (thorough && p * q > 20000 && p == 128) yield return new WgmmaVariant { P = p, Q = q, Groups = groups, Stages = 2, Panels = 2 };
            }
        }
        if (rows >= 512)
        {
            yield return new WgmmaVariant { P = 128, Q = 128, Groups = 2, PingPong = true, Registers = 232, Stages = 2 };
            yield return new WgmmaVariant { P = 64, Q = 192, Groups = 2, PingPong = true, Stages = 2 };
            yield return new WgmmaVariant { P = 64, Q = 256, Groups = 2, PingPong = true, Stages = 2 };
            if (cols > 128) yield return new WgmmaVariant { P = 128, Q = 192, Groups = 2, PingPong = true, Registers = 232, Panels = 2, Stages = 2 };
            if (cols > 128) yield return new WgmmaVariant { P = 192, Q = 192, Groups = 3, Registers = 160, Panels = 1, Stages = 2 };
            if (cols > 64) yield return new WgmmaVariant { P = 192, Q = 128, Groups = 3, Stages = 2 };
            if (cols > 64) yield return new WgmmaVariant { P = 64, Q = 128, Groups = 2, PingPong = true, Stages = 2 };
            if (cols > 32)
            {
                yield return new WgmmaVariant { P = 192, Q = 64, Groups = 3, Stages = 2 };
                yield return new WgmmaVariant { P = 256, Q = 64, Groups = 4, Stages = 2 };
                yield return new WgmmaVariant { P = 128, Q = 64, Groups = 2, PingPong = true, Stages = 2 };
                if (!wide && cols <= 128) yield return new WgmmaVariant { Swap = true, P = 64, Q = 256, Groups = 2, PingPong = true, Stages = 2 };
            }
        }
        if (wide) yield break;
        // Channels on the 64-row side: few rows, or rows that fill no multiple of 64.
        foreach ((int p, int groups) in new[] { (64, 1), (128, 2) })
        {
            if (p / 2 > cols) continue;
            HashSet<int> tiles = [];
            for (int parts = 1; parts <= 8; parts++)
            {
                long q = (Ceiling(rows, parts) + 7) / 8 * 8;
                if (q is >= 16 and <= 256) tiles.Add((int)q);
            }
            if (rows > 256) tiles.UnionWith([64, 128, 192, 256]);
            // The widest of those between that fill the waves best.
            if (rows > 256) tiles.Add(BestWidth(p, groups, rows, cols, multiprocessors));
            foreach (int q in tiles.Order()) yield return new WgmmaVariant { Swap = true, P = p, Q = q, Groups = groups, Stages = 2 };
        }
    }

    private static int BestWidth(int p, int groups, long rows, long cols, int multiprocessors)
    {
        double Of(int q) => Cost(new WgmmaVariant { Swap = true, P = p, Q = q, Groups = groups, Stages = 2 }, rows, cols, 16, 1, Ceiling(rows, q) * Ceiling(cols, p), multiprocessors);
        return Enumerable.Range(0, 15).Select(i => 248 - (i * 8)).MinBy(Of);
    }

    /// <summary>Cycles of a variant, roughly.</summary>
    public static double Cycles(WgmmaVariant variant, long rows, long cols, long steps, long batches, int multiprocessors) =>
        Cost(variant, rows, cols, steps, batches, Ceiling(rows, variant.TileRows) * Ceiling(cols, variant.TileCols) * batches, multiprocessors);

    /// <summary>Cycles of a variant of mma.sync, roughly: half of what wgmma multiplies in one, and the latency of a step where few warps hide it.</summary>
    public static double Cycles(MmaVariant variant, long rows, long cols, long depth, long batches, int multiprocessors)
    {
        double tiles = Ceiling(rows, variant.Rows) * (double)Ceiling(cols, variant.Cols) * batches, waves = Math.Ceiling(tiles / multiprocessors);
        return (waves * Ceiling(depth, 64) * Math.Max(variant.Rows * (double)variant.Cols * 64 / 900, 550)) + 2500;
    }

    /// <summary>Cycles, roughly: waves of the tensor cores' or the shared memory's or L2's time, and what each tile costs beside them. Its numbers are fitted to what 70 products and convolutions took on an H100.</summary>
    private static double Cost(WgmmaVariant variant, long rows, long cols, long steps, long batches, long tiles, int multiprocessors)
    {
        double perBlock = Ceiling(steps, variant.Split), waves = Math.Ceiling(tiles * variant.Split / (double)multiprocessors);
        // 64 of k: 2048 products a cycle.
        double math = variant.P * (double)variant.Q * 64 / 2048, feed = (variant.P + variant.Q) * 128 / 46.7, read = 0.66 * ((variant.P / 64 * (64 + variant.Q)) + variant.P + variant.Q);
        double busy = Math.Min(tiles * variant.Split, multiprocessors) / (double)multiprocessors;
        double step = Math.Max(Math.Max(math, read), Math.Max(feed * busy, 164));
        double ends = 116 + (variant.P * variant.Q / (variant.PingPong ? 15.75 : 7.04)) + (variant.Split > 1 ? 660 + (variant.Split * 92) : 0);
        return 1100 + (waves * ((perBlock * step) + ends)) + (rows * cols * batches * 1e-9);
    }

    /// <summary>For mma_gemm.cuh.</summary>
    public static IReadOnlyList<MmaVariant> Mma(long rows, long cols, long depth, bool thorough)
    {
        List<MmaVariant> found =
        [
            new(128, 128, 2, 4, 64, 4), new(64, 64, 2, 2, 64, 4), new(128, 64, 4, 2, 128, 3), new(64, 128, 2, 4, 64, 4), new(32, 64, 2, 2, 64, 4), new(128, 32, 4, 1, 64, 4), new(16, 128, 1, 4, 64, 4), new(256, 64, 4, 2, 64, 3),
        ];
        MmaVariant[] fitting = [.. found.Where(v => v.Rows / 2 < rows && v.Cols / 2 < cols)];
        if (fitting.Length == 0) fitting = [found[4]];
        return thorough ? fitting : [.. fitting.Take(5)];
    }

    private static long Ceiling(long a, long b) => (a + b - 1) / b;
}
