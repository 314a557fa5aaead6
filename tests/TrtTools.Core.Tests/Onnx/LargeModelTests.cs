using Google.Protobuf;
using TrtTools.Files;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;

namespace TrtTools.Tests.Onnx;

public sealed class LargeModelTests
{
    [Fact]
    public void A_model_over_2_GB_is_read_without_copying_its_weights()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only there do holes in files cost nothing.");
        using TestFolder folder = new();
        string path = folder.File("large.onnx");
        WriteLarge(path, weights: 3, elements: 300_000_000);
        Assert.True(new FileInfo(path).Length > int.MaxValue);

        long before = GC.GetAllocatedBytesForCurrentThread();
        using OnnxGraph graph = OnnxFile.Import(path, Report.None, default);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);
        Assert.Equal(["w0", "w1", "w2"], graph.Initializers.Select(i => i.Name));
        TensorData last = graph.Body.Find("w2")!.Data!;
        Assert.Equal([0, 0, 128, 63], last.Slice(last.ByteCount - 4, 4).ToArray());
        Assert.Equal(["w0", "w1", "w2", "x", "y"], OnnxFile.ReadTensorNames(path).Order(StringComparer.Ordinal));

        TrtToolsException e = Assert.Throws<TrtToolsException>(() => OnnxFile.Export(graph, folder.File("again.onnx"), new ExportOptions(), Report.None, default));
        Assert.Equal(ErrorCode.OptionInvalid, e.Code);
        Assert.Contains("-ExternalData", e.Message);
        Assert.Equal(["large.onnx"], folder.Files);
    }

    [Fact]
    public void A_mapping_goes_some_time_after_its_last_reference()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Mappings are counted in /proc.");
        using TestFolder folder = new();
        string path = folder.File("m.onnx");
        using OnnxGraph small = TestGraphs.Parse("x: Float32[1,64] -> y { w = Float32[64,512] random(1); y = MatMul(x, w) }");
        OnnxFile.Export(small, path, new ExportOptions(), Report.None, default);
        int Mappings() => File.ReadLines("/proc/self/maps").Count(l => l.EndsWith(path, StringComparison.Ordinal));
        int usual = MappedFile.GraceMilliseconds;
        MappedFile.GraceMilliseconds = 1;
        try
        {
            ImportAndForget(path);
            for (int i = 0; i < 200 && Mappings() > 0; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                Thread.Sleep(10);
            }
            Assert.Equal(0, Mappings());
        }
        finally
        {
            MappedFile.GraceMilliseconds = usual;
        }
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void ImportAndForget(string path)
    {
        for (int i = 0; i < 5; i++) Assert.True(OnnxFile.Import(path, Report.None, default).Body.Find("w")!.Data!.IsMapped);
    }

    /// <summary>Weights are holes in the file but for a last element of 1, so it takes no room on the disk.</summary>
    private static void WriteLarge(string path, int weights, long elements)
    {
        byte[] head = Head(elements), graphRest = new GraphProto
        {
            Name = "g", Input = { new ValueInfoProto { Name = "x" } }, Output = { new ValueInfoProto { Name = "y" } }, Node = { new NodeProto { OpType = "Relu", Input = { "x" }, Output = { "y" } } },
        }.ToByteArray();
        long tensor = head.Length + elements * 4;
        long graph = graphRest.Length + weights * (1 + CodedOutputStream.ComputeUInt64Size((ulong)tensor) + tensor);
        using FileStream stream = new(path, FileMode.CreateNew);
        void Prefix(byte tag, long length)
        {
            stream.WriteByte(tag);
            for (ulong rest = (ulong)length; ; rest >>= 7)
            {
                stream.WriteByte((byte)(rest >= 0x80 ? (rest & 0x7F) | 0x80 : rest));
                if (rest < 0x80) break;
            }
        }
        stream.Write(new ModelProto { IrVersion = 8, OpsetImport = { new OperatorSetIdProto { Version = 17 } } }.ToByteArray());
        Prefix(0x3A, graph);
        stream.Write(graphRest);
        for (int i = 0; i < weights; i++)
        {
            Prefix(0x2A, tensor);
            stream.Write(WithName(head, i));
            stream.Seek((elements * 4) - 4, SeekOrigin.Current);
            stream.Write([0, 0, 128, 63]);
        }
    }

    /// <summary>A tensor message up to where its raw data begins.</summary>
    private static byte[] Head(long elements)
    {
        byte[] message = new TensorProto { Name = "w0", DataType = 1, Dims = { elements } }.ToByteArray();
        using MemoryStream stream = new();
        stream.Write(message);
        stream.WriteByte(0x4A);
        for (ulong rest = (ulong)(elements * 4); ; rest >>= 7)
        {
            stream.WriteByte((byte)(rest >= 0x80 ? (rest & 0x7F) | 0x80 : rest));
            if (rest < 0x80) break;
        }
        return stream.ToArray();
    }

    private static byte[] WithName(byte[] head, int number)
    {
        byte[] named = [.. head];
        int at = named.AsSpan().IndexOf("w0"u8);
        named[at + 1] = (byte)('0' + number);
        return named;
    }
}
