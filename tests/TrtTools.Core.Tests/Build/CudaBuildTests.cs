using TrtTools.Build;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tests;

namespace TrtTools.Build;

/// <summary>Builds for a GPU on a machine that need not have one: everything but machine code and times.</summary>
public sealed class CudaBuildTests
{
    private const string Block = "x: Float32[n,8,6,6] -> y { w1 = Float32[16,8,1,1] random(1); b1 = Float32[16] random(2); w2 = Float32[8,16,3,3] random(3); c1 = Conv(x, w1, b1); r1 = Relu(c1); c2 = Conv(r1, w2){pads=[1,1,1,1]}; s = Add(c2, x); y = Relu(s) }";

    private static readonly CudaTarget Target = new() { Name = "a GPU", Capability = 90, Compiles = false };

    private static BuildOptions Options => new() { Device = DeviceKind.Cuda, Target = Target, OptimizationLevel = 0 };

    private static Engine Build(OnnxGraph graph, BuildOptions? options = null, Report? report = null) => EngineBuilder.Build(graph, options ?? Options, report ?? Report.None, CancellationToken.None);

    private static Engine Build(string graph, BuildOptions? options = null, Report? report = null) => Build(TestGraphs.Parse(graph), options, report);

    private static IEnumerable<Engines.Proto.Launch> Launches(Engine engine) => engine.Content.Plan.Body.Steps.Where(s => s.Device is not null).SelectMany(s => s.Device.Launches);

    [Fact]
    public void A_model_becomes_launches_with_their_kernels_and_layers()
    {
        using Engine engine = Build(Block);
        Assert.Equal(("Cuda", "9.0", "Fp32"), (engine.Device, engine.ComputeCapability, engine.Precision));
        Plan plan = engine.Content.Plan;
        Assert.Equal(["x", "y"], plan.Buffers.Take(2).Select(b => b.Name));
        Assert.Equal("n", Assert.Single(plan.Symbols).Name);
        Assert.NotEmpty(Launches(engine));
        foreach (Engines.Proto.Launch launch in Launches(engine))
        {
            KernelImage image = plan.Images[(int)launch.Kernel.Image];
            Assert.Equal("sm_90a", image.Architecture);
            Assert.Contains(image.Function, System.Text.Encoding.UTF8.GetString(engine.Content.Blobs[(int)image.Source - 1].Bytes), StringComparison.Ordinal);
        }
        Assert.All(engine.Layers, l => Assert.Equal("generated", l.Tactic));
        Assert.Contains(engine.Layers, l => l.SourceNode.Length > 0);
        Assert.Equal("a GPU", engine.Provenance.DeviceName);
    }

    [Fact]
    public void The_raw_the_optimized_and_the_fused_graph_give_one_plan()
    {
        OnnxGraph raw = TestGraphs.Parse(Block), optimized = GraphOptimizer.Optimize(raw, new OptimizeOptions(), Report.None, CancellationToken.None), fused = LayerFusion.Fuse(raw, new FusionOptions(), Report.None, CancellationToken.None);
        using Engine a = Build(raw), b = Build(optimized), c = Build(fused), again = Build(raw);
        Assert.Equal(a.Id, again.Id);
        Assert.Equal(a.Id, b.Id);
        Assert.Equal(a.Id, c.Id);
    }

    [Fact]
    public void Precisions_are_said_and_bindings_keep_their_types()
    {
        using Engine full = Build(Block), half = Build(Block, Options with { Fp16 = true }), brain = Build(Block, Options with { Bf16 = true }), both = Build(Block, Options with { Fp16 = true, Bf16 = true });
        Assert.Equal(["Fp32", "Fp16", "Bf16", "Fp16"], new[] { full, half, brain, both }.Select(e => e.Precision));
        List<int> Types(Engine engine, BufferKind kind) => [.. engine.Content.Plan.Buffers.Where(b => b.Kind == kind).Select(b => b.DataType).Distinct()];
        Assert.Equal([(int)Tensors.DataType.Float32], Types(half, BufferKind.Input));
        Assert.Equal([(int)Tensors.DataType.Float16], Types(half, BufferKind.Scratch));
        Assert.Equal([(int)Tensors.DataType.BFloat16], Types(brain, BufferKind.Scratch));
        Assert.Equal([(int)Tensors.DataType.Float32], Types(full, BufferKind.Scratch));
        Assert.NotEqual(full.Id, half.Id);
        Assert.NotEqual(brain.Id, half.Id);
    }

    [Fact]
    public void Tf32_and_best_are_said()
    {
        using Engine tf32 = Build(Block, Options with { Tf32 = true });
        Assert.Equal("Tf32", tf32.Precision);
        RecordingReport report = new();
        using Engine best = Build(Block, Options with { Best = true }, report);
        Assert.Equal("Fp16", best.Precision);
        Assert.Contains(report.Warnings, w => w.Contains("INT8 was left out", StringComparison.Ordinal));
    }

    [Fact]
    public void Int8_layers_add_up_integers_on_the_device()
    {
        RecordingReport report = new();
        using Engine engine = Build(Block, Options with { Int8 = true, Fp16 = true }, report);
        Assert.Equal("Int8", engine.Precision);
        Assert.Contains(report.Warnings, w => w.Contains("synthetic", StringComparison.Ordinal));
        Assert.Contains(engine.Layers, l => l.Precision == "Int8" && l.Kind.Contains("Conv", StringComparison.Ordinal));
        Assert.DoesNotContain(engine.Content.Plan.Body.Steps, s => s.Host is not null);
    }

