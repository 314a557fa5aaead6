using System.Collections;
using System.IO.Compression;
using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Tests.Data;

public sealed class InputSourceTests
{
    private static readonly InputInfo[] s_image = [new("image", DataType.Float32, [-1, 1, 2, 2])];

    private static List<IReadOnlyDictionary<string, Tensor>> All(InputSource source) => [.. source.Read(TestContext.Current.CancellationToken)];

    private static Tensor Range(string name, params long[] shape) =>
        TensorConversion.From(Enumerable.Range(0, (int)TensorData.CountElements(shape)).ToArray(), name, DataType.Float32, shape);

    [Fact]
    public void An_npz_is_split_along_the_batch_axis_and_labels_are_ignored()
    {
        using TestFolder folder = new();
        TensorFile.Write(folder.File("d.npz"), [Range("image", 3, 1, 2, 2), Range("label", 3)]);
        RecordingReport report = new();
        InputSource source = InputSources.FromPath(folder.File("d.npz"), s_image, report: report);
        List<IReadOnlyDictionary<string, Tensor>> samples = All(source);
        Assert.Equal(3, source.Count);
        Assert.Equal([[0f, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]], samples.Select(s => (float[])s["image"].Data));
        Assert.All(samples, s => Assert.Equal([1, 1, 2, 2], s["image"].Shape));
        Assert.Contains(report.Messages, m => m.Contains("'label'", StringComparison.Ordinal));
        Assert.Equal([3, 1, 2, 2], Assert.Single(All(InputSources.FromPath(folder.File("d.npz"), s_image, splitSamples: false)))["image"].Shape);
    }

    [Theory]
    [InlineData(new long[] { 1, 1, 2, 2 }, new long[] { 6, 1, 2, 2 }, 6)]
    [InlineData(new long[] { 2, 1, 2, 2 }, new long[] { 6, 1, 2, 2 }, 3)]
    [InlineData(new long[] { 1, 2, 2 }, new long[] { 5, 1, 2, 2 }, 5)]
    [InlineData(new long[] { -1 }, new long[] { 7 }, 1)]
    [InlineData(new long[] { 4, 2 }, new long[] { 8 }, 1)]
    public void Samples_are_found(long[] input, long[] array, int count)
    {
        using TestFolder folder = new();
        TensorFile.Write(folder.File("a.npy"), [Range("a", array)]);
        Assert.Equal(count, All(InputSources.FromPath(folder.File("a.npy"), [new("x", DataType.Float32, input)])).Count);
    }

    [Fact]
    public void A_constant_second_input_is_repeated()
    {
        using TestFolder folder = new();
        TensorFile.Write(folder.File("d.npz"), [Range("x", 3, 2), TensorConversion.From(16000, "sr", DataType.Int64, [])]);
        List<IReadOnlyDictionary<string, Tensor>> samples = All(InputSources.FromPath(folder.File("d.npz"), [new("x", DataType.Float32, [1, 2]), new("sr", DataType.Int64, [])]));
        Assert.Equal([16000L, 16000, 16000], samples.Select(s => (long)s["sr"].ToArray()));
    }

    [Fact]
    public void A_folder_of_arrays_is_read_in_ordinal_order()
    {
        using TestFolder folder = new();
        foreach (int i in new[] { 2, 1, 3 }) TensorFile.Write(folder.File($"{i}.npy"), [TensorConversion.From(new[] { i, i, i, i }, "x", DataType.Float32, [1, 1, 2, 2])]);
        Assert.Equal([1f, 2, 3], All(InputSources.FromPath(folder.FullPath, s_image)).Select(s => ((float[])s["image"].Data)[0]));
    }

