using TrtTools.Build;
using TrtTools.Comparison;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Evaluation;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Quantization;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

/// <summary>What the graph computes inside is what the CPU's preprocessing gives.</summary>
public sealed class PreprocessingInsertionTests
{
    /// <summary>Of the greatest magnitude that the preprocessing gives: a few roundings of a float.</summary>
    private const double Tolerance = 2e-6;

    private const string Identity = " -> y { y = Identity(x) }";

    private static byte[] Picture(int height, int width, int seed)
    {
        byte[] pixels = new byte[height * width * 3];
        new Random(seed).NextBytes(pixels);
        return pixels;
    }

    /// <summary>The greatest difference between the graph's own input tensor and the CPU's, as a share of the greatest magnitude.</summary>
    private static double Error(string model, Preprocessing how, int height, int width, long opset = 17, int batch = 1)
    {
        OnnxGraph before = TestGraphs.Parse(model + Identity);
        before.OpsetImports[""] = opset;
        OnnxGraph after = On(before, g => PreprocessingInsertion.Add(g, how with { ImageSize = (height, width) }, null, "camera"));
        Assert.Equal("camera", after.Inputs[0].Name);
        Assert.Equal(DataType.UInt8, after.Inputs[0].DataType);
        PreprocessingInside inside = PreprocessingInside.Of(after, "camera")!;
        long[] shape = inside.HasBatch ? [batch, height, width, 3] : [height, width, 3];
        byte[] pixels = [.. Enumerable.Range(0, batch).SelectMany(i => Picture(height, width, i))];
        TensorData raw = TensorData.FromBytes(DataType.UInt8, shape, pixels);
        TensorData actual = ModelRunner.Run(after, new Dictionary<string, TensorData> { ["camera"] = raw }, CancellationToken.None)["y"];
        TensorData expected = inside.Apply(raw);
        Assert.Equal(expected.Type, actual.Type);
        Assert.Equal(expected.Shape.ToArray(), actual.Shape.ToArray());
        double[] a = expected.ToDouble(), b = actual.ToDouble();
        Assert.True(a.Distinct().Count() > Math.Min(20, a.Length / 2), "the picture became uniform");
        return a.Zip(b, (x, y) => Math.Abs(x - y)).Max() / Math.Max(1e-9, a.Max(Math.Abs));
    }

