using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Quantization;
using TrtTools.Tensors;

namespace TrtTools.Tests.Build;

public sealed class EngineBuilderTests
{
    private const string Network = """
        x: Float32[n,3,8,8] -> y: Float32[n,4] {
            w = Float32[4,3,3,3] random(1)
            s = Float32[4] random(2); b = Float32[4] random(3); m = Float32[4] random(4); v = Float32[4] ones
            c = Conv(x, w){pads=[1,1,1,1]} @ conv1
            n1 = BatchNormalization(c, s, b, m, v) @ bn1
            r = Relu(n1) @ relu1
            w2 = Float32[4,4,1,1] random(5)
            d = Conv(r, w2) @ conv2
            a = Add(d, r) @ add1
            g = GlobalAveragePool(a) @ pool
            y = Flatten(g) @ flat
        }
        """;

    private static BuildOptions Cpu => new() { Device = DeviceKind.Cpu };

    private static Engine Build(OnnxGraph graph, BuildOptions? options = null, Report? report = null) =>
        EngineBuilder.Build(graph, options ?? Cpu, report ?? Report.None, TestContext.Current.CancellationToken);

    private static Dictionary<string, Tensor> Input(string name, params long[] shape) => new(StringComparer.Ordinal) { [name] = new Tensor(name, GraphText.Random(DataType.Float32, shape, 7)) };

    private static float[] Run(Engine engine, Dictionary<string, Tensor> inputs, string output = "y")
    {
        using TrtTools.Execution.ExecutionContext context = engine.CreateContext();
        return (float[])((Tensor)context.Run(inputs, TestContext.Current.CancellationToken)[output]!).Data;
    }

    private static TrtToolsException Fails(string graph, BuildOptions options) => Assert.Throws<TrtToolsException>(() => Build(TestGraphs.Parse(graph), options));

