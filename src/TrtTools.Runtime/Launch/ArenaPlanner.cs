namespace TrtTools.Launch;

/// <summary>A buffer in the arena: the times between which it holds something, both included, and its size.</summary>
internal readonly record struct BufferLife(int First, int Last, long ByteCount)
{
    public bool Overlaps(in BufferLife other) => First <= other.Last && other.First <= Last;
}

/// <summary>Places buffers in one block of memory. Two that are alive at the same time never share a byte.</summary>
internal static class ArenaPlanner
{
    public const int Alignment = 256;

    public static long Align(long bytes) => checked(bytes + Alignment - 1) / Alignment * Alignment;

    /// <summary>Fills <paramref name="offsets"/> and gives the size of the block. Large buffers are placed first, each into the smallest gap that holds it; ties go by number, so equal lives give equal offsets.</summary>
    public static long Place(ReadOnlySpan<BufferLife> lives, Span<long> offsets)
    {
        int[] order = new int[lives.Length];
        long[] keys = new long[lives.Length];
        for (int i = 0; i < order.Length; i++) (order[i], keys[i]) = (i, lives[i].ByteCount);
        Array.Sort(order, (a, b) => keys[a] != keys[b] ? keys[b].CompareTo(keys[a]) : a.CompareTo(b));
        List<int> placed = [];      // by offset
        long end = 0;
        for (int n = 0; n < order.Length; n++)
        {
            int current = order[n];
            ref readonly BufferLife life = ref lives[current];
            long size = Align(life.ByteCount), gapStart = 0, best = -1, bestSize = long.MaxValue;
            int position = placed.Count;
            if (size == 0)
            {
                offsets[current] = 0;
                continue;
            }
            for (int i = 0; i < placed.Count; i++)
            {
                ref readonly BufferLife other = ref lives[placed[i]];
                if (!life.Overlaps(other)) continue;
                long offset = offsets[placed[i]], gap = offset - gapStart;
                if (gap >= size && gap < bestSize) (best, bestSize) = (gapStart, gap);
                gapStart = Math.Max(gapStart, offset + Align(other.ByteCount));
            }
            if (best < 0) best = gapStart;
            offsets[current] = best;
            end = Math.Max(end, checked(best + size));
            while (position > 0 && offsets[placed[position - 1]] > best) position--;
            placed.Insert(position, current);
        }
        return end;
    }
}
