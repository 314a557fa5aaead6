using System.Security.Cryptography;
using System.Text;
using CsCheck;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Tests.Engines;

public sealed class EngineFormatTests
{
    [Fact]
    public void What_was_written_is_read_back()
    {
        using TestFolder folder = new();
        (EngineHeader header, EngineContent content) = TestEngines.Content([1, 255, 256, 257, 5_000_000]);
        string path = folder.File("a.engine");
        EngineWriter.Write(header, content, path, force: false);
        (EngineHeader readHeader, EngineContent read, long length) = EngineReader.Read(path);
        Assert.Equal(new FileInfo(path).Length, length);
        Assert.Equal(EngineWriter.FileLength(header, content), length);
        Assert.Equal(content.PlanBytes, read.PlanBytes);
        Assert.Equal(content.Id, read.Id);
        Assert.Equal(content.Details, read.Details);
        Assert.Equal("ü\"ser", readHeader.Provenance.User);
        Assert.Equal(header.Provenance.BuiltAt, readHeader.Provenance.BuiltAt);
        Assert.Equal(header.Warnings, readHeader.Warnings);
        for (int i = 0; i < content.Blobs.Count; i++) Assert.True(content.Blobs[i].ContentEquals(read.Blobs[i]));
    }

    [Fact]
    public void Any_blobs_come_back()
    {
        Gen.Int[0, 10_000].Array[0, 12].Sample(sizes =>
        {
            using TestFolder folder = new();
            (EngineHeader header, EngineContent content) = TestEngines.Content(sizes);
            EngineWriter.Write(header, content, folder.File("a"), force: false);
            EngineContent read = EngineReader.Read(folder.File("a")).Content;
            return read.Blobs.Count == content.Blobs.Count && read.Blobs.Zip(content.Blobs).All(p => p.First.ContentEquals(p.Second));
        }, iter: 50);
    }

    [Fact]
    public void Blobs_lie_at_multiples_of_256_and_equal_ones_lie_once()
    {
        BlobStore store = new();
        int first = store.Add([1, 2, 3]), second = store.Add(new byte[1000]), again = store.Add([1, 2, 3]);
        Assert.Equal(first, again);
        Assert.NotEqual(first, second);
        Assert.Equal(2, store.Table.Count);
        Assert.All(store.Table, b => Assert.Equal(0, b.Offset % EngineFormat.Alignment));
        (EngineHeader header, EngineContent content) = TestEngines.Content([100, 4096]);
        using MemoryStream stream = new();
        EngineWriter.Write(header, content, stream);
        byte[] file = stream.ToArray();
        for (int i = 0; i < content.Blobs.Count; i++)
        {
            int at = file.AsSpan().LastIndexOf(content.Blobs[i].Bytes);
            Assert.True(at > 0 && at % EngineFormat.Alignment == 0);
        }
    }

    [Fact]
    public void Equal_engines_are_equal_bytes() => Assert.Equal(TestEngines.File(10, 20_000), TestEngines.File(10, 20_000));

    [Fact]
    public void The_id_depends_on_content_and_not_on_the_record()
    {
        (EngineHeader header, EngineContent content) = TestEngines.Content([10]);
        (_, EngineContent other) = TestEngines.Content([11]);
        Assert.NotEqual(content.Id, other.Id);
        Assert.Equal(content.Id, (header with { Provenance = new EngineProvenance { User = "somebody else" } }).Id);
    }

    [Fact]
    public void The_header_is_read_without_the_rest()
    {
        using TestFolder folder = new();
        byte[] file = TestEngines.File(6_000_000);
        // Past the header everything is damaged: only a reader that looks further notices.
        file.AsSpan(4096).Fill(7);
        EngineInfo info = EngineFile.ReadInfo(folder.Write("a.engine", file));
        Assert.Equal("double", info.Name);
        Assert.Equal("x: Float32[2,3]", info.Inputs[0].ToString());
        Assert.Equal(file.Length, info.SizeBytes);
        Assert.Equal(1, info.FormatVersion);
        Assert.Equal("double", info.Model);
    }

    [Fact]
    public void The_header_is_JSON_for_any_tool()
    {
        byte[] file = TestEngines.File(10);
        int length = BitConverter.ToInt32(file, 12);
        using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse(file.AsMemory(EngineFormat.PreambleBytes, length));
        Assert.Equal("double", json.RootElement.GetProperty("Name").GetString());
        Assert.Equal("Float32", json.RootElement.GetProperty("Inputs")[0].GetProperty("DataType").GetString());
    }

