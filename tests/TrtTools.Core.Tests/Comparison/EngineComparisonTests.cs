using TrtTools.Build;
using TrtTools.Comparison;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Tests.Comparison;

public sealed class EngineComparisonTests
{
    private static Engine Build(string text) => EngineBuilder.Build(TestGraphs.Parse(text), new BuildOptions { Device = DeviceKind.Cpu }, Report.None, TestContext.Current.CancellationToken);

    private static OutputStatistics Differ(float[] engine, float[] reference, double relative = 0, long width = 0)
    {
        OutputStatistics statistics = new("y", 2, relative);
        long[] shape = width > 0 ? [engine.Length / width, width] : [engine.Length];
        statistics.Add(TensorData.From<float>(engine, shape), TensorData.From<float>(reference, shape));
        return statistics;
    }

    [Fact]
    public void The_figures_are_those_of_the_definitions()
    {
        OutputStatistics s = Differ([1, 2, 3, 5], [1, 2, 4, 4]);
        Assert.Equal((1.0, 0.5, 0.5, 4.0), (s.Max, s.Mean, s.Median, s.Scale));
        Assert.Equal([0, 0, 0.25, 0.25], s.RelativeErrors());
        Assert.Equal((1 + 4 + 12 + 20) / Math.Sqrt((1 + 4 + 9 + 25) * (1.0 + 4 + 16 + 16)), s.Cosine, 12);
        Assert.Equal(10 * Math.Log10(37.0 / 2), s.Sqnr, 12);
        Assert.Equal(10 * Math.Log10(9 / 0.5), s.Psnr, 12);
        Assert.Equal(2, s.Unequal);
    }

    [Fact]
    public void Equal_outputs_have_no_noise()
    {
        OutputStatistics s = Differ([1, -2], [1, -2]);
        Assert.Equal((0.0, 1.0, double.PositiveInfinity), (s.Max, Math.Round(s.Cosine, 12), s.Sqnr));
    }

    [Fact]
    public void NaN_and_infinity_count_only_where_they_stand_alone()
    {
        OutputStatistics same = Differ([float.NaN, float.PositiveInfinity, 1], [float.NaN, float.PositiveInfinity, 1]);
        Assert.True(same is { HasNaN: true, HasInfinity: true, Misplaced: 0, Finite: 1 });
        Assert.Equal(2, Differ([float.NaN, float.PositiveInfinity], [1, float.NegativeInfinity]).Misplaced);
    }

    [Fact]
    public void Top_k_is_counted_by_rows_and_ties_agree()
    {
        OutputStatistics s = Differ([3, 2, 1, /**/ 1, 2, 3], [3, 1, 2, /**/ 3, 2, 1], width: 3);
        Assert.Equal(0.5, s.Top1);
        Assert.Equal((0.5 + 0.5) / 2, s.TopK);
        Assert.Equal(1, Differ([1, 0, 0], [1, 1, 0], width: 3).Top1);
    }

    [Fact]
    public void Relative_tolerance_is_taken_off_first() => Assert.Equal(0.1, Differ([10.2f, 0.1f], [10, 0], relative: 0.1).Excess, 5);

    [Fact]
    public void Another_engine_is_a_reference()
    {
        using Engine plus = Build("x: Float32[2] -> y: Float32[2] { c = Float32[2] [1, 1]; y = Add(x, c) }");
        using Engine more = Build("x: Float32[2] -> y: Float32[2] { c = Float32[2] [1, 1.5]; y = Add(x, c) }");
        OutputComparison result = Assert.Single(EngineComparison.Compare(plus, new CompareOptions { ReferenceEngine = more }, Report.None, TestContext.Current.CancellationToken));
        Assert.False(result.Passed);
        Assert.Equal(0.5, result.MaxAbsoluteError, 5);
        Assert.NotEmpty(result.Reason);
        Assert.True(Assert.Single(EngineComparison.Compare(plus, new CompareOptions { ReferenceEngine = more, AbsoluteTolerance = 0.6 }, Report.None, TestContext.Current.CancellationToken)).Passed);
        Assert.True(Assert.Single(EngineComparison.Compare(plus, new CompareOptions { ReferenceEngine = plus }, Report.None, TestContext.Current.CancellationToken)).Passed);
    }

