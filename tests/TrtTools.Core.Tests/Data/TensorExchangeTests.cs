using System.Text;
using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Tests.Data;

/// <summary>Files that other tools write and read.</summary>
public sealed class TensorExchangeTests
{
    /// <summary>An .npy file of two floats, byte for byte as numpy.save writes it.</summary>
    private static string Array(float a, float b)
    {
        byte[] header = Encoding.ASCII.GetBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".PadRight(117) + "\n");
        return Convert.ToBase64String([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. header, .. BitConverter.GetBytes(a), .. BitConverter.GetBytes(b)]);
    }

    [Fact]
    public void Saved_inputs_of_Polygraphy_are_read()
    {
        using TestFolder folder = new();
        File.WriteAllText(folder.File("in.json"), $$$"""[{"x": {"array": "{{{Array(1, 2)}}}", "polygraphy_class": "ndarray"}, "y": {"array": "{{{Array(3, 4)}}}", "__polygraphy_encoded_ndarray": true}}, {"x": {"array": "{{{Array(5, 6)}}}", "polygraphy_class": "ndarray"}}]""");
        IReadOnlyList<TensorSample> samples = TensorFile.ReadSamples(folder.File("in.json"));
        Assert.Equal(["x", "y"], samples[0].Tensors.Select(t => t.Name));
        Assert.Equal([3f, 4], (float[])samples[0].Tensors[1].Data);
        Assert.Equal([5f, 6], (float[])samples[1].Tensors[0].Data);
        Assert.Null(samples[0].Runner);
        InputSource source = InputSources.FromPath(folder.File("in.json"), [new InputInfo("x", DataType.Float32, [2])]);
        Assert.Equal(2, source.Count);
        Assert.Equal([1f, 5], source.Read(CancellationToken.None).Select(s => ((float[])s["x"].Data)[0]));
    }

    [Fact]
    public void Saved_results_of_Polygraphy_are_read()
    {
        using TestFolder folder = new();
        string Iteration(string array) => $$$"""{"outputs": {"y": {"values": {"array": "{{{array}}}", "polygraphy_class": "ndarray"}, "polygraphy_class": "LazyNumpyArray"}}, "runtime": 0.25, "runner_name": "r", "polygraphy_class": "IterationResult"}""";
        File.WriteAllText(folder.File("out.json"), $$$"""{"lst": [["trt-runner", [{{{Iteration(Array(1, 2))}}}, {{{Iteration(Array(3, 4))}}}]], ["onnxrt-runner", [{{{Iteration(Array(5, 6))}}}]]], "polygraphy_class": "RunResults"}""");
        IReadOnlyList<TensorSample> samples = TensorFile.ReadSamples(folder.File("out.json"));
        Assert.Equal([("trt-runner", 1f), ("trt-runner", 3), ("onnxrt-runner", 5)], samples.Select(s => (s.Runner!, ((float[])s.Tensors[0].Data)[0])));
        Assert.Equal(0.25, samples[0].RuntimeSeconds);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("trttools")]
    public void What_is_written_is_read_again(string? runner)
    {
        using TestFolder folder = new();
        TensorSample[] samples =
        [
            new([new Tensor("a/b:0", TensorData.From<float>([1, float.NaN, -0f], 3, 1)), new Tensor("i", TensorData.From<long>([long.MinValue], []))], runner, runner is null ? null : 0.5),
            new([new Tensor("h", TensorData.From<Half>([(Half)2], 1)), new Tensor("t", TensorData.FromStrings([2], ["é", ""])), new Tensor("z", TensorData.From<bool>([true, false], 2))], runner),
        ];
        TensorFile.WriteSamples(folder.File("x.json"), samples);
        IReadOnlyList<TensorSample> read = TensorFile.ReadSamples(folder.File("x.json"));
        Assert.Equal(samples.Select(s => (s.Runner, s.RuntimeSeconds)), read.Select(s => (s.Runner, s.RuntimeSeconds)));
        foreach ((Tensor expected, Tensor found) in samples.SelectMany(s => s.Tensors).Zip(read.SelectMany(s => s.Tensors)))
        {
            Assert.Equal(expected.Name, found.Name);
            Assert.True(expected.Content.ContentEquals(found.Content), expected.Name);
        }
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("{}")]
    [InlineData("""[{"x": 5}]""")]
    [InlineData("""[{"x": {"array": "???"}}]""")]
    [InlineData("""[{"x": {"array": "AAAA"}}]""")]
    [InlineData("""{"lst": [["r", [{}]]]}""")]
    [InlineData("""{"lst": [["r"]]}""")]
    [InlineData("""{"lst": 5}""")]
    public void Other_JSON_is_refused(string text)
    {
        using TestFolder folder = new();
        File.WriteAllText(folder.File("x.json"), text);
        Assert.Equal(ErrorCode.DataInvalid, Assert.Throws<TrtToolsException>(() => TensorFile.ReadSamples(folder.File("x.json"))).Code);
    }

