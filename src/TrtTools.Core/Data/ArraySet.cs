using System.IO.Compression;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>A named array in a file, opened anew for each reading, so that only one sample is in memory.</summary>
internal sealed record StoredArray(string Name, string Subject, Func<Stream> Open)
{
    public NpyHeader Header { get; init; } = null!;

    public static StoredArray OfNpy(string path, string name) => new StoredArray(name, path, () => TensorFile.Open(path)).WithHeader();

    public static IReadOnlyList<StoredArray> OfNpz(string path)
    {
        using ZipArchive archive = new(TensorFile.Open(path), ZipArchiveMode.Read);
        return [.. archive.Entries.Where(e => e.FullName.EndsWith(".npy", StringComparison.Ordinal)).Select(e => e.FullName)
            .Select(entry => new StoredArray(entry[..^4], $"{path} ({entry})", () => new ZipEntryStream(path, entry)).WithHeader())];
    }

    private StoredArray WithHeader()
    {
        using Stream stream = Open();
        return this with { Header = NpyFormat.ReadHeader(stream, Subject) };
    }
}

/// <summary>One entry of an archive that goes with it.</summary>
internal sealed class ZipEntryStream : Stream
{
    private readonly ZipArchive _archive;
    private readonly Stream _entry;

    public ZipEntryStream(string path, string entry)
    {
        _archive = new ZipArchive(TensorFile.Open(path), ZipArchiveMode.Read);
        _entry = _archive.GetEntry(entry)!.Open();
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => _entry.Read(buffer, offset, count);
    public override int Read(Span<byte> buffer) => _entry.Read(buffer);
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _entry.Dispose();
            _archive.Dispose();
        }
        base.Dispose(disposing);
    }
}

/// <summary>Arrays that together hold the samples of a model's inputs along their first axis.</summary>
internal sealed class ArraySet
{
    private readonly List<Part> _parts = [];

    private sealed record Part(InputInfo Input, StoredArray Array, long Samples, long[] SampleShape);

    public long Count { get; }

    /// <param name="split">Whether a dynamic first extent is the axis of samples too; else an array that fits as it is makes one call.</param>
    public ArraySet(IReadOnlyList<(InputInfo Input, StoredArray Array)> arrays, bool split)
    {
        foreach ((InputInfo input, StoredArray array) in arrays)
        {
            (long samples, long[] shape) = Divide(input, array, split);
            _parts.Add(new Part(input, array, samples, shape));
        }
        Count = _parts.Select(p => p.Samples).Where(s => s != 1).DefaultIfEmpty(1).First();
        if (_parts.Find(p => p.Samples != 1 && p.Samples != Count) is { } odd)
        {
            Part first = _parts.First(p => p.Samples == Count);
            throw new TrtToolsException(ErrorCode.DataInvalid, odd.Array.Subject, $"it holds {odd.Samples} samples, and that of '{first.Input.Name}' {Count}",
                "The arrays must hold as many samples each", "Save them again with equal first extents");
        }
    }

    private static (long Samples, long[] Shape) Divide(InputInfo input, StoredArray array, bool split)
    {
        long[] found = array.Header.Shape;
        if (input.Shape is not { } expected) return (1, found);
        if (found.Length == expected.Length + 1 && TensorConversion.Fits(found.AsSpan(1), expected)) return (found[0], found[1..]);
        if (found.Length == expected.Length && found.Length > 0 && TensorConversion.Fits(found.AsSpan(1), expected[1..]))
        {
            long batch = expected[0];
            // A vector of dynamic length is one value (a signal, a text), not a batch of numbers.
            if (batch < 0) return split && found.Length > 1 ? (found[0], [1, .. found[1..]]) : (1, found);
            if (found[0] == batch) return (1, found);
            if (batch > 0 && found[0] % batch == 0) return (found[0] / batch, [batch, .. found[1..]]);
        }
        if (found.Length <= 1 && TensorData.CountElements(found) == TensorData.CountElements([.. expected.Select(d => d < 0 ? 1 : d)])) return (1, found);
        throw new TrtToolsException(ErrorCode.InputInvalid, array.Subject, $"the shape is [{string.Join(',', found)}]",
            $"Input '{input.Name}' takes {InputInfo.ShapeText(expected)}, with an axis of samples before it or along its first axis", "Save the array in that shape");
    }

    public IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(CancellationToken stop)
    {
        List<IEnumerator<TensorData>> readers = [.. _parts.Select(p => Samples(p).GetEnumerator())];
        try
        {
            for (long i = 0; i < Count; i++)
            {
                stop.ThrowIfCancellationRequested();
                Dictionary<string, Tensor> sample = new(StringComparer.Ordinal);
                for (int k = 0; k < readers.Count; k++)
                {
                    if (_parts[k].Samples != 1 || i == 0) readers[k].MoveNext();
                    InputInfo input = _parts[k].Input;
                    sample.Add(input.Name, TensorConversion.From(new Tensor(input.Name, readers[k].Current), input.Name, input.DataType, input.Shape));
                }
                yield return sample;
            }
        }
        finally
        {
            foreach (IEnumerator<TensorData> reader in readers) reader.Dispose();
        }
    }

    private static IEnumerable<TensorData> Samples(Part part)
    {
        using Stream stream = part.Array.Open();
        NpyHeader header = NpyFormat.ReadHeader(stream, part.Array.Subject);
        if (!header.ColumnMajor && header.CharacterBytes == 0)
        {
            for (long i = 0; i < part.Samples; i++) yield return NpyFormat.ReadNext(stream, header, part.SampleShape, part.Array.Subject);
            yield break;
        }
        // These cannot be read in pieces.
        TensorData all = NpyFormat.ReadElements(stream, header, part.Array.Subject);
        int length = (int)TensorData.CountElements(part.SampleShape);
        for (int i = 0; i < part.Samples; i++)
        {
            yield return all.Type == DataType.String ? TensorData.FromStrings(part.SampleShape, all.Strings.Slice(i * length, length).ToArray())
                : TensorData.FromBytes(all.Type, part.SampleShape, all.Bytes.Slice(i * (int)all.Type.ByteCount(length), (int)all.Type.ByteCount(length)).ToArray());
        }
    }
}
