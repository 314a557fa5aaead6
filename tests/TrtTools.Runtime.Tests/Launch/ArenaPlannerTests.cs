using CsCheck;
using TrtTools.Launch;

namespace TrtTools.Tests.Launch;

public sealed class ArenaPlannerTests
{
    private static readonly Gen<BufferLife[]> s_lives = Gen.Select(Gen.Int[0, 30], Gen.Int[0, 12], Gen.OneOf(Gen.Long[0, 5], Gen.Long[0, 5000]), (first, length, bytes) => new BufferLife(first, first + length, bytes)).Array[0, 40];

    [Fact]
    public void Buffers_that_live_together_never_share_a_byte() => s_lives.Sample(lives =>
    {
        long[] offsets = new long[lives.Length];
        long size = ArenaPlanner.Place(lives, offsets);
        for (int i = 0; i < lives.Length; i++)
        {
            if (offsets[i] % ArenaPlanner.Alignment != 0 || offsets[i] < 0 || offsets[i] + lives[i].ByteCount > size) return false;
            for (int j = 0; j < i; j++)
            {
                if (lives[i].Overlaps(lives[j]) && lives[i].ByteCount > 0 && lives[j].ByteCount > 0 && offsets[i] < offsets[j] + lives[j].ByteCount && offsets[j] < offsets[i] + lives[i].ByteCount) return false;
            }
        }
        return true;
    });

    [Fact]
    public void The_block_is_no_larger_than_all_buffers_and_no_smaller_than_those_of_any_moment() => s_lives.Sample(lives =>
    {
        long size = ArenaPlanner.Place(lives, new long[lives.Length]);
        long peak = Enumerable.Range(0, 50).Max(t => lives.Where(l => l.First <= t && t <= l.Last).Sum(l => ArenaPlanner.Align(l.ByteCount)));
        return size >= peak && size <= lives.Sum(l => ArenaPlanner.Align(l.ByteCount));
    });

    [Fact]
    public void A_gap_is_filled_by_the_buffer_that_fits_it_best()
    {
        BufferLife[] lives = [new(0, 1, 1024), new(2, 9, 1024), new(0, 9, 512), new(0, 9, 256), new(2, 3, 256)];
        long[] offsets = new long[lives.Length];
        Assert.Equal(2048, ArenaPlanner.Place(lives, offsets));
        Assert.Equal([0, 0, 1024, 1536, 1792], offsets);
    }

    [Fact]
    public void Equal_lives_give_equal_offsets() => s_lives.Sample(lives =>
    {
        long[] a = new long[lives.Length], b = new long[lives.Length];
        return ArenaPlanner.Place(lives, a) == ArenaPlanner.Place([.. lives], b) && a.SequenceEqual(b);
    }, iter: 50);
}
