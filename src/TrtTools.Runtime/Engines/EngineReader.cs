using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Google.Protobuf;
using TrtTools.Engines.Proto;
using TrtTools.Files;
using TrtTools.Tensors;

namespace TrtTools.Engines;

/// <summary>Reads engine files. Whatever is wrong with one gives a single error that says what.</summary>
internal static class EngineReader
{
    /// <summary>The header alone: the time does not depend on the engine's size.</summary>
    public static EngineHeader ReadHeader(string path, out long fileLength)
    {
        using FileStream stream = OpenFile(path);
        fileLength = stream.Length;
        byte[] preamble = new byte[(int)Math.Min(EngineFormat.PreambleBytes, fileLength)];
        stream.ReadExactly(preamble);
        Preamble parsed = CheckPreamble(preamble, fileLength, path);
        byte[] json = new byte[parsed.HeaderLength];
        stream.ReadExactly(json);
        return CheckHeader(json, parsed, fileLength, path, out _);
    }

    /// <summary>Header and content. Every byte of the file is checked; blobs stay mapped.</summary>
    public static (EngineHeader Header, EngineContent Content, long FileLength) Read(string path, CancellationToken stop = default)
    {
        OpenFile(path).Dispose();
        MappedFile file;
        try
        {
            file = MappedFile.Open(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(path, e);
        }
        try
        {
            ReadOnlySpan<byte> start = file.Span(0, (int)Math.Min(EngineFormat.PreambleBytes, file.Length));
            Preamble parsed = CheckPreamble(start, file.Length, path);
            EngineHeader header = CheckHeader(file.Span(EngineFormat.PreambleBytes, parsed.HeaderLength), parsed, file.Length, path, out EngineLayout layout);
            CheckChunks(file, parsed, layout, path, stop);
            byte[] planBytes = file.Span(layout.PlanOffset, checked((int)layout.PlanLength)).ToArray();
            if (!string.Equals(Convert.ToHexStringLower(SHA256.HashData(planBytes)), header.Id, StringComparison.Ordinal)) throw Corrupt(path, "the id in the header is not that of the plan");
            Plan plan;
            Details details;
            try
            {
                plan = Plan.Parser.ParseFrom(planBytes);
                details = Details.Parser.ParseFrom(file.Span(layout.DetailsOffset, checked((int)layout.DetailsLength)));
            }
            catch (InvalidProtocolBufferException e)
            {
                throw Corrupt(path, "the plan cannot be read", e);
            }
            if (plan.Revision != PlanRevision) throw Incompatible(path, $"its plan has revision {plan.Revision}", $"Revision {PlanRevision}");
            List<TensorData> blobs = [];
            foreach (Blob blob in plan.Blobs)
            {
                if (blob.Offset < 0 || blob.Length < 0 || blob.Offset % EngineFormat.Alignment != 0 || blob.Offset > layout.BlobsLength || blob.Length > layout.BlobsLength - blob.Offset)
                {
                    throw Corrupt(path, "a blob lies outside the file");
                }
                blobs.Add(TensorData.FromFile(DataType.UInt8, [blob.Length], file, layout.BlobsOffset + blob.Offset, blob.Length));
            }
            if (string.Equals(plan.Device, nameof(DeviceKind.Cuda), StringComparison.Ordinal)) PlanTables.Read(plan, blobs, path);
            return (header, new EngineContent { Plan = plan, PlanBytes = planBytes, Details = details, Blobs = blobs }, file.Length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public const uint PlanRevision = 1;

    private readonly record struct Preamble(int HeaderLength, byte[] HeaderHash, byte[] TableHash);

    private static Preamble CheckPreamble(ReadOnlySpan<byte> bytes, long fileLength, string path)
    {
        if (fileLength == 0) throw Corrupt(path, "the file is empty");
        if (!bytes.StartsWith(EngineFormat.Magic[..Math.Min(8, bytes.Length)])) throw Foreign(path, bytes);
        if (bytes.Length < EngineFormat.PreambleBytes) throw Corrupt(path, $"the file ends after {fileLength} bytes, inside its first part");
        if (!SHA256.HashData(bytes[..96]).AsSpan().SequenceEqual(bytes[96..128])) throw Corrupt(path, "its first 128 bytes were altered");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (version != EngineFormat.Version) throw Incompatible(path, $"its file format has version {version}", $"Version {EngineFormat.Version}");
        long headerLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
        if (length != (ulong)fileLength) throw Corrupt(path, $"the file has {fileLength:N0} bytes where {length:N0} were written{((ulong)fileLength < length ? ", so it was truncated" : "")}");
        if (headerLength is 0 or > EngineFormat.MaxHeaderBytes || headerLength > fileLength - EngineFormat.PreambleBytes) throw Corrupt(path, "its header ends outside the file");
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]) != EngineFormat.ChunkBytes) throw Corrupt(path, "its digests cover chunks of a wrong size");
        return new Preamble((int)headerLength, bytes[32..64].ToArray(), bytes[64..96].ToArray());
    }

    private static EngineHeader CheckHeader(ReadOnlySpan<byte> json, Preamble preamble, long fileLength, string path, out EngineLayout layout)
    {
        if (!SHA256.HashData(json).AsSpan().SequenceEqual(preamble.HeaderHash)) throw Corrupt(path, "its header was altered");
        EngineHeader? header;
        try
        {
            header = EngineHeader.FromJson(json);
        }
        catch (JsonException e)
        {
            throw Corrupt(path, "its header cannot be read", e);
        }
        if (header is not { Sections: { PlanLength: >= 0 and <= int.MaxValue, DetailsLength: >= 0 and <= int.MaxValue, BlobsLength: >= 0 } sections } || sections.BlobsLength > fileLength)
        {
            throw Corrupt(path, "its header describes no engine");
        }
        layout = new EngineLayout(json.Length, sections.PlanLength, sections.DetailsLength, sections.BlobsLength);
        if (layout.FileLength != fileLength) throw Corrupt(path, "its sections do not fill the file");
        return header;
    }

    private static void CheckChunks(MappedFile file, Preamble preamble, EngineLayout layout, string path, CancellationToken stop)
    {
        byte[] table = file.Span(layout.TableOffset, checked((int)layout.TableLength)).ToArray();
        if (!SHA256.HashData(table).AsSpan().SequenceEqual(preamble.TableHash)) throw Corrupt(path, "its digest table was altered");
        long body = layout.BodyOffset;
        long damaged = long.MaxValue;
        Parallel.For(0, EngineFormat.ChunkCount(file.Length - body), new ParallelOptions { CancellationToken = stop }, chunk =>
        {
            long offset = body + chunk * EngineFormat.ChunkBytes;
            ReadOnlySpan<byte> bytes = file.Span(offset, (int)Math.Min(EngineFormat.ChunkBytes, file.Length - offset));
            if (SHA256.HashData(bytes).AsSpan().SequenceEqual(table.AsSpan(checked((int)chunk * EngineFormat.DigestBytes), EngineFormat.DigestBytes))) return;
            for (long seen = Volatile.Read(ref damaged); chunk < seen;)
            {
                long found = Interlocked.CompareExchange(ref damaged, chunk, seen);
                if (found == seen) break;
                seen = found;
            }
        });
        if (damaged == long.MaxValue) return;
        long first = body + damaged * EngineFormat.ChunkBytes;
        throw Corrupt(path, $"bytes {first:N0} to {Math.Min(first + EngineFormat.ChunkBytes, file.Length) - 1:N0} were altered");
    }

    private static FileStream OpenFile(string path)
    {
        try
        {
            if (Directory.Exists(path)) throw new TrtToolsException(ErrorCode.EngineNotFound, path, "this is a folder", "It takes an engine file", "Give the path of a file that Build-Engine wrote");
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 14);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TrtToolsException(ErrorCode.EngineNotFound, path, "the file does not exist", "An engine file", "Check the path, or build the engine with Build-Engine", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(path, e);
        }
    }

    private static TrtToolsException NotReadable(string path, Exception e) =>
        new(ErrorCode.FileNotReadable, path, $"the file could not be read ({e.Message.TrimEnd('.')})", "", "Check the file's permissions", e);

    internal static TrtToolsException Corrupt(string path, string found, Exception? inner = null) =>
        new(ErrorCode.EngineCorrupt, path, found, "An engine file as Build-Engine wrote it", "Copy the file anew, or build the engine again", inner);

    internal static TrtToolsException Incompatible(string path, string found, string expected) =>
        new(ErrorCode.EngineIncompatible, path, found, expected + " is what this version of TrtTools reads", "Build the engine again with this version");

    private static TrtToolsException Foreign(string path, ReadOnlySpan<byte> bytes)
    {
        string kind = bytes.StartsWith("ptrt"u8) ? "it is a TensorRT engine"
            : bytes is [0x89, (byte)'P', (byte)'N', (byte)'G', ..] ? "it is a PNG image"
            : bytes.StartsWith("PK"u8) ? "it is a ZIP archive"
            : bytes is [0x08, < 32, ..] || path.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) ? "it looks like an ONNX model" : "it does not start as an engine file does";
        return new TrtToolsException(ErrorCode.EngineCorrupt, path, kind, "An engine file of TrtTools",
            kind.Contains("ONNX", StringComparison.Ordinal) ? "Build an engine from it: Import-OnnxGraph | Build-Engine" : kind.Contains("TensorRT", StringComparison.Ordinal)
                ? "TensorRT's engines run in TensorRT only; build one from the ONNX model with Build-Engine" : "Give the path of a file that Build-Engine wrote");
    }
}
