using System.Diagnostics;
using System.Globalization;
using TrtTools.Build;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Evaluation;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Tensors;
using TrtTools.Tests.Lowering;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Gpu;

/// <summary>Engines that the compiler built, on the GPU that is here: memory, threads, profiles, cancelling, errors.</summary>
[Collection("GPU")]
public sealed class EngineBehaviourTests
{
    private const string Block = "x: Float32[n,64,14,14] -> y { w1 = Float32[64,64,1,1] random(1); b1 = Float32[64] random(2); w2 = Float32[64,64,3,3] random(3); c1 = Conv(x, w1, b1); r1 = Relu(c1); c2 = Conv(r1, w2){pads=[1,1,1,1]}; s = Add(c2, x); r2 = Relu(s); y = GlobalAveragePool(r2) }";

    private static Engine Build(string graph, BuildOptions options) => EngineBuilder.Build(TestGraphs.Parse(graph), options, Report.None, TestContext.Current.CancellationToken);

    private static Dictionary<string, Tensor> Inputs(long n, ulong seed = 1) => new() { ["x"] = new Tensor("x", GraphText.Random(DataType.Float32, [n, 64, 14, 14], seed)) };

    private static double[] Run(ExecutionContext context, Dictionary<string, Tensor> inputs) => ((Tensor)context.Run(inputs)["y"]!).Content.ToDouble();

    private static void Close(string graph, Dictionary<string, Tensor> inputs, double[] actual, double tolerance)
    {
        TensorData expected = ModelRunner.Run(TestGraphs.Parse(graph), inputs.ToDictionary(i => i.Key, i => i.Value.Content), CancellationToken.None)["y"];
        LoweringCheck.Close("y", expected, TensorData.From<float>([.. actual.Select(v => (float)v)], expected.Shape.ToArray()), tolerance);
    }

