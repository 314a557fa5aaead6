using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>SHA-256 of a set of samples, the same for any order: the sum of the samples' hashes modulo 2^256.</summary>
internal sealed class DataHash
{
    private readonly uint[] _sum = new uint[8];

    /// <summary>Adds a sample; gives its own hash.</summary>
    public byte[] Add(IReadOnlyDictionary<string, TensorData> sample)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, TensorData data) in sample.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{name}\0{data.Type}[{string.Join(',', data.Shape.ToArray())}]\0"));
            if (data.Type == DataType.String) hash.AppendData(Encoding.UTF8.GetBytes(string.Join('\0', data.Strings.ToArray())));
            for (long at = 0; at < data.ByteCount; at += 1 << 24) hash.AppendData(data.Slice(at, (int)Math.Min(1 << 24, data.ByteCount - at)));
        }
        byte[] digest = hash.GetHashAndReset();
        ulong carry = 0;
        for (int i = 0; i < 8; i++)
        {
            carry += (ulong)_sum[i] + BinaryPrimitives.ReadUInt32LittleEndian(digest.AsSpan(i * 4));
            _sum[i] = (uint)carry;
            carry >>= 32;
        }
        return digest;
    }

    public override string ToString()
    {
        byte[] bytes = new byte[32];
        for (int i = 0; i < 8; i++) BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), _sum[i]);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>SHA-256 of the file that a graph came from, so that raw, optimized and fused graphs have the same; of the graph itself when there is none.</summary>
    public static string OfGraph(OnnxGraph graph)
    {
        if (graph.Path is { } path && File.Exists(path))
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        using HashingStream sink = new();
        OnnxFile.WriteTo(graph, sink);
        return sink.Finish();
    }

    private sealed class HashingStream : Stream
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private long _length;

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => _length;
        public override long Position { get => _length; set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _hash.AppendData(buffer);
            _length += buffer.Length;
        }

        public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

        protected override void Dispose(bool disposing)
        {
            _hash.Dispose();
            base.Dispose(disposing);
        }
    }
}