    [Fact]
    public void Every_flipped_byte_is_noticed()
    {
        using TestFolder folder = new();
        byte[] file = TestEngines.File(100, 700);
        for (int at = 0; at < file.Length; at += at < 200 ? 1 : 7)
        {
            byte[] damaged = (byte[])file.Clone();
            damaged[at] ^= 0x41;
            TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineReader.Read(folder.Write("a", damaged)));
            Assert.True(e.Code == ErrorCode.EngineCorrupt, $"byte {at}: {e.Message}");
        }
    }

    [Fact]
    public void Every_region_of_a_large_file_is_covered()
    {
        using TestFolder folder = new();
        byte[] file = TestEngines.File(3_000_000, 9_000_000);
        foreach (int at in new[] { file.Length - 1, file.Length / 2, 5_000_000, EngineFormat.ChunkBytes, 12_000_000 })
        {
            byte[] damaged = (byte[])file.Clone();
            damaged[at] ^= 1;
            TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineReader.Read(folder.Write("a", damaged)));
            Assert.Equal(ErrorCode.EngineCorrupt, e.Code);
            Assert.Contains("were altered", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_truncation_is_noticed()
    {
        using TestFolder folder = new();
        byte[] file = TestEngines.File(100, 700);
        foreach (int length in Enumerable.Range(0, 160).Concat(Enumerable.Range(1, file.Length / 61).Select(i => file.Length - i * 60)).Append(file.Length - 1))
        {
            string path = folder.Write("a", file[..length]);
            foreach (Action read in new Action[] { () => EngineReader.Read(path), () => EngineFile.ReadInfo(path) })
            {
                TrtToolsException e = Assert.Throws<TrtToolsException>(read);
                Assert.True(e.Code == ErrorCode.EngineCorrupt, $"{length} bytes: {e.Message}");
            }
        }
    }

    [Fact]
    public void Bytes_after_the_end_are_noticed()
    {
        using TestFolder folder = new();
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineReader.Read(folder.Write("a", [.. TestEngines.File(10), 0])));
        Assert.Equal(ErrorCode.EngineCorrupt, e.Code);
    }

    [Fact]
    public void Another_format_version_is_named()
    {
        using TestFolder folder = new();
        byte[] file = TestEngines.File(10);
        file[8] = 9;
        SHA256.HashData(file.AsSpan(0, 96), file.AsSpan(96, 32));
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineReader.Read(folder.Write("a", file)));
        Assert.Equal(ErrorCode.EngineIncompatible, e.Code);
        Assert.Contains("version 9", e.Message, StringComparison.Ordinal);
        Assert.Contains("Version 1", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ptrtsomething", "TensorRT")]
    [InlineData("PK\u0003\u0004", "ZIP")]
    [InlineData("\u0008\u0007\u0012\u0004test", "ONNX")]
    [InlineData("hello", "does not start")]
    public void A_foreign_file_is_recognized(string start, string word)
    {
        using TestFolder folder = new();
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineReader.Read(folder.Write("a", Encoding.Latin1.GetBytes(start))));
        Assert.Equal(ErrorCode.EngineCorrupt, e.Code);
        Assert.Contains(word, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_no_engines()
    {
        using TestFolder folder = new();
        Assert.Equal(ErrorCode.EngineNotFound, Assert.Throws<TrtToolsException>(() => EngineFile.ReadInfo(folder.File("absent"))).Code);
        Assert.Equal(ErrorCode.EngineNotFound, Assert.Throws<TrtToolsException>(() => EngineFile.Load(folder.FullPath, Report.None)).Code);
    }

    [Fact]
    public void A_blob_outside_the_file_is_corrupt()
    {
        using TestFolder folder = new();
        (EngineHeader header, EngineContent content) = TestEngines.Content([100]);
        content.Plan.Blobs[0].Length = long.MaxValue - 10;
        byte[] plan = Google.Protobuf.MessageExtensions.ToByteArray(content.Plan);
        content.Plan.Blobs[0].Length = 5;
        EngineContent forged = new() { Plan = content.Plan, PlanBytes = plan, Details = content.Details, Blobs = content.Blobs };
        EngineWriter.Write(header with { Id = forged.Id }, forged, folder.File("a"), force: false);
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineReader.Read(folder.File("a")));
        Assert.Equal(ErrorCode.EngineCorrupt, e.Code);
        Assert.Contains("outside", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_loaded_engine_can_be_replaced()
    {
        using TestFolder folder = new();
        string path = folder.File("a.engine");
        using Engine first = TestEngines.Create();
        EngineFile.Save(first, path, force: false);
        using Engine loaded = EngineFile.Load(path, Report.None);
        Assert.Equal(ErrorCode.OutputPathExists, Assert.Throws<TrtToolsException>(() => EngineFile.Save(first, path, force: false)).Code);
        EngineFile.Save(loaded, path, force: true);
        using Engine again = EngineFile.Load(path, Report.None);
        Assert.Equal(first.Id, again.Id);
        Assert.Equal(["a.engine"], Directory.GetFiles(folder.FullPath).Select(Path.GetFileName));
    }
}