    public static TheoryData<string, int, int, int, int> Sizes => new()
    {
        // model, raw height and width: smaller, larger, one axis only, the same, a single pixel
        { "x: Float32[1,3,24,32]", 61, 83, 24, 32 }, { "x: Float32[1,3,24,32]", 9, 7, 24, 32 }, { "x: Float32[1,3,24,32]", 24, 83, 24, 32 }, { "x: Float32[1,3,24,32]", 11, 200, 24, 32 },
        { "x: Float32[1,3,24,32]", 24, 32, 24, 32 }, { "x: Float32[1,3,24,32]", 1, 1, 24, 32 }, { "x: Float32[1,3,1,1]", 31, 57, 1, 1 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Pictures_of_any_size_are_resized_as_on_the_CPU(string model, int height, int width, int newHeight, int newWidth)
    {
        foreach (ImageFit fit in Enum.GetValues<ImageFit>())
        {
            Preprocessing how = new() { Fit = fit, PadValue = 114, Size = (newHeight, newWidth), Mean = [0.485, 0.456, 0.406], StandardDeviation = [0.229, 0.224, 0.225] };
            if (height * width > 1) Assert.InRange(Error(model, how, height, width), 0, Tolerance);
        }
    }

    [Theory]
    [InlineData("x: Float32[1,3,20,20]", "BGR")]
    [InlineData("x: Float32[1,1,20,20]", "Gray")]
    [InlineData("x: Float32[1,20,20,3]", "RGB")]
    [InlineData("x: Float32[1,20,20,3]", "BGR")]
    [InlineData("x: Float32[1,20,20,1]", "Gray")]
    [InlineData("x: Float32[3,20,20]", "BGR")]
    [InlineData("x: Float32[20,20,3]", "RGB")]
    public void Colours_and_layouts(string model, string order)
    {
        foreach (long opset in new long[] { 7, 10, 11, 13, 18, 21 })
        {
            Preprocessing how = new() { ColorOrder = Enum.Parse<ImageColorOrder>(order), Fit = ImageFit.Pad, PadValue = 50, Mean = [0.5], Scale = 1.0 / 128 };
            Assert.InRange(Error(model, how, 33, 47, opset), 0, Tolerance);
        }
    }

    [Fact]
    public void A_batch_of_cameras_and_free_sizes()
    {
        Assert.InRange(Error("x: Float32[batch,3,20,20]", new Preprocessing(), 33, 47, batch: 3), 0, Tolerance);
        Assert.InRange(Error("x: Float32[batch,3,h,w]", new Preprocessing { Size = (20, 24) }, 33, 47, batch: 2), 0, Tolerance);
    }

    [Fact]
    public void Half_precision_and_integers()
    {
        Assert.InRange(Error("x: Float16[1,3,20,20]", new Preprocessing { Mean = [0.5] }, 33, 47), 0, 1.0 / 1024);
        // A sum that stands on the border between two integers may round either way.
        Assert.InRange(Error("x: UInt8[1,20,20,3]", new Preprocessing(), 33, 47), 0, 1.0 / 250);
        Assert.InRange(Error("x: Int8[1,3,20,20]", new Preprocessing { Scale = 1, Mean = [128] }, 20, 20), 0, 0);
        Assert.InRange(Error("x: Int32[1,3,20,20]", new Preprocessing(), 20, 20), 0, 0);
        OnnxGraph old = TestGraphs.Parse("x: UInt8[1,20,20,3]" + Identity);
        old.OpsetImports[""] = 10;
        Assert.Equal(ErrorCode.ChangeRefused, Assert.Throws<TrtToolsException>(() => PreprocessingInsertion.Add(old, new Preprocessing(), null, "image")).Code);
    }

    [Fact]
    public void The_models_tensor_keeps_its_name_and_its_place_among_outputs_and_subgraphs()
    {
        OnnxGraph after = On("sr: Int64, x: Float32[1,3,4,4], c: Bool -> x, y: Float32[1,3,4,4] { y = If(c){then_branch=() -> t: Float32[1,3,4,4] { t = Abs(x) }, else_branch=() -> e: Float32[1,3,4,4] { e = Neg(x) }} }",
            g => PreprocessingInsertion.Add(g, new Preprocessing { ImageSize = (8, 8) }, "x", "x"));
        Assert.Equal(["sr", "x_1", "c"], after.Inputs.Select(i => i.Name));
        Assert.Equal(["x", "y"], after.Outputs.Select(o => o.Name));
        Assert.Equal("Float32[1,3,4,4]", after.Body.Outputs[0].Type!.ToString());
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        Preprocessing plain = new();
        Assert.Contains("a: Float32[1,3,4,4], b: Float32[1,3,4,4]", Refused("a: Float32[1,3,4,4], b: Float32[1,3,4,4] -> y { y = Add(a, b) }", ErrorCode.InputNotFound, g => PreprocessingInsertion.Add(g, plain, null, "image")).Message, StringComparison.Ordinal);
        Assert.Contains("'pixels'", Refused("pixels: Float32[1,3,4,4] -> y { y = Relu(pixels) }", ErrorCode.InputNotFound, g => PreprocessingInsertion.Add(g, plain, "pixel", "image")).Message, StringComparison.Ordinal);
        Assert.Contains("no input has", Refused("x: Int64[1,8] -> y { y = Neg(x) }", ErrorCode.InputNotFound, g => PreprocessingInsertion.Add(g, plain, null, "image")).Message, StringComparison.Ordinal);
        Refused("x: Float32[1,5,4,4]" + Identity, ErrorCode.DataInvalid, g => PreprocessingInsertion.Add(g, plain, null, "image"));
        Refused("x: Float32[1,3,h,w]" + Identity, ErrorCode.DataInvalid, g => PreprocessingInsertion.Add(g, plain, null, "image"));
        Refused("x: Float32[1,3,4,4]" + Identity, ErrorCode.ChangeRefused, g => PreprocessingInsertion.Add(PreprocessingInsertion.Add(g, plain, null, "image"), plain, "image", "again"));
    }

    [Fact]
    public void The_description_goes_with_the_file_and_is_not_applied_twice()
    {
        using TestFolder folder = new();
        Preprocessing how = new() { Mean = [0.5, 0.4, 0.3], Fit = ImageFit.Crop };
        OnnxGraph graph = PreprocessingInsertion.Add(TestGraphs.Parse("x: Float32[1,3,4,4]" + Identity), how with { ImageSize = (8, 8) }, null, "image");
        OnnxFile.Export(graph, folder.File("m.onnx"), new ExportOptions(), Report.None, CancellationToken.None);
        InputInfo input = Assert.Single(InputInfo.Of(OnnxFile.Import(folder.File("m.onnx"), Report.None, CancellationToken.None)));
        Assert.Equal(PreprocessingInside.Of(graph, "image")!.ToString(), input.Inside!.ToString());
        Assert.Equal(1, input.Inside.Raw(null).Scale);
        Assert.Equal(1, input.Inside.Raw(how).Scale);
        TrtToolsException other = Assert.Throws<TrtToolsException>(() => input.Inside.Raw(how with { Mean = [0.5] }));
        Assert.Equal(ErrorCode.OptionInvalid, other.Code);
        Assert.Contains("0.4", other.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_step_has_a_kernel_of_its_own_and_gives_the_same()
    {
        foreach (ImageFit fit in Enum.GetValues<ImageFit>())
        {
            OnnxGraph graph = PreprocessingInsertion.Add(TestGraphs.Parse("x: Float32[1,3,12,10] -> y { w = Float32[4,3,3,3] random(1); y = Conv(x, w){pads=[1,1,1,1]} }"),
                new Preprocessing { Fit = fit, ColorOrder = ImageColorOrder.BGR, Mean = [0.4, 0.5, 0.6], PadValue = 9, ImageSize = (29, 41) }, null, "image");
            Dictionary<string, TensorData> given = new() { ["image"] = TensorData.FromBytes(DataType.UInt8, [1, 29, 41, 3], Picture(29, 41, 3)) };
            IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(graph, given, CancellationToken.None);
            LoweredProgram program = GraphLowering.Lower(graph, new LoweringOptions { Strict = true }, Report.None, CancellationToken.None);
            Lowering.LoweringCheck.Compare(fit.ToString(), program, given, expected, Lowering.LoweringCheck.Float32);
        }
    }

    private static string Digits()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string path = Path.Combine(at.FullName, "examples", "digits", "digits.onnx");
            if (File.Exists(path)) return path;
        }
        Assert.Skip("No folder examples/digits above the tests.");
        return "";
    }

    /// <summary>Photographs of the same size, as files.</summary>
    private static void WritePictures(string folder, int count, int height, int width)
    {
        for (int i = 0; i < count; i++) File.WriteAllBytes(Path.Combine(folder, $"{i}.bmp"), Data.ImageTests.Bitmap(width, height, Picture(height, width, i)));
    }

    [Fact]
    public void Calibration_engine_and_comparison_take_the_same_pictures_with_and_without_it()
    {
        using TestFolder folder = new();
        WritePictures(folder.FullPath, 6, 37, 29);
        OnnxGraph model = OnnxFile.Import(Digits(), Report.None, CancellationToken.None);
        Preprocessing how = new() { Fit = ImageFit.Pad, Mean = [0.2], StandardDeviation = [0.7] };
        OnnxGraph camera = PreprocessingInsertion.Add(model, how with { ImageSize = (37, 29) }, null, "camera");

        CalibrationCache outside = Calibrator.Calibrate(model, InputSources.FromPath(folder.FullPath, model, how), new CalibrationOptions(), Report.None, CancellationToken.None);
        // The description may be given again; it is not applied twice.
        CalibrationCache inside = Calibrator.Calibrate(camera, InputSources.FromPath(folder.FullPath, camera, how), new CalibrationOptions(), Report.None, CancellationToken.None);
        foreach (TensorCalibration expected in outside.Tensors)
        {
            TensorCalibration actual = inside.Find(expected.Name) ?? throw new InvalidOperationException($"'{expected.Name}' is not in the cache of the graph with preprocessing.");
            Assert.InRange(Math.Abs((double)actual.Max! - (double)expected.Max!), 0, 1e-5 * (double)expected.AbsoluteMax!);
            Assert.InRange(Math.Abs(actual.Scale - expected.Scale), 0, 1e-2 * expected.Scale);
        }

        // The cache of the model fits the graph with its preprocessing inside: the same layers run on integers.
        using Engine plain = EngineBuilder.Build(model, new BuildOptions { Device = DeviceKind.Cpu, Int8 = true, CalibrationCache = outside, OptimizationLevel = 0 }, Report.None, CancellationToken.None);
        using Engine engine = EngineBuilder.Build(camera, new BuildOptions { Device = DeviceKind.Cpu, Int8 = true, CalibrationCache = outside, OptimizationLevel = 0 }, Report.None, CancellationToken.None);
        Assert.Contains("Int8", plain.Layers.Select(l => l.Precision));
        Assert.Equal(plain.Layers.Select(l => $"{l.Name} {l.Precision}"), engine.Layers.Where(l => !l.Name.StartsWith("preprocess_", StringComparison.Ordinal)).Select(l => $"{l.Name} {l.Precision}"));
        Assert.NotEqual("", engine.Inputs[0].Preprocessing);

        // Compared with the model as it was, and with an engine of it: raw pictures go into the one, preprocessed ones into the other.
        InputSource pictures = InputSources.FromPath(folder.FullPath, InputInfo.Of(engine), null, splitSamples: false);
        OutputComparison toModel = Assert.Single(EngineComparison.Compare(engine, new CompareOptions { InputData = pictures }, Report.None, CancellationToken.None));
        Assert.True(toModel.Passed, toModel.Reason);
        OutputComparison toEngine = Assert.Single(EngineComparison.Compare(engine, new CompareOptions { InputData = pictures, ReferenceEngine = plain }, Report.None, CancellationToken.None));
        Assert.InRange(toEngine.MaxAbsoluteError, 0, 1e-4 * toEngine.Scale);
        Assert.All(LayerComparison.Compare(engine, new CompareOptions { InputData = pictures }, Report.None, CancellationToken.None), l => Assert.True(l.Cosine > 0.9, l.Layer));
        Assert.Equal(6, toModel.SampleCount);

        // A picture of another size would be resized twice.
        File.WriteAllBytes(folder.File("0.bmp"), Data.ImageTests.Bitmap(8, 8, Picture(8, 8, 0)));
        TrtToolsException wrong = Assert.Throws<TrtToolsException>(() => EngineComparison.Compare(engine, new CompareOptions { InputData = pictures }, Report.None, CancellationToken.None));
        Assert.Contains("8 × 8", wrong.Message, StringComparison.Ordinal);
    }
}
