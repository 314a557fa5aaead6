using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Tensors;
using TrtTools.Tests;
using TrtTools.Tests.Lowering;

namespace TrtTools.Build;

/// <summary>-Fp16 on models whose values FP16 cannot hold.</summary>
public sealed class RangeGuardTests
{
    // Between the first convolution and the second values reach 100,000 and more.
    private const string Loud = "x: Float32[1,8,6,6] -> y { w1 = Float32[16,8,1,1] random(1); k = Float32 40000; big = Mul(w1, k); w2 = Float32[8,16,1,1] random(2); s = Float32 0.0001; small = Mul(w2, s); w3 = Float32[8,8,1,1] random(3); c1 = Conv(x, big); r1 = Relu(c1); c2 = Conv(r1, small); r2 = Relu(c2); y = Conv(r2, w3) }";

    private static BuildOptions Options => new() { Device = DeviceKind.Cuda, Target = new CudaTarget { Name = "a GPU", Capability = 90, Compiles = false }, OptimizationLevel = 0, Fp16 = true };

    private static (LoweredProgram Program, BuildContext Context) Lower(OnnxGraph graph, BuildOptions options, bool channelsLast = true)
    {
        BuildContext context = new(graph, options, Report.None, CancellationToken.None);
        context.ChooseDevice();
        context.CheckOptions();
        BuildStages.Simplify(context);
        context.Guard = RangeGuard.Create(context);
        BuildStages.Canonicalize(context);
        return (GraphLowering.Lower(context.Form!.Graph, CudaBuild.Lowering(context, channelsLast), Report.None, CancellationToken.None), context);
    }

    [Fact]
    public void Layers_with_large_values_stay_in_FP32_and_the_others_do_not()
    {
        OnnxGraph graph = TestGraphs.Parse(Loud);
        (LoweredProgram program, BuildContext context) = Lower(graph, Options);
        LoweringCheck.Compare("guarded", program, LoweringCheck.Inputs(graph, 1), Evaluation.ModelRunner.Run(graph, LoweringCheck.Inputs(graph, 1), CancellationToken.None), LoweringCheck.Float16);
        Assert.Contains(context.Warnings, w => w.Contains("stay in FP32", StringComparison.Ordinal) && w.Contains("65504", StringComparison.Ordinal));
        Assert.Contains(context.Warnings, w => w.Contains("made-up inputs", StringComparison.Ordinal));
        // The last convolution reads small numbers.
        Assert.Contains(program.Steps.OfType<RegionStep>(), s => s.Region.Facts is ConvolutionFacts { Input.Type: DataType.Float16 });
        Assert.Contains(program.Steps.OfType<RegionStep>(), s => s.Region.Facts is ConvolutionFacts { Input.Type: DataType.Float32 });
    }

    [Fact]
    public void Without_the_guard_they_overflow()
    {
        OnnxGraph graph = TestGraphs.Parse(Loud);
        LoweredProgram program = GraphLowering.Lower(graph, new LoweringOptions { FloatStorage = DataType.Float16 }, Report.None, CancellationToken.None);
        Assert.ThrowsAny<Exception>(() => LoweringCheck.Compare("not guarded", program, LoweringCheck.Inputs(graph, 1), Evaluation.ModelRunner.Run(graph, LoweringCheck.Inputs(graph, 1), CancellationToken.None), LoweringCheck.Float16));
    }

    [Fact]
    public void Data_and_calibrations_decide_where_there_are_any()
    {
        OnnxGraph graph = TestGraphs.Parse(Loud);
        InputSource quiet = InputSources.FromDictionaries([new System.Collections.Hashtable { ["x"] = new float[288] }], InputInfo.Of(graph));
        (LoweredProgram program, BuildContext context) = Lower(graph, Options with { CalibrationData = quiet });
        Assert.Empty(context.Warnings);
        Assert.DoesNotContain(program.Steps.OfType<RegionStep>(), s => s.Region.Facts is ConvolutionFacts { Input.Type: DataType.Float32 });
        Quantization.CalibrationCache cache = Quantization.Calibrator.Calibrate(graph, InputSources.Synthetic(InputInfo.Of(graph), 2), new Quantization.CalibrationOptions(), Report.None, CancellationToken.None);
        Assert.Contains(Lower(graph, Options with { CalibrationCache = cache }).Context.Warnings, w => w.Contains("stay in FP32", StringComparison.Ordinal));
    }