    [Fact]
    public void Backend_test_folders_are_read_by_name_or_order()
    {
        using TestFolder folder = new();
        for (int k = 0; k < 11; k++)
        {
            string set = Directory.CreateDirectory(folder.File($"test_data_set_{k}")).FullName;
            TensorFile.Write(Path.Combine(set, "input_0.pb"), [TensorConversion.From(k, "b", DataType.Int64, [])]);
            TensorFile.Write(Path.Combine(set, "input_1.pb"), [TensorConversion.From(-1.0, "a", DataType.Float32, [])]);
        }
        List<IReadOnlyDictionary<string, Tensor>> samples = All(InputSources.FromPath(folder.FullPath, [new("a", DataType.Float32, []), new("b", DataType.Int64, [])]));
        Assert.Equal(Enumerable.Range(0, 11).Select(k => (long)k), samples.Select(s => (long)s["b"].ToArray()));
    }

    [Fact]
    public void Wrong_names_give_the_nearest()
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => All(InputSources.FromDictionaries([new Hashtable { ["Images"] = new float[4] }], s_image)));
        Assert.Equal(ErrorCode.InputNotFound, e.Code);
        Assert.Contains("'image'", e.Message, StringComparison.Ordinal);
        Assert.Contains("'Images'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dictionaries_are_converted_and_extra_entries_ignored()
    {
        IReadOnlyDictionary<string, Tensor> sample = Assert.Single(All(InputSources.FromDictionaries([new Hashtable { ["image"] = new object[] { 1, 2, 3, 4 }, ["other"] = "x" }], s_image)));
        Assert.Equal([1, 1, 2, 2], sample["image"].Shape);
        Assert.Single(sample);
    }

    [Fact]
    public void Missing_and_empty_places_are_named()
    {
        using TestFolder folder = new();
        Assert.Equal(ErrorCode.DataNotFound, Assert.Throws<TrtToolsException>(() => InputSources.FromPath(folder.File("no.npz"), s_image)).Code);
        Assert.Equal(ErrorCode.DataNotFound, Assert.Throws<TrtToolsException>(() => InputSources.FromPath(folder.FullPath, s_image)).Code);
        File.WriteAllText(folder.File("a.txt"), "x");
        Assert.Equal(ErrorCode.DataInvalid, Assert.Throws<TrtToolsException>(() => InputSources.FromPath(folder.File("a.txt"), s_image)).Code);
        File.WriteAllText(folder.File("a.npz"), "x");
        Assert.Equal(ErrorCode.DataInvalid, Assert.Throws<TrtToolsException>(() => InputSources.FromPath(folder.File("a.npz"), s_image)).Code);
    }

    [Fact]
    public void An_archive_without_compression_is_read()
    {
        using TestFolder folder = new();
        using (ZipArchive archive = ZipFile.Open(folder.File("s.npz"), ZipArchiveMode.Create))
        {
            using Stream entry = archive.CreateEntry("image.npy", CompressionLevel.NoCompression).Open();
            NpyFormat.Write(entry, Range("image", 2, 1, 2, 2).Content);
        }
        Assert.Equal(2, All(InputSources.FromPath(folder.File("s.npz"), s_image)).Count);
    }

    [Fact]
    public void Synthetic_data_repeats()
    {
        InputInfo[] inputs = [new("x", DataType.Float32, [-1, 100]), new("id", DataType.Int64, [50]), new("pixel", DataType.UInt8, [64])];
        List<IReadOnlyDictionary<string, Tensor>> first = All(InputSources.Synthetic(inputs, 3, 7)), second = All(InputSources.Synthetic(inputs, 3, 7));
        for (int i = 0; i < 3; i++) Assert.All(inputs, n => Assert.True(first[i][n.Name].Content.ContentEquals(second[i][n.Name].Content)));
        Assert.False(first[0]["x"].Content.ContentEquals(first[1]["x"].Content));
        Assert.All((long[])first[0]["id"].Data, v => Assert.InRange(v, 0, 1));
        Assert.InRange(((float[])first[0]["x"].Data).Average(), -0.5f, 0.5f);
    }
}
