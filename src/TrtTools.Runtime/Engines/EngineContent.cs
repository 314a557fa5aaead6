using System.Security.Cryptography;
using Google.Protobuf;
using TrtTools.Engines.Proto;
using TrtTools.Tensors;

namespace TrtTools.Engines;

/// <summary>Plan, details and blobs: an engine's substance, in memory or mapped.</summary>
internal sealed class EngineContent
{
    public required Plan Plan { get; init; }

    /// <summary>The plan's bytes; their hash is the id.</summary>
    public required byte[] PlanBytes { get; init; }

    public required Details Details { get; init; }

    /// <summary>The blobs of <see cref="Plan"/>, in its order, as byte tensors.</summary>
    public required IReadOnlyList<TensorData> Blobs { get; init; }

    public string Id => Convert.ToHexStringLower(SHA256.HashData(PlanBytes));

    public long BlobsLength => Plan.Blobs.Count == 0 ? 0 : Plan.Blobs[^1].Offset + Plan.Blobs[^1].Length;
}

/// <summary>Gathers blobs; equal ones are kept once.</summary>
internal sealed class BlobStore
{
    private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);
    private long _end;

    public List<Blob> Table { get; } = [];

    public List<TensorData> Content { get; } = [];

    public int Add(byte[] bytes) => Add(TensorData.FromBytes(DataType.UInt8, [bytes.Length], bytes));

    /// <summary>Adds a tensor's bytes; its type and shape stand elsewhere.</summary>
    public int Add(TensorData bytes)
    {
        byte[] hash = Hash(bytes);
        string key = Convert.ToHexStringLower(hash);
        if (_known.TryGetValue(key, out int index)) return index;
        index = Table.Count;
        long offset = EngineFormat.Align(_end);
        Table.Add(new Blob { Offset = offset, Length = bytes.ByteCount, Sha256 = ByteString.CopyFrom(hash) });
        Content.Add(bytes);
        _known.Add(key, index);
        _end = offset + bytes.ByteCount;
        return index;
    }

    public static byte[] Hash(TensorData bytes)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long at = 0; at < bytes.ByteCount; at += EngineFormat.ChunkBytes)
        {
            hash.AppendData(bytes.Slice(at, (int)Math.Min(EngineFormat.ChunkBytes, bytes.ByteCount - at)));
        }
        return hash.GetHashAndReset();
    }
}