    [Fact]
    public void Strict_refuses_what_would_stay_in_FP32()
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineBuilder.Build(TestGraphs.Parse(Loud), Options with { Strict = true }, Report.None, CancellationToken.None));
        Assert.Equal(ErrorCode.OptionInvalid, e.Code);
        Assert.Contains("-Bf16", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_made_up_inputs_do_not_run_a_warning_says_why()
    {
        // No made-up number is a place in the table.
        const string lookup = "i: Int64[1], x: Float32[1,1] -> y { far = Int64 1000000; j = Add(i, far); t = Float32[4,4] random(1); g = Gather(t, j); y = MatMul(x, g) }";
        BuildContext context = Lower(TestGraphs.Parse(lookup), Options).Context;
        Assert.Null(context.Guard);
        Assert.Contains("could not be measured on made-up inputs", Assert.Single(context.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void BF16_and_FP32_have_the_range(bool brain, bool full)
    {
        BuildContext context = Lower(TestGraphs.Parse(Loud), Options with { Fp16 = false, Bf16 = brain }).Context;
        Assert.NotEqual(brain, full);
        Assert.Null(context.Guard);
        Assert.Empty(context.Warnings);
    }

    [Fact]
    public void A_mask_that_goes_to_a_softmax_changes_nothing()
    {
        const string attention = "q: Float32[1,2,8,64], m: Float32[1,1,1,8] -> y { one = Float32 1; low = Float32 -3.4e38; n = Sub(one, m); mask = Mul(n, low); k = Float32[1,2,64,8] random(1); v = Float32[1,2,8,64] random(2); s = MatMul(q, k); a = Add(s, mask); p = Softmax(a){axis=-1}; y = MatMul(p, v) }";
        BuildContext context = Lower(TestGraphs.Parse(attention), Options).Context;
        Assert.NotNull(context.Guard);
        Assert.DoesNotContain(context.Warnings, w => w.Contains("in FP32", StringComparison.Ordinal));
    }

    [Fact]
    public void The_raw_the_optimized_and_the_fused_graph_keep_the_same_layers()
    {
        OnnxGraph raw = TestGraphs.Parse(Loud), optimized = Passes.GraphOptimizer.Optimize(raw, new Passes.OptimizeOptions(), Report.None, CancellationToken.None), fused = Passes.LayerFusion.Fuse(raw, new Passes.FusionOptions(), Report.None, CancellationToken.None);
        string[] ids = [.. new[] { raw, optimized, fused }.Select(g =>
        {
            using Engine engine = EngineBuilder.Build(g, Options, Report.None, CancellationToken.None);
            return engine.Id;
        })];
        Assert.Single(ids.Distinct());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_model_whose_activations_reach_1e5_comes_out_right(bool channelsLast)
    {
        OnnxGraph graph = OnnxFile.Import(SharedModels.Path("light-shufflenet-rw"), Report.None, CancellationToken.None);
        (LoweredProgram program, BuildContext context) = Lower(graph, Options, channelsLast);
        Assert.Contains(context.Warnings, w => w.Contains("in FP32", StringComparison.Ordinal));
        string set = SharedModels.DataSets("light-shufflenet-rw")[0];
        TensorData Read(string file) => TensorFile.Read(Path.Combine(set, file))[0].Content;
        LoweringCheck.Compare("light-shufflenet-rw", program, new Dictionary<string, TensorData> { [program.Inputs[0].Storage.Name] = Read("input_0.pb") }, new Dictionary<string, TensorData> { [program.Outputs[0].Storage.Name] = Read("output_0.pb") }, LoweringCheck.Float16);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join("\n", context.Warnings));
    }
}
