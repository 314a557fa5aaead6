using Google.Protobuf;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;

namespace TrtTools.Tests.Onnx;

public sealed class ExternalDataTests
{
    private const string Text = "x: Float32[1,64] -> y { w = Float32[64,512] random(1); b = Float32[512] random(2); s = Float32[2] [1, 2]; h = MatMul(x, w); y = Add(h, b) }";

    private static readonly ExportOptions s_outside = new() { ExternalData = true, Force = true };

    [Fact]
    public void Weights_go_out_and_come_back()
    {
        using TestFolder folder = new();
        using OnnxGraph graph = TestGraphs.Parse(Text);
        OnnxFile.Export(graph, folder.File("m.onnx"), s_outside, Report.None, default);
        Assert.Equal(["m.onnx", "m.onnx.data"], folder.Files);
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder.File("m.onnx")));
        Assert.Equal([true, true, false], model.Graph.Initializer.Select(ExternalDataReader.IsExternal));
        Assert.All(model.Graph.Initializer.Take(2), i => Assert.Equal(0, long.Parse(i.ExternalData[1].Value) % 64));
        using OnnxGraph back = OnnxFile.Import(folder.File("m.onnx"), Report.None, default);
        Assert.All(graph.Body.Initializers, i => Assert.True(back.Body.Find(i.Name)!.Data!.ContentEquals(i.Data!)));
        OnnxFile.Export(back, folder.File("inline.onnx"), new ExportOptions(), Report.None, default);
        Assert.True(File.ReadAllBytes(folder.File("inline.onnx")).AsSpan().SequenceEqual(OnnxFile.Serialize(graph)));
    }

    [Fact]
    public void Exported_onto_its_own_source_the_old_data_file_goes()
    {
        using TestFolder folder = new();
        string path = folder.File("m.onnx");
        using OnnxGraph graph = TestGraphs.Parse(Text);
        OnnxFile.Export(graph, path, s_outside, Report.None, default);
        for (int i = 0; i < 4; i++)
        {
            OnnxGraph imported = OnnxFile.Import(path, Report.None, default);
            OnnxFile.Export(imported, path, s_outside, Report.None, default);
            Assert.Equal(2, folder.Files.Count);
            Assert.True(imported.Body.Find("w")!.Data!.ContentEquals(graph.Body.Find("w")!.Data!), "the graph still reads the file it came from");
        }
        using OnnxGraph last = OnnxFile.Import(path, Report.None, default);
        Assert.True(last.Body.Find("w")!.Data!.ContentEquals(graph.Body.Find("w")!.Data!));
    }

    [Fact]
    public void A_cancelled_export_leaves_the_old_pair()
    {
        using TestFolder folder = new();
        string path = folder.File("m.onnx");
        using OnnxGraph graph = TestGraphs.Parse(Text);
        OnnxFile.Export(graph, path, s_outside, Report.None, default);
        byte[] before = File.ReadAllBytes(path);
        using OnnxGraph other = TestGraphs.Parse(Text.Replace("random(1)", "random(3)"));
        Assert.ThrowsAny<OperationCanceledException>(() => OnnxFile.Export(other, path, s_outside, Report.None, new CancellationToken(true)));
        Assert.Equal(["m.onnx", "m.onnx.data"], folder.Files);
        Assert.Equal(before, File.ReadAllBytes(path));
        using OnnxGraph back = OnnxFile.Import(path, Report.None, default);
        Assert.True(back.Body.Find("w")!.Data!.ContentEquals(graph.Body.Find("w")!.Data!));
    }

    [Fact]
    public void An_existing_file_needs_force()
    {
        using TestFolder folder = new();
        File.WriteAllText(folder.File("m.onnx"), "old");
        using OnnxGraph graph = TestGraphs.Parse(Text);
        Assert.Equal(ErrorCode.OutputPathExists, Assert.Throws<TrtToolsException>(() => OnnxFile.Export(graph, folder.File("m.onnx"), new ExportOptions { ExternalData = true }, Report.None, default)).Code);
        Assert.Equal(["m.onnx"], folder.Files);
        OnnxFile.Export(graph, folder.File("m.onnx"), s_outside, Report.None, default);
        using OnnxGraph back = OnnxFile.Import(folder.File("m.onnx"), Report.None, default);
    }

    [Theory]
    [InlineData("/etc/hostname", "relative path without '..'")]
    [InlineData("../secret.data", "relative path without '..'")]
    [InlineData("sub/../../secret.data", "relative path without '..'")]
    [InlineData("..\\secret.data", "relative path without '..'")]
    [InlineData("C:\\secret.data", "relative path without '..'")]
    [InlineData("", "relative path without '..'")]
    [InlineData("missing.data", "is not there")]
    [InlineData("link.data", "is a link to")]
    [InlineData("linked/secret.data", "is a link to")]
    [InlineData("hard.data", "is a hard link")]
    [InlineData("short.data", "reach past the end")]
    public void Data_outside_the_folder_or_missing_is_refused(string location, string expected)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Links are made as Linux makes them.");
        using TestFolder above = new();
        string folder = Directory.CreateDirectory(above.File("model")).FullName;
        File.WriteAllBytes(above.File("secret.data"), new byte[4096]);
        File.CreateSymbolicLink(Path.Combine(folder, "link.data"), above.File("secret.data"));
        Directory.CreateSymbolicLink(Path.Combine(folder, "linked"), above.FullPath);
        File.WriteAllBytes(Path.Combine(folder, "short.data"), new byte[10]);
        System.Diagnostics.Process.Start("ln", [above.File("secret.data"), Path.Combine(folder, "hard.data")]).WaitForExit();
        string path = Path.Combine(folder, "m.onnx");
        File.WriteAllBytes(path, Referring(location).ToByteArray());
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => OnnxFile.Import(path, Report.None, default));
        Assert.Equal(ErrorCode.ExternalDataInvalid, e.Code);
        Assert.Contains("initializer 'w'", e.Message);
        Assert.Contains(expected, e.Message);
    }

    [Fact]
    public void Data_beside_the_models_own_file_is_read_through_links_too()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Links are made as Linux makes them.");
        // As the caches of model hubs lie on the disk: a folder of links into a folder of contents.
        using TestFolder above = new();
        string contents = Directory.CreateDirectory(above.File("blobs")).FullName, names = Directory.CreateDirectory(above.File("snapshot")).FullName;
        File.WriteAllBytes(Path.Combine(contents, "1"), Referring("w.data").ToByteArray());
        File.WriteAllBytes(Path.Combine(contents, "2"), new byte[4000]);
        File.CreateSymbolicLink(Path.Combine(names, "m.onnx"), "../blobs/1");
        File.CreateSymbolicLink(Path.Combine(names, "w.data"), "../blobs/2");
        using OnnxGraph graph = OnnxFile.Import(Path.Combine(names, "m.onnx"), Report.None, default);
        Assert.Equal(4000, graph.Body.Find("w")!.Data!.ByteCount);
    }

    [Fact]
    public void Offset_and_length_must_be_numbers_that_fit()
    {
        using TestFolder folder = new();
        File.WriteAllBytes(folder.File("w.data"), new byte[8000]);
        string Of(string key, string value)
        {
            ModelProto model = Referring("w.data");
            model.Graph.Initializer[0].ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
            File.WriteAllBytes(folder.File("m.onnx"), model.ToByteArray());
            return Record.Exception(() => OnnxFile.Import(folder.File("m.onnx"), Report.None, default))?.Message ?? "";
        }
        Assert.Equal("", Of("offset", "4000"));
        Assert.Contains("reach past the end", Of("offset", "4001"));
        Assert.Contains("the offset of its external data is '-1'", Of("offset", "-1"));
        Assert.Contains("takes 4,000 bytes, but its external data has 3,999", Of("length", "3999"));
    }

    private static ModelProto Referring(string location)
    {
        TensorProto tensor = new() { Name = "w", DataType = 1, DataLocation = TensorProto.Types.DataLocation.External, Dims = { 1000 } };
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        return new ModelProto { IrVersion = 8, Graph = new GraphProto { Name = "g", Initializer = { tensor } } };
    }
}
