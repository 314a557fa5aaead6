using System.Buffers.Binary;
using System.Security.Cryptography;

namespace TrtTools.Engines;

/// <summary>
/// The engine file. All numbers are little-endian.
/// <code>
///   0  "TRTTOOLS"                    8 bytes
///   8  format version                4
///  12  length of the header          4
///  16  length of the file            8
///  24  bytes of one digested chunk   4
///  28  zero                          4
///  32  SHA-256 of the header         32
///  64  SHA-256 of the digest table   32
///  96  SHA-256 of the 96 bytes above 32    (every version of the format keeps these 128 bytes)
/// 128  header, JSON
///      digest table: SHA-256 of each 4 MB chunk of all that follows it
///      plan, details, blobs; each section, and each blob, at a multiple of 256, zeros between
/// </code>
/// </summary>
internal static class EngineFormat
{
    public const int Version = 1;
    public const int Alignment = 256;
    public const int ChunkBytes = 4 << 20;
    public const int PreambleBytes = 128;
    public const int DigestBytes = 32;

    /// <summary>A header larger than this is none.</summary>
    public const int MaxHeaderBytes = 64 << 20;

    public static ReadOnlySpan<byte> Magic => "TRTTOOLS"u8;

    public static long Align(long offset) => (offset + Alignment - 1) & ~(long)(Alignment - 1);

    public static long ChunkCount(long bytes) => (bytes + ChunkBytes - 1) / ChunkBytes;

    public static byte[] Preamble(int headerLength, long fileLength, ReadOnlySpan<byte> headerHash, ReadOnlySpan<byte> tableHash)
    {
        byte[] preamble = new byte[PreambleBytes];
        Magic.CopyTo(preamble);
        BinaryPrimitives.WriteUInt32LittleEndian(preamble.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(preamble.AsSpan(12), (uint)headerLength);
        BinaryPrimitives.WriteUInt64LittleEndian(preamble.AsSpan(16), (ulong)fileLength);
        BinaryPrimitives.WriteUInt32LittleEndian(preamble.AsSpan(24), ChunkBytes);
        headerHash.CopyTo(preamble.AsSpan(32));
        tableHash.CopyTo(preamble.AsSpan(64));
        SHA256.HashData(preamble.AsSpan(0, 96), preamble.AsSpan(96));
        return preamble;
    }
}

/// <summary>Where everything of one file lies.</summary>
internal readonly record struct EngineLayout(int HeaderLength, long PlanLength, long DetailsLength, long BlobsLength)
{
    public long TableOffset => EngineFormat.PreambleBytes + HeaderLength;

    /// <summary>The table's length depends on the length of what it digests, which starts where the table ends.</summary>
    public long TableLength
    {
        get
        {
            long length = 0;
            for (long before = -1; before != length;)
            {
                before = length;
                length = EngineFormat.ChunkCount(EndAfter(length) - (TableOffset + length)) * EngineFormat.DigestBytes;
            }
            return length;
        }
    }

    public long BodyOffset => TableOffset + TableLength;

    public long PlanOffset => EngineFormat.Align(BodyOffset);

    public long DetailsOffset => EngineFormat.Align(PlanOffset + PlanLength);

    public long BlobsOffset => EngineFormat.Align(DetailsOffset + DetailsLength);

    public long FileLength => EndAfter(TableLength);

    private long EndAfter(long tableLength)
    {
        long plan = EngineFormat.Align(TableOffset + tableLength);
        long blobs = EngineFormat.Align(EngineFormat.Align(plan + PlanLength) + DetailsLength);
        return blobs + BlobsLength;
    }
}