    [Fact]
    public void A_built_engine_computes_what_the_graph_says()
    {
        using Engine engine = Build(TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { c = Float32[2] [1, 2]; y = Add(x, c) }"));
        Assert.Equal([4f, 6f], Run(engine, new(StringComparer.Ordinal) { ["x"] = new Tensor("x", TensorData.Vector(3f, 4f)) }));
        Assert.Equal("Cpu", engine.Device);
        Assert.Equal("Fp32", engine.Precision);
        Assert.Equal("x: Float32[2]", engine.Inputs[0].ToString());
        Assert.Empty(engine.Warnings);
    }

    [Fact]
    public void Two_builds_have_one_id()
    {
        using Engine first = Build(TestGraphs.Parse(Network)), second = Build(TestGraphs.Parse(Network));
        Assert.Equal(first.Id, second.Id);
        Assert.Equal(first.Content.PlanBytes, second.Content.PlanBytes);
    }

    [Fact]
    public void The_raw_the_optimized_and_the_fused_graph_give_one_engine()
    {
        OnnxGraph raw = TestGraphs.Parse(Network);
        OnnxGraph optimized = GraphOptimizer.Optimize(raw, new OptimizeOptions(), Report.None, default);
        OnnxGraph fused = LayerFusion.Fuse(raw, new FusionOptions(), Report.None, default);
        CalibrationCache cache = Calibrator.Calibrate(fused, InputSources.Synthetic([new InputInfo("x", DataType.Float32, [2, 3, 8, 8])], 4), new CalibrationOptions(), Report.None, default);
        foreach (BuildOptions options in new[] { Cpu, Cpu with { Int8 = true, CalibrationCache = cache } })
        {
            using Engine a = Build(raw, options), b = Build(optimized, options), c = Build(fused, options);
            Assert.Equal(a.Id, b.Id);
            Assert.Equal(a.Id, c.Id);
            Assert.Equal(a.Layers.Select(l => string.Join('+', l.SourceNode)), c.Layers.Select(l => string.Join('+', l.SourceNode)));
        }
    }

    [Fact]
    public void Names_of_inner_tensors_and_the_order_of_nodes_do_not_matter()
    {
        using Engine first = Build(TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { a = Exp(x); b = Sin(x); y = Add(a, b) }"));
        using Engine second = Build(TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { v1 = Sin(x); v0 = Exp(x); y = Add(v0, v1) }"));
        using Engine other = Build(TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { a = Exp(x); b = Sin(x); y = Add(b, a) }"));
        Assert.Equal(first.Id, second.Id);
        Assert.NotEqual(first.Id, other.Id);
    }

    [Fact]
    public void Subgraphs_and_captured_values_survive()
    {
        const string Text = """
            x: Float32[2], p: Bool[] -> y: Float32[2], z: Float32[2] {
                w = Float32[2] [10, 20]
                t = Exp(x)
                y = If(p){then_branch= -> a { u = Add(t, w); a = Neg(u) }, else_branch= -> b { q = Float32[2] [1, 2]; b = Mul(x, q) }}
                z = Identity(w)
            }
            """;
        using Engine engine = Build(TestGraphs.Parse(Text));
        Dictionary<string, Tensor> inputs = new(StringComparer.Ordinal) { ["x"] = new Tensor("x", TensorData.Vector(0f, 0f)), ["p"] = new Tensor("p", TensorData.Scalar(true)) };
        Assert.Equal([-11f, -21f], Run(engine, inputs));
        Assert.Equal([10f, 20f], Run(engine, inputs, "z"));
        inputs["p"] = new Tensor("p", TensorData.Scalar(false));
        inputs["x"] = new Tensor("x", TensorData.Vector(3f, 3f));
        Assert.Equal([3f, 6f], Run(engine, inputs));
    }

    [Fact]
    public void Every_unsupported_operator_is_named_at_once()
    {
        TrtToolsException e = Fails("x: Float32[1,3,8,8] -> y { a = ImageScaler(x){scale=1.0, bias=[0.0,0.0,0.0]}; b = Crop(a){border=[0,0,0,0]}; y = Affine(b) }", Cpu);
        Assert.Equal(ErrorCode.UnsupportedOperator, e.Code);
        foreach (string op in new[] { "ImageScaler", "Crop", "Affine" }) Assert.Contains(op, e.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.UnsupportedOperator, Assert.Throws<TrtToolsException>(() => EngineBuilder.Check(TestGraphs.Parse("y = Frobnicate(x)"), Cpu)).Code);
    }

    [Fact]
    public void Profiles_are_stored_and_enforced()
    {
        BuildOptions options = Cpu with { OptimizationProfile = [new Dictionary<string, ShapeRange> { ["x"] = new([1, 3, 8, 8], [2, 3, 8, 8], [4, 3, 8, 8]) }] };
        using Engine engine = Build(TestGraphs.Parse(Network), options);
        Assert.Equal(4, Assert.Single(engine.Profiles).Max[0]);
        Assert.Equal(16, Run(engine, Input("x", 4, 3, 8, 8)).Length);
        Assert.Equal(ErrorCode.ShapeOutOfProfile, Assert.Throws<TrtToolsException>(() => Run(engine, Input("x", 5, 3, 8, 8))).Code);
        using Engine free = Build(TestGraphs.Parse(Network));
        Assert.NotEqual(free.Id, engine.Id);
    }

    [Fact]
    public void Fixed_shapes_become_the_inputs_own()
    {
        using Engine engine = Build(TestGraphs.Parse(Network), Cpu with { InputShape = new Dictionary<string, long[]> { ["x"] = [2, 3, 8, 8] } });
        Assert.Equal([2, 3, 8, 8], engine.Inputs[0].Shape);
        Assert.Equal(ErrorCode.ShapeMismatch, Assert.Throws<TrtToolsException>(() => Run(engine, Input("x", 1, 3, 8, 8))).Code);
    }

    [Fact]
    public void Bad_shapes_are_refused()
    {
        static BuildOptions Shape(string name, params long[] shape) => Cpu with { InputShape = new Dictionary<string, long[]> { [name] = shape } };
        static BuildOptions Profile(string name, long[] min, long[] opt, long[] max) => Cpu with { OptimizationProfile = [new Dictionary<string, ShapeRange> { [name] = new(min, opt, max) }] };
        Assert.Equal(ErrorCode.InputNotFound, Fails(Network, Shape("X", 1, 3, 8, 8)).Code);
        Assert.Equal(ErrorCode.ShapeMismatch, Fails(Network, Shape("x", 1, 4, 8, 8)).Code);
        Assert.Equal(ErrorCode.ShapeMismatch, Fails(Network, Shape("x", 1, 3, 8)).Code);
        Assert.Equal(ErrorCode.OptionInvalid, Fails(Network, Shape("x", -1, 3, 8, 8)).Code);
        Assert.Equal(ErrorCode.OptionInvalid, Fails(Network, Profile("x", [3, 3, 8, 8], [2, 3, 8, 8], [4, 3, 8, 8])).Code);
        Assert.Equal(ErrorCode.InputNotFound, Fails(Network, Profile("z", [1], [1], [1])).Code);
    }

    [Fact]
    public void Half_precision_on_the_CPU_is_one_warning_and_a_fact_of_the_engine()
    {
        RecordingReport report = new();
        using Engine engine = Build(TestGraphs.Parse(Network), Cpu with { Fp16 = true, Tf32 = true }, report);
        Assert.Equal("Fp32", engine.Precision);
        Assert.Contains("FP16 and TF32", Assert.Single(report.Warnings), StringComparison.Ordinal);
        Assert.Equal(report.Warnings, engine.Warnings);
        Assert.Equal(ErrorCode.DeviceUnsupported, Fails(Network, Cpu with { Fp16 = true, Strict = true }).Code);
    }

    [Fact]
    public void INT8_without_data_calibrates_on_made_up_inputs_and_says_so()
    {
        RecordingReport report = new();
        using Engine engine = Build(TestGraphs.Parse(Network), Cpu with { Int8 = true }, report);
        Assert.Equal("Int8", engine.Precision);
        Assert.Contains(engine.Warnings, w => w.Contains("accuracy is not to be trusted", StringComparison.Ordinal));
        Assert.Contains(engine.Layers, l => l.Precision == "Int8");
        Assert.NotEmpty(engine.Provenance.CalibrationHash);
    }

    [Fact]
    public void A_layer_named_in_LayerPrecision_stays_in_floating_point()
    {
        IReadOnlyDictionary<string, EnginePrecision> keep = new Dictionary<string, EnginePrecision> { ["conv*"] = EnginePrecision.Fp32, ["conv1"] = EnginePrecision.Int8 };
        using Engine engine = Build(TestGraphs.Parse(Network), Cpu with { Int8 = true, LayerPrecision = keep });
        Assert.True(engine.Layers.First(l => l.SourceNode.Contains("conv2")).Precision == "Fp32", string.Join("\n", engine.Layers));
        Assert.Equal("Int8", engine.Layers.First(l => l.SourceNode.Contains("conv1")).Precision);
    }

    [Fact]
    public void Patterns_that_tie_or_match_nothing_are_errors()
    {
        static BuildOptions With(params (string, EnginePrecision)[] given) => Cpu with { Int8 = true, LayerPrecision = given.ToDictionary(g => g.Item1, g => g.Item2) };
        Assert.Contains("equally long", Fails(Network, With(("con*", EnginePrecision.Fp32), ("*nv1", EnginePrecision.Int8))).Message, StringComparison.Ordinal);
        Assert.Contains("Did you mean 'conv1'", Fails(Network, With(("cnov1", EnginePrecision.Fp32))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_engine_can_take_bytes_with_channels_last_and_give_other_types()
    {
        const string Text = "x: Float32[1,3,2,2] -> y: Float32[1,3,2,2] { y = Neg(x) }";
        BuildOptions options = Cpu with { InputFormat = new Dictionary<string, string> { ["x"] = "UInt8:Nhwc" }, OutputFormat = new Dictionary<string, string> { ["y"] = "Int32:Nhwc" } };
        using Engine engine = Build(TestGraphs.Parse(Text), options);
        Assert.Equal("x: UInt8[1,2,2,3]", engine.Inputs[0].ToString());
        Assert.Equal("y: Int32[1,2,2,3]", engine.Outputs[0].ToString());
        byte[] pixels = [.. Enumerable.Range(0, 12).Select(i => (byte)i)];
        using TrtTools.Execution.ExecutionContext context = engine.CreateContext();
        Tensor y = (Tensor)context.Run(new Dictionary<string, Tensor> { ["x"] = new Tensor("x", TensorData.From<byte>(pixels, 1, 2, 2, 3)) }, TestContext.Current.CancellationToken)["y"]!;
        Assert.Equal(pixels.Select(p => -p), (int[])y.Data);
        Assert.Equal(ErrorCode.OptionInvalid, Fails(Text, Cpu with { InputFormat = new Dictionary<string, string> { ["x"] = "Pixels" } }).Code);
        Assert.Equal(ErrorCode.InputNotFound, Fails(Text, Cpu with { OutputFormat = new Dictionary<string, string> { ["z"] = "Float16" } }).Code);
    }

    [Fact]
    public void Without_CUDA_the_device_Cuda_is_missing_and_Auto_takes_the_CPU()
    {
        Assert.SkipUnless(TrtTools.Cuda.CudaDriver.Current.Problem is not null, "This machine has a CUDA device.");
        Assert.Equal(ErrorCode.CudaMissing, Fails(Network, new BuildOptions { Device = DeviceKind.Cuda }).Code);
        using Engine engine = Build(TestGraphs.Parse(Network), new BuildOptions());
        Assert.Equal("Cpu", engine.Device);
        Assert.Contains(engine.Warnings, w => w.Contains("No CUDA device", StringComparison.Ordinal));
    }

    [Fact]
    public void A_build_can_be_cancelled_and_leaves_no_files()
    {
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => EngineBuilder.Build(TestGraphs.Parse(Network), Cpu, Report.None, source.Token));
    }

    [Fact]
    public void A_check_builds_nothing_and_says_what_would_be_built()
    {
        Assert.Contains("FP32", EngineBuilder.Check(TestGraphs.Parse(Network), Cpu)[0], StringComparison.Ordinal);
        Assert.Contains("synthetic data", EngineBuilder.Check(TestGraphs.Parse(Network), Cpu with { Int8 = true })[0], StringComparison.Ordinal);
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => EngineBuilder.Check(TestGraphs.Parse(Network), Cpu with { LayerPrecision = new Dictionary<string, EnginePrecision> { ["absent"] = EnginePrecision.Fp32 } })).Code);
    }

    [Fact]
    public void A_quick_build_times_nothing_and_has_the_same_content()
    {
        using Engine quick = Build(TestGraphs.Parse(Network), Cpu with { OptimizationLevel = 0 }), full = Build(TestGraphs.Parse(Network));
        Assert.Equal(full.Id, quick.Id);
        Assert.All(quick.Layers, l => Assert.Null(l.MedianMs));
    }

    [Fact]
    public void Measuring_with_a_profile_gives_the_layers_their_times()
    {
        using Engine engine = Build(TestGraphs.Parse(Network), Cpu with { OptimizationLevel = 0 });
        EngineBenchmark result = EngineMeasurement.Measure(engine, new MeasureOptions { Profile = true, WarmUp = 0, Duration = 0.1 }, Report.None, TestContext.Current.CancellationToken);
        Assert.Equal(engine.Layers.Count, result.Layers.Length);
        Assert.Equal(100, result.Layers.Sum(l => l.Percent ?? 0), 6);
        Assert.NotNull(engine.Layers[0].MedianMs);
    }

    [Fact]
    public void The_model_s_own_quantization_is_kept_and_calibration_not_used()
    {
        const string Text = """
            x: Float32[1,3,8,8] -> y: Float32[1,4,8,8] {
                s = Float32 0.02; z = Int8 0; w = Int8[4,3,1,1] random(1); ws = Float32 0.01
                q = QuantizeLinear(x, s, z); dq = DequantizeLinear(q, s, z)
                dw = DequantizeLinear(w, ws, z)
                y = Conv(dq, dw)
            }
            """;
        RecordingReport report = new();
        using Engine engine = Build(TestGraphs.Parse(Text), Cpu with { Int8 = true, CalibrationData = InputSources.Synthetic([new InputInfo("x", DataType.Float32, [1, 3, 8, 8])], 1) }, report);
        Assert.Equal("Int8", engine.Precision);
        Assert.Contains("calibration given was not used", Assert.Single(report.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void The_record_says_who_when_from_what()
    {
        using Engine engine = Build(TestGraphs.Parse(Network), Cpu with { OptimizationLevel = 4 });
        EngineProvenance record = engine.Provenance;
        Assert.Equal(Environment.MachineName, record.Host);
        Assert.Equal(64, record.ModelHash.Length);
        Assert.Contains("OptimizationLevel=4", record.Options);
        Assert.NotEmpty(record.OnnxRuntimeVersion);
        Assert.True(engine.BuildSeconds > 0);
    }

    [Fact]
    public void Layers_name_their_source_nodes_and_take_time()
    {
        using Engine engine = Build(TestGraphs.Parse(Network));
        EngineLayer conv = engine.Layers.First(l => l.SourceNode.Contains("conv1"));
        Assert.Equal(["conv1", "bn1", "relu1"], conv.SourceNode);
        Assert.Equal("Conv + Relu", conv.Kind);
        Assert.True(conv.WeightBytes >= 4 * 3 * 3 * 3 * 4);
        Assert.Equal(100, engine.Layers.Sum(l => l.Percent ?? 0), 6);
        string[] all = ["conv1", "bn1", "relu1", "conv2", "add1", "pool", "flat"];
        Assert.Empty(all.Except(engine.Layers.SelectMany(l => l.SourceNode)));
    }
}