    private static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    [Theory]
    [InlineData("Fp32")]
    [InlineData("Fp16")]
    public void Ten_thousand_enqueues_with_bound_memory_allocate_nothing(string precision)
    {
        using CudaContext device = Cuda.Gpu.Open();
        using Engine engine = Build(Block, GpuBuild.Options(precision));
        using ExecutionContext context = engine.CreateContext();
        Dictionary<string, Tensor> inputs = Inputs(8);
        using CudaDeviceVariable<float> x = CudaDeviceVariable<float>.Create(device, inputs["x"].Content.AsSpan<float>()), y = CudaDeviceVariable<float>.Create(device, 8 * 64);
        long[] shape = [8, 64, 14, 14];
        context.Bind("x", (nint)x.Address, x.ByteCount, shape);
        context.Bind("y", (nint)y.Address, y.ByteCount);
        for (int i = 0; i < 20; i++) context.Enqueue();
        context.Synchronize();
        int resources = CudaContext.LiveResources;
        long free = device.GetMemoryInfo().Free, managed = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            context.Bind("x", (nint)x.Address, x.ByteCount, shape);
            context.Bind("y", (nint)y.Address, y.ByteCount);
            context.Enqueue();
        }
        context.Synchronize();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - managed);
        Assert.Equal(free, device.GetMemoryInfo().Free);
        Assert.Equal(resources, CudaContext.LiveResources);
        Close(Block, inputs, [.. y.ToArray().Select(v => (double)v)], precision == "Fp16" ? LoweringCheck.Float16 : LoweringCheck.Float32);
    }

    [Fact]
    public void Ten_thousand_runs_on_four_threads_give_identical_results_in_constant_memory()
    {
        using CudaContext device = Cuda.Gpu.Open();
        using Engine engine = Build(Block, GpuBuild.Options("Fp16"));
        Dictionary<string, Tensor>[] inputs = [.. Enumerable.Range(0, 4).Select(i => Inputs(4, (ulong)i))];
        double[][] expected = new double[4][];
        using (ExecutionContext alone = engine.CreateContext())
        {
            for (int t = 0; t < 4; t++) expected[t] = Run(alone, inputs[t]);
        }
        int[] wrong = new int[4];
        All(10);
        device.MakeCurrent();
        long free = device.GetMemoryInfo().Free;
        All(2500);
        device.MakeCurrent();
        Assert.Equal([0, 0, 0, 0], wrong);
        Assert.Equal(free, device.GetMemoryInfo().Free);

        void All(int runs)
        {
            using Barrier start = new(4);
            Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
            {
                using ExecutionContext context = engine.CreateContext();
                start.SignalAndWait();
                for (int i = 0; i < runs; i++) if (!Run(context, inputs[t]).AsSpan().SequenceEqual(expected[t])) wrong[t]++;
            }))];
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
        }
    }

    [Fact]
    public void Two_profiles_are_switched_in_memory_that_was_there_before()
    {
        using CudaContext device = Cuda.Gpu.Open();
        static Dictionary<string, ShapeRange> Range(long min, long opt, long max) => new() { ["x"] = new([min, 64, 14, 14], [opt, 64, 14, 14], [max, 64, 14, 14]) };
        using Engine engine = Build(Block, GpuBuild.Options() with { OptimizationProfile = [Range(1, 1, 2), Range(8, 16, 32)] });
        using ExecutionContext context = engine.CreateContext();
        // The largest first: what libraries load on first use and the graphs of each shape come with these runs.
        long[] sizes = [32, 8, 2, 1];
        foreach (long n in sizes) for (int i = 0; i < 3; i++) Close(Block, Inputs(n, (ulong)n), Run(context, Inputs(n, (ulong)n)), LoweringCheck.Float32);
        long free = device.GetMemoryInfo().Free;
        for (int i = 0; i < 25; i++)
        {
            foreach (long n in sizes) Run(context, Inputs(n, (ulong)n));
        }
        Assert.Equal(free, device.GetMemoryInfo().Free);
        foreach (long n in new long[] { 0, 3, 7, 33 })
        {
            TrtToolsException e = Assert.Throws<TrtToolsException>(() => context.Run(Inputs(n)));
            Assert.Equal(ErrorCode.ShapeOutOfProfile, e.Code);
            Assert.Contains("[8,64,14,14] to [32,64,14,14]", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_build_that_is_stopped_ends_and_leaves_no_memory_behind()
    {
        using CudaContext device = Cuda.Gpu.Open();
        int before = CudaContext.LiveResources;
        foreach (int milliseconds in new[] { 30, 300, 900 })
        {
            // No cache of times: everything has to be timed.
            BuildOptions options = GpuBuild.Options("Fp16", level: 5) with { TimingCachePath = null };
            using CancellationTokenSource stop = new();
            OnnxGraph graph = TestGraphs.Parse(Block);
            Stopwatch clock = new();
            Task<Engine> build = Task.Run(() => EngineBuilder.Build(graph, options, Report.None, stop.Token));
            Thread.Sleep(milliseconds);
            clock.Start();
            stop.Cancel();
            bool ended = false;
            try
            {
                (await build).Dispose();
                ended = true;
            }
            catch (OperationCanceledException)
            {
            }
            Say($"FIGURE a build stopped after {milliseconds} ms ended {clock.Elapsed.TotalMilliseconds:0} ms later{(ended ? " (it was done)" : "")}");
        }
        Assert.Equal(before, CudaContext.LiveResources);
    }

    [Fact]
    public void Out_of_memory_says_the_engine_what_it_needs_and_what_is_free()
    {
        using CudaContext device = Cuda.Gpu.Open();
        const string square = "a: Float32[n,8], b: Float32[8,n] -> y { z = MatMul(a, b); r = Relu(z); y = MatMul(r, a) }";
        using Engine engine = Build(square, GpuBuild.Options(level: 0));
        using ExecutionContext context = engine.CreateContext();
        Dictionary<string, Tensor> Square(long n) => new() { ["a"] = new Tensor("a", GraphText.Random(DataType.Float32, [n, 8], 1)), ["b"] = new Tensor("b", GraphText.Random(DataType.Float32, [8, n], 2)) };
        long n = (long)Math.Sqrt(device.Properties.MemoryBytes / 4.0) + 20_000;
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => context.Run(Square(n)));
        Console.WriteLine(e.Message);
        Assert.Equal(ErrorCode.OutOfDeviceMemory, e.Code);
        Assert.Contains(engine.Name, e.Message, StringComparison.Ordinal);
        Assert.Contains((4 * n * n).ToString("N0", CultureInfo.InvariantCulture)[..4], e.Message, StringComparison.Ordinal);
        Assert.Contains(" are free", e.Message, StringComparison.Ordinal);
        // The next run is not harmed.
        Close(square, Square(5), ((Tensor)context.Run(Square(5))["y"]!).Content.ToDouble(), LoweringCheck.Float32);
    }

    [Fact]
    public void An_engine_built_for_another_device_says_for_which_and_what_this_one_is()
    {
        using CudaContext device = Cuda.Gpu.Open();
        int other = device.Properties.ComputeCapability >= 90 ? 80 : 90;
        using Engine built = Build(Block, GpuBuild.Options(level: 0) with { Target = new CudaTarget { Name = "another GPU", Capability = other } });
        using Engine engine = new(built.Header, built.Content, null, 0);
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => engine.CreateContext().Run(Inputs(1)));
        Assert.Equal(ErrorCode.EngineIncompatible, e.Code);
        Assert.Contains($"{other / 10}.{other % 10}", e.Message, StringComparison.Ordinal);
        Assert.Contains(device.Properties.Name, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_layer_of_a_serial_run_has_a_time()
    {
        using CudaContext device = Cuda.Gpu.Open();
        using Engine engine = Build(Block, GpuBuild.Options("Fp16"));
        using DeviceContext context = engine.CreateDeviceContext(default);
        context.SetInput(0, Inputs(32)["x"].Content);
        using IDeviceEvent before = device.CreateEvent(), after = device.CreateEvent();
        List<double> sums = [], runs = [];
        for (int i = 0; i < 30; i++)
        {
            context.Upload();
            context.Stream.Record(before);
            IReadOnlyList<(Engines.Proto.Launch? Launch, PlanStep Step, double Milliseconds)> times = context.Profile(TestContext.Current.CancellationToken);
            context.Stream.Record(after);
            context.Synchronize();
            Assert.Equal(engine.Layers.Count, times.Select(t => t.Launch!.Layer).Distinct().Count());
            sums.Add(times.Sum(t => t.Milliseconds));
            runs.Add(after.MillisecondsSince(before));
        }
        sums.Sort();
        runs.Sort();
        Say($"FIGURE layers {sums[15]:0.0000} ms, serial run {runs[15]:0.0000} ms");
    }

    [Fact]
    public void Without_libraries_the_results_are_the_same()
    {
        using CudaContext device = Cuda.Gpu.Open();
        Dictionary<string, Tensor> inputs = Inputs(16);
        foreach (string precision in new[] { "Fp32", "Fp16" })
        {
            foreach (bool noLibrary in new[] { false, true })
            {
                using Engine engine = Build(Block, GpuBuild.Options(precision) with { NoLibrary = noLibrary });
                if (noLibrary) Assert.DoesNotContain(engine.Content.Plan.Body.Steps.SelectMany(s => s.Device?.Launches ?? []), l => l.Library is not null);
                using ExecutionContext context = engine.CreateContext();
                Close(Block, inputs, Run(context, inputs), precision == "Fp16" ? LoweringCheck.Float16 : LoweringCheck.Float32);
            }
        }
    }
}