    [Fact]
    public void A_backend_test_folder_brings_inputs_and_outputs()
    {
        using Engine engine = Build("x: Float32[2] -> y: Float32[2], z: Float32[2] { y = Neg(x); z = Abs(x) }");
        using TestFolder folder = new();
        File.WriteAllBytes(folder.File("input_0.pb"), OnnxFile.WriteTensor("", TensorData.Vector(1f, -2f)));
        File.WriteAllBytes(folder.File("output_0.pb"), OnnxFile.WriteTensor("", TensorData.Vector(-1f, 2f)));
        File.WriteAllBytes(folder.File("output_1.pb"), OnnxFile.WriteTensor("", TensorData.Vector(1f, 3f)));
        IReadOnlyList<OutputComparison> results = EngineComparison.Compare(engine, new CompareOptions { ExpectedPath = folder.FullPath }, Report.None, TestContext.Current.CancellationToken);
        Assert.Equal([true, false], results.Select(r => r.Passed));
    }

    [Fact]
    public void Expected_outputs_can_stand_in_one_file()
    {
        using Engine engine = Build("x: Float32[2] -> y: Float32[2], z: Float32[2] { y = Neg(x); z = Abs(x) }");
        using TestFolder folder = new();
        TensorFile.Write(folder.File("e.npz"), [new Tensor("z", TensorData.Vector(1f, 2f))]);
        InputSource data = new IndexedInputSource(1, "test", _ => new Dictionary<string, Tensor> { ["x"] = new Tensor("x", TensorData.Vector(1f, -2f)) });
        RecordingReport report = new();
        OutputComparison result = Assert.Single(EngineComparison.Compare(engine, new CompareOptions { ExpectedPath = folder.File("e.npz"), InputData = data }, report, TestContext.Current.CancellationToken));
        Assert.Equal(("z", true), (result.Output, result.Passed));
        Assert.Contains("'y'", Assert.Single(report.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_reference_is_named()
    {
        using Engine engine = Build("x: Float32[2] -> y: Float32[2] { y = Neg(x) }");
        Assert.Equal(ErrorCode.ModelNotFound, Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, new CompareOptions(), Report.None, default)).Code);
        Assert.Equal(ErrorCode.DataNotFound, Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, new CompareOptions { ExpectedPath = "/absent" }, Report.None, default)).Code);
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, new CompareOptions { AbsoluteTolerance = -1, ReferenceEngine = engine }, Report.None, default)).Code);
    }

    [Fact]
    public void A_type_and_layout_of_its_own_is_bridged_to_the_original()
    {
        using TestFolder folder = new();
        OnnxFile.Export(TestGraphs.Parse("x: Float32[1,3,2,2] -> y: Float32[1,3,2,2] { y = Neg(x) }"), folder.File("m.onnx"), new ExportOptions(), Report.None, default);
        using OnnxGraph graph = OnnxFile.Import(folder.File("m.onnx"), Report.None, default);
        using Engine engine = EngineBuilder.Build(graph, new BuildOptions
        {
            Device = DeviceKind.Cpu, InputFormat = new Dictionary<string, string> { ["x"] = "UInt8:Nhwc" }, OutputFormat = new Dictionary<string, string> { ["y"] = "Float32:Nhwc" },
        }, Report.None, default);
        OutputComparison result = Assert.Single(EngineComparison.Compare(engine, new CompareOptions(), Report.None, TestContext.Current.CancellationToken));
        Assert.True(result.Passed, result.Reason);
    }
}
