using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>Keeps the two samples with the smallest hashes: the same whatever the order they come in.</summary>
internal sealed class SampleChoice
{
    private const int Wanted = 2;

    private readonly List<(byte[] Hash, IReadOnlyDictionary<string, TensorData> Sample)> _kept = [];

    public IReadOnlyList<IReadOnlyDictionary<string, TensorData>> Samples => [.. _kept.Select(k => k.Sample)];

    public void Offer(byte[] hash, IReadOnlyDictionary<string, TensorData> sample)
    {
        int at = _kept.FindIndex(k => hash.AsSpan().SequenceCompareTo(k.Hash) < 0);
        _kept.Insert(at < 0 ? _kept.Count : at, (hash, sample));
        if (_kept.Count > Wanted) _kept.RemoveAt(Wanted);
    }
}