    [Fact]
    public void Bare_elements_take_type_and_shape_from_the_caller()
    {
        using TestFolder folder = new();
        Tensor tensor = new("x", TensorData.From<float>([1, 2, 3, 4, 5, 6], 2, 3));
        TensorFile.WriteRaw(folder.File("x.bin"), tensor);
        Assert.Equal(24, new FileInfo(folder.File("x.bin")).Length);
        Assert.True(TensorFile.ReadRaw(folder.File("x.bin"), DataType.Float32, [2, 3]).Content.ContentEquals(tensor.Content));
        Assert.Equal([6L], TensorFile.ReadRaw(folder.File("x.bin"), DataType.Float32, null).Shape);
        Assert.Equal([2L, 3], TensorFile.ReadRaw(folder.File("x.bin"), DataType.Float32, [2, -1]).Shape);
        foreach (long[] wrong in new long[][] { [5], [4, -1], [-1, -1], [0, -1] })
        {
            Assert.Equal(ErrorCode.DataInvalid, Assert.Throws<TrtToolsException>(() => TensorFile.ReadRaw(folder.File("x.bin"), DataType.Float32, wrong)).Code);
        }
        Assert.Throws<TrtToolsException>(() => TensorFile.ReadRaw(folder.File("x.bin"), DataType.String, null));
        Assert.Throws<TrtToolsException>(() => TensorFile.WriteRaw(folder.File("t.bin"), new Tensor("t", TensorData.FromStrings([1], ["a"]))));
        Assert.False(File.Exists(folder.File("t.bin")));
    }

    [Fact]
    public void Made_up_inputs_keep_to_their_ranges_and_seed()
    {
        InputInfo[] inputs = [new("x", DataType.Float32, [-1, 64]), new("ids", DataType.Int64, [1, 64]), new("mask", DataType.Bool, [64])];
        InputDataOptions options = new() { Count = 2, Seed = 7, Ranges = new Dictionary<string, (double, double)> { ["ids"] = (3, 5) }, Shapes = new Dictionary<string, long[]> { ["x"] = [4, 64] } };
        List<IReadOnlyDictionary<string, Tensor>> made = [.. InputDataGenerator.Create(inputs, options)];
        Assert.Equal(2, made.Count);
        Assert.Equal([4L, 64], made[0]["x"].Shape);
        float[] x = (float[])made[0]["x"].Data;
        Assert.All(x, v => Assert.InRange(v, 0, 1));
        Assert.True(x.Max() > 0.9 && x.Min() < 0.1);
        Assert.Equal([3L, 4, 5], ((long[])made[0]["ids"].Data).Distinct().Order());
        Assert.False(made[0]["x"].Content.ContentEquals(made[1]["x"].Content));
        Assert.True(made[1]["x"].Content.ContentEquals(InputDataGenerator.Create([inputs[0]], options with { Ranges = new Dictionary<string, (double, double)>() }).Last()["x"].Content));
        Assert.False(made[0]["x"].Content.ContentEquals(InputDataGenerator.Create(inputs, options with { Seed = 8 }).First()["x"].Content));
        Assert.Equal([1L, 64], InputDataGenerator.Create(inputs, new InputDataOptions()).Single()["x"].Shape);
    }

    [Fact]
    public void Wrong_options_are_named()
    {
        InputInfo[] inputs = [new("ids", DataType.Int64, [1, 4])];
        ErrorCode Code(InputDataOptions options) => Assert.Throws<TrtToolsException>(() => InputDataGenerator.Create(inputs, options).ToList()).Code;
        Assert.Equal(ErrorCode.InputNotFound, Code(new InputDataOptions { Ranges = new Dictionary<string, (double, double)> { ["idz"] = (0, 1) } }));
        Assert.Equal(ErrorCode.OptionInvalid, Code(new InputDataOptions { Range = (1, 0) }));
        Assert.Equal(ErrorCode.OptionInvalid, Code(new InputDataOptions { Range = (0.2, 0.8) }));
        Assert.Equal(ErrorCode.ShapeMismatch, Code(new InputDataOptions { Shapes = new Dictionary<string, long[]> { ["ids"] = [2, 4] } }));
    }
}