    [Fact]
    public void Libraries_are_used_unless_they_are_not_wanted()
    {
        const string linear = "x: Float32[512,64] -> y { w = Float32[64,32] random(1); b = Float32[32] random(2); y = Gemm(x, w, b) }";
        BuildOptions assumed = Options with { Target = Target with { AssumesLibraries = true } };
        using Engine with = Build(linear, assumed), without = Build(linear, assumed with { NoLibrary = true });
        Assert.Contains(Launches(with), l => l.Library?.Library == "cublasLt");
        Assert.DoesNotContain(Launches(without), l => l.Library is not null);
        Assert.Contains(with.Layers, l => l.Tactic == "cublasLt" && l.Candidates.Contains("generated: not timed"));
    }

    [Fact]
    public void A_locked_tactic_is_used_and_one_that_is_not_to_be_had_is_an_error()
    {
        const string linear = "x: Float32[512,64] -> y { w = Float32[64,32] random(1); b = Float32[32] random(2); y = Gemm(x, w, b) }";
        using TestFolder folder = new();
        BuildOptions options = Options with { Target = Target with { AssumesLibraries = true }, TacticLockPath = folder.File("t.lock") };
        using (Engine first = Build(linear, options)) Assert.Contains(first.Layers, l => l.Tactic == "cublasLt");
        string text = File.ReadAllText(options.TacticLockPath);
        Assert.Contains(" cublasLt ", text, StringComparison.Ordinal);
        File.WriteAllText(options.TacticLockPath, text.Replace(" cublasLt ", " generated ", StringComparison.Ordinal));
        using (Engine locked = Build(linear, options)) Assert.DoesNotContain(locked.Layers, l => l.Tactic == "cublasLt");
        File.WriteAllText(options.TacticLockPath, text);
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Build(linear, options with { NoLibrary = true }));
        Assert.Contains("'cublasLt'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_no_kernel_computes_runs_on_the_CPU_with_a_warning_or_not_at_all()
    {
        const string text = "x: Float32[4] -> y { v = Unique(x); y = Relu(v) }";
        RecordingReport report = new();
        using Engine engine = Build(text, null, report);
        Assert.Contains(report.Warnings, w => w.Contains("Unique", StringComparison.Ordinal));
        Assert.Contains(engine.Warnings, w => w.Contains("Unique", StringComparison.Ordinal));
        Assert.Contains(engine.Content.Plan.Body.Steps, s => s.Host is not null);
        Assert.Contains("Unique", Assert.Throws<TrtToolsException>(() => Build(text, Options with { Strict = true })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Attention_with_torchs_guard_behind_softmax_is_one_layer()
    {
        const string text = "q: Float16[1,12,128,64], k: Float16[1,12,128,64], v: Float16[1,12,128,64], m: Float16[1,1,128,128] -> y { zero = Float16[1] [0.0]; t = Transpose{perm=[0,1,3,2]}(k); s = MatMul(q, t); a = Add(s, m); p = Softmax{axis=-1}(a); n = IsNaN(p); g = Where(n, zero, p); y = MatMul(g, v) }";
        using Engine engine = Build(text, Options with { Fp16 = true });
        EngineLayer layer = Assert.Single(engine.Layers, l => l.Kind.Contains("Softmax", StringComparison.Ordinal));
        Assert.Matches("^trt (wgmma-)?attention", layer.Tactic);
        Assert.Equal(2, layer.Kind.Split(" + ").Count(k => k == "MatMul"));
    }

    [Fact]
    public void WhatIf_says_what_would_be_built()
    {
        IReadOnlyList<string> lines = EngineBuilder.Check(TestGraphs.Parse(Block), Options with { Fp16 = true, NoLibrary = true });
        Assert.Equal(["engine 'graph' for a GPU (sm_90a), FP16", "no libraries: an engine that needs the driver alone", "nothing is timed"], lines.Select(l => l.Replace($"'{TestGraphs.Parse(Block).Name}'", "'graph'", StringComparison.Ordinal)));
    }

    [Fact]
    public void Formats_of_inputs_and_outputs_are_converted_on_the_device()
    {
        using Engine engine = Build(Block, Options with { InputFormat = new Dictionary<string, string> { ["x"] = "UInt8:Nhwc" } });
        Assert.Equal(Tensors.DataType.UInt8, engine.Inputs[0].DataType);
        Assert.Equal([-1L, 6, 6, 8], engine.Inputs[0].Shape);
        Assert.DoesNotContain(engine.Content.Plan.Body.Steps, s => s.Host is not null);
    }

    [Fact]
    public void An_engine_file_of_a_device_plan_is_read_back()
    {
        using TestFolder folder = new();
        using Engine engine = Build(Block, Options with { Fp16 = true });
        EngineFile.Save(engine, folder.File("b.engine"), force: false);
        using Engine read = EngineFile.Load(folder.File("b.engine"), Report.None, CancellationToken.None);
        Assert.Equal(engine.Id, read.Id);
        Assert.Equal(engine.Layers.Select(l => l.Name), read.Layers.Select(l => l.Name));
    }
}
