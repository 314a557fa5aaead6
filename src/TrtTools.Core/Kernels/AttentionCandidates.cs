namespace TrtTools.Kernels;

/// <summary>Variants of attention.cuh worth measuring, likely fast ones first.</summary>
internal static class AttentionCandidates
{
    /// <param name="heads">Heads of keys, over all batches.</param>
    /// <param name="rows">Query rows that share a head of keys.</param>
    /// <param name="fixedKeys">Whether the number of keys is the same in every run: all of them may then be loaded at once.</param>
    /// <param name="clusters">Whether blocks may share the keys of one tile.</param>
    public static IReadOnlyList<AttentionVariant> Of(long heads, long rows, long keys, int head, bool fixedKeys, bool clusters, bool thorough)
    {
        List<(double Cost, AttentionVariant Variant)> found = [];
        foreach (int wide in (ReadOnlySpan<int>)[1, 2])
        {
            foreach (int queryWarps in (ReadOnlySpan<int>)[1, 2, 4, 7, 8])
            {
                foreach (int keyWarps in (ReadOnlySpan<int>)[1, 2, 4, 8])
                {
                    foreach (int tile in (ReadOnlySpan<int>)[16, 32, 48, 64, 80, 112, 128])
                    {
                        AttentionVariant shape = new(queryWarps, keyWarps, wide, tile);
                        if (queryWarps * keyWarps is > 16 or < 2 || tile * wide * Math.Max(1, head / 64) > (shape.Threads >= 512 ? 32 : shape.Threads > 256 ? 64 : 128) || (shape.Rows > 16 && shape.Rows / 2 >= rows)) continue;
                        if (queryWarps == 7 && !(shape.Rows >= rows && rows > shape.Rows - 32)) continue;
                        foreach (int split in clusters ? (ReadOnlySpan<int>)[1, 2, 4, 8] : [1])
                        {
                            long steps = (keys + shape.TileKeys - 1) / shape.TileKeys, blocks = heads * ((rows + shape.Rows - 1) / shape.Rows) * split;
                            if (steps < split || (split > 1 && blocks > 264) || (steps * shape.TileKeys) - keys > Math.Max(fixedKeys ? 32 : 128, keys / 4)) continue;
                            if (fixedKeys && steps <= split) found.Add((Cost(shape, blocks, 1, keys), shape with { Split = split, Stages = 1 }));
                            else if (fixedKeys && split == 1 && steps <= 8) found.Add((Cost(shape, blocks, steps, keys), shape with { Resident = (int)steps }));
                            if (fixedKeys && split == 1 && keyWarps == 1 && steps <= 8 && blocks > 264) found.Add((Cost(shape, blocks, steps, keys) * 0.9, shape with { Resident = (int)steps, Persistent = true }));
                            // Where other runs have more keys, they stream however few there are here.
                            if (tile is 32 or 64 && (steps > split || (!fixedKeys && split == 1))) found.Add((Cost(shape, blocks, (double)steps / split, keys) * 1.05, shape with { Split = split }));
                        }
                    }
                }
            }
        }
        return [.. found.OrderBy(f => f.Cost).ThenBy(f => f.Variant.ToString(), StringComparer.Ordinal).Select(f => f.Variant).Take(thorough ? 24 : 10)];
    }

    private static double Cost(AttentionVariant v, double blocks, double steps, long keys)
    {
        // Warps that a multiprocessor holds at once, by their registers.
        double warps = blocks * v.QueryWarps * v.KeyWarps, rounds = Math.Ceiling(warps / (132.0 * (v.RowTiles == 2 ? 9 : 16)));
        double perWarp = (steps * v.Keys * v.RowTiles * 5.5) + (v.RowTiles * 250) + (steps * 250) + (v.KeyWarps * v.Split > 1 ? 700 : 0), load = (keys * 40.0 / (v.QueryWarps * v.KeyWarps)) + 800;
        return (rounds * perWarp) + load;
    }
}
