namespace TrtTools.Kernels;

public sealed class AttentionCandidatesTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 16)]
    [InlineData(128, 5)]
    [InlineData(7, 200)]
    public void Few_keys_whose_number_changes_stream(long rows, long keys)
    {
        IReadOnlyList<AttentionVariant> variants = AttentionCandidates.Of(12, rows, keys, 64, fixedKeys: false, clusters: true, thorough: false);
        Assert.NotEmpty(variants);
        // Any number of keys is right with them: nothing is loaded for this number alone.
        Assert.All(variants, v => Assert.True(v is { Resident: 0, Stages: 2, Persistent: false }));
    }

    [Fact]
    public void Fixed_keys_that_fit_are_loaded_at_once() => Assert.Contains(AttentionCandidates.Of(12, 128, 64, 64, fixedKeys: true, clusters: true, thorough: false), v => v.Stages == 1 || v.Resident > 0);
}
