using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>A stream of samples, each the inputs of one call. It can be read more than once, and holds one sample at a time.</summary>
public abstract class InputSource
{
    /// <summary>How many samples it gives, when that is known beforehand.</summary>
    public abstract long? Count { get; }

    /// <summary>What it is, for people: "folder images/ (120 images)".</summary>
    public abstract string Description { get; }

    /// <summary>Made up rather than measured, so nothing learned from it is to be trusted.</summary>
    public virtual bool IsSynthetic => false;

    public abstract IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(CancellationToken stop);
}

/// <summary>A source made of a count and a way to get sample number i.</summary>
internal sealed class IndexedInputSource(int count, string description, Func<int, IReadOnlyDictionary<string, Tensor>> get, bool isSynthetic = false) : InputSource
{
    public override long? Count => count;

    public override string Description => description;

    public override bool IsSynthetic => isSynthetic;

    public override IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(CancellationToken stop)
    {
        for (int i = 0; i < count; i++)
        {
            stop.ThrowIfCancellationRequested();
            yield return get(i);
        }
    }
}

/// <summary>A source that some other enumeration feeds.</summary>
internal sealed class StreamInputSource(long? count, string description, Func<CancellationToken, IEnumerable<IReadOnlyDictionary<string, Tensor>>> read) : InputSource
{
    public override long? Count => count;

    public override string Description => description;

    public override IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(CancellationToken stop) => read(stop);
}
