using System.Security.Cryptography;
using Google.Protobuf;
using TrtTools.Files;
using TrtTools.Tensors;

namespace TrtTools.Engines;

/// <summary>Writes engine files.</summary>
internal static class EngineWriter
{
    public static void Write(EngineHeader header, EngineContent content, string path, bool force) =>
        AtomicFile.Write(path, force, stream => Write(header, content, stream));

    /// <summary>The size that the file of this engine has.</summary>
    public static long FileLength(EngineHeader header, EngineContent content) => Prepare(header, content, out _, out _).FileLength;

    public static void Write(EngineHeader header, EngineContent content, Stream stream)
    {
        EngineLayout layout = Prepare(header, content, out byte[] json, out byte[] details);
        long start = stream.Position;
        stream.Write(new byte[EngineFormat.PreambleBytes]);
        stream.Write(json);
        stream.Write(new byte[layout.TableLength]);
        byte[] table;
        using (ChunkDigester digester = new(stream, layout.BodyOffset))
        {
            digester.PadTo(layout.PlanOffset);
            digester.Write(content.PlanBytes);
            digester.PadTo(layout.DetailsOffset);
            digester.Write(details);
            digester.PadTo(layout.BlobsOffset);
            for (int i = 0; i < content.Blobs.Count; i++)
            {
                digester.PadTo(layout.BlobsOffset + content.Plan.Blobs[i].Offset);
                TensorData blob = content.Blobs[i];
                for (long at = 0; at < blob.ByteCount; at += EngineFormat.ChunkBytes)
                {
                    digester.Write(blob.Slice(at, (int)Math.Min(EngineFormat.ChunkBytes, blob.ByteCount - at)));
                }
            }
            table = digester.Finish();
        }
        if (table.Length != layout.TableLength) throw new InvalidOperationException("The digest table's length was foreseen wrongly.");
        stream.Position = start;
        stream.Write(EngineFormat.Preamble(json.Length, layout.FileLength, SHA256.HashData(json), SHA256.HashData(table)));
        stream.Position = start + layout.TableOffset;
        stream.Write(table);
        stream.Position = start + layout.FileLength;
    }

    private static EngineLayout Prepare(EngineHeader header, EngineContent content, out byte[] json, out byte[] details)
    {
        details = content.Details.ToByteArray();
        EngineSections sections = new() { PlanLength = content.PlanBytes.Length, DetailsLength = details.Length, BlobsLength = content.BlobsLength };
        json = (header with { Sections = sections }).ToJson();
        return new EngineLayout(json.Length, sections.PlanLength, sections.DetailsLength, sections.BlobsLength);
    }

    /// <summary>Passes bytes on and digests every chunk of them.</summary>
    private sealed class ChunkDigester(Stream stream, long position) : IDisposable
    {
        private static readonly byte[] Zeros = new byte[EngineFormat.Alignment];
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly MemoryStream _table = new();
        private long _position = position;
        private int _inChunk;

        public void Write(ReadOnlySpan<byte> bytes)
        {
            stream.Write(bytes);
            _position += bytes.Length;
            while (bytes.Length > 0)
            {
                int take = Math.Min(bytes.Length, EngineFormat.ChunkBytes - _inChunk);
                _hash.AppendData(bytes[..take]);
                _inChunk += take;
                bytes = bytes[take..];
                if (_inChunk == EngineFormat.ChunkBytes) Close();
            }
        }

        public void PadTo(long offset) => Write(Zeros.AsSpan(0, checked((int)(offset - _position))));

        public byte[] Finish()
        {
            if (_inChunk > 0) Close();
            return _table.ToArray();
        }

        private void Close()
        {
            _table.Write(_hash.GetHashAndReset());
            _inChunk = 0;
        }

        public void Dispose() => _hash.Dispose();
    }
}
