using System.Globalization;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;
using TrtTools.Tests.Cuda;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Launch;

/// <summary>The plans of <see cref="TestKernels"/> on a GPU, compiled there.</summary>
[Collection("GPU")]
public sealed class CudaEngineTests
{
    private static PlanBuilder Compiled(PlanBuilder plan, CudaContext context)
    {
        byte[] code = Gpu.Compile(TestKernels.Text, context.ComputeCapability);
        plan.Code = _ => code;
        plan.Architecture = Gpu.Architecture(context.ComputeCapability);
        return plan;
    }

    private static PlanBuilder Chain(CudaContext context, bool programmatic = false)
    {
        PlanBuilder plan = TestKernels.Chain(programmatic, p => Compiled(p, context));
        return plan;
    }

    private static Dictionary<string, Tensor> Inputs(int n, int seed = 0)
    {
        Random random = new(seed);
        return new() { ["x"] = new Tensor("x", TensorData.From<float>([.. Enumerable.Range(0, 4 * n).Select(_ => (float)random.Next(1000))], n, 4)) };
    }

    private static void Check(Engine engine, Dictionary<string, Tensor> inputs)
    {
        using ExecutionContext context = engine.CreateContext();
        Tensor y = Assert.IsType<Tensor>(context.Run(inputs)["y"]);
        Assert.Equal(TestKernels.ChainResult((float[])inputs["x"].Data), (float[])y.Data);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_plan_gives_the_same_by_launches_and_by_graphs(bool programmatic)
    {
        using CudaContext device = Gpu.Open();
        int before = CudaContext.LiveResources;
        using (Engine engine = Chain(device, programmatic).Engine(CudaContext.Open()))
        {
            foreach (int n in new[] { 3, 1, 300, 3, 3, 0, 300, 300, 100_000, 100_000, 100_000 }) Check(engine, Inputs(n, n));
            using DeviceContext context = engine.CreateDeviceContext(default);
            for (int i = 0; i < 5; i++)
            {
                Dictionary<string, Tensor> inputs = Inputs(1000, i);
                context.SetInput(0, inputs["x"].Content);
                context.Upload();
                context.Execute(default);
                Assert.Equal(TestKernels.ChainResult((float[])inputs["x"].Data), context.Download()[0].AsSpan<float>().ToArray());
            }
            Assert.Equal("", context.CaptureProblem);
            Assert.Equal(4, context.GraphRuns);
        }
        Assert.Equal(before, CudaContext.LiveResources);
    }

    [Fact]
    public void Ten_thousand_runs_with_bound_memory_allocate_nothing()
    {
        using CudaContext device = Gpu.Open();
        using Engine engine = Chain(device, programmatic: true).Engine(CudaContext.Open());
        using ExecutionContext context = engine.CreateContext();
        Dictionary<string, Tensor> inputs = Inputs(1000);
        using CudaDeviceVariable<float> x = CudaDeviceVariable<float>.Create(device, inputs["x"].Content.AsSpan<float>()), y = CudaDeviceVariable<float>.Create(device, 4000);
        long[] shape = [1000, 4];
        context.Bind("x", (nint)x.Address, x.ByteCount, shape);
        context.Bind("y", (nint)y.Address, y.ByteCount);
        for (int i = 0; i < 10; i++) context.Enqueue();
        context.Synchronize();
        int resources = CudaContext.LiveResources;
        (long free, _) = device.GetMemoryInfo();
        long managed = GC.GetAllocatedBytesForCurrentThread();
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
        Assert.Equal(TestKernels.ChainResult((float[])inputs["x"].Data), y.ToArray());
    }

    [Fact]
    public void A_growing_shape_changes_its_graph_and_allocates_nothing()
    {
        using CudaContext device = Gpu.Open();
        using Engine engine = GrowingPlans.Step(p => Compiled(p, device)).Engine(CudaContext.Open(), GrowingPlans.Profile);
        (long Free, int Resources) before = default;
        GrowingPlans.Run(engine, device, (memory, count) =>
        {
            float[] content = new float[count];
            ((DeviceBuffer)memory).CopyToHost(System.Runtime.InteropServices.MemoryMarshal.AsBytes(content.AsSpan()));
            return content;
        }, end =>
        {
            device.MakeCurrent();
            (long, int) now = (device.GetMemoryInfo().Free, CudaContext.LiveResources);
            if (end) Assert.Equal(before, now);
            before = now;
        });
    }

    [Fact]
    public void Four_contexts_on_four_threads_give_identical_results_in_constant_memory()
    {
        using CudaContext device = Gpu.Open();
        using Engine engine = Chain(device, programmatic: true).Engine(CudaContext.Open());
        Dictionary<string, Tensor>[] inputs = [.. Enumerable.Range(0, 4).Select(i => Inputs(5000, i))];
        float[][] expected = [.. inputs.Select(i => TestKernels.ChainResult((float[])i["x"].Data))];
        int[] wrong = new int[4];
        // Eight threads are there while the first runs pass, so that all contexts exist when memory is compared.
        RunAll(10);
        device.MakeCurrent();
        (long free, _) = device.GetMemoryInfo();
        RunAll(2500);
        Assert.Equal([0, 0, 0, 0], wrong);
        device.MakeCurrent();
        Assert.Equal(free, device.GetMemoryInfo().Free);

        void RunAll(int runs)
        {
            using Barrier start = new(4);
            Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
            {
                using ExecutionContext context = engine.CreateContext();
                start.SignalAndWait();
                for (int i = 0; i < runs; i++)
                {
                    Tensor y = (Tensor)context.Run(inputs[t])["y"]!;
                    if (!y.Content.AsSpan<float>().SequenceEqual(expected[t])) wrong[t]++;
                }
            }))];
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
        }
    }

    [Fact]
    public void Measuring_uses_events()
    {
        using CudaContext device = Gpu.Open();
        using Engine engine = Chain(device).Engine(CudaContext.Open());
        EngineBenchmark result = EngineMeasurement.Measure(engine, new MeasureOptions { WarmUp = 10, Duration = 0.2, Iteration = 100, Profile = true, InputData = Inputs(100_000) }, Report.None, default);
        Assert.InRange(result.GpuComputeMedianMs, 0.001, result.LatencyMedianMs);
        Assert.InRange(result.HostToDeviceMedianMs, 0.001, result.LatencyMedianMs);
        Assert.InRange(result.DeviceToHostMedianMs, 0.001, result.LatencyMedianMs);
        Assert.Equal(5, result.Layers.Length);
        Assert.All(result.Layers, l => Assert.InRange(l.MedianMs!.Value, 0.0005, 10));
    }

    [Fact]
    public void A_step_of_the_host_stands_between_launches()
    {
        using CudaContext device = Gpu.Open();
        using Engine engine = HostStepPlans.Between(p => Compiled(p, device)).Engine(CudaContext.Open());
        HostStepPlans.CheckBetween(engine);
    }

    /// <summary>Leaves the context unusable, so it runs by itself: -explicit only.</summary>
    [Fact(Explicit = true)]
    public void A_kernel_that_fails_is_named_with_its_layer_and_nodes()
    {
        using CudaContext device = Gpu.Open();
        PlanBuilder plan = Compiled(new PlanBuilder(), device);
        uint x = plan.Input("x", "n", "4"), y = plan.Output("y", "n", "4");
        plan.Symbol("n", x, 0);
        plan.Kernel("twice", [x], [y], "4*n");
        // The count says more elements than there are, far beyond what is mapped.
        plan.Plan.Body.Steps[0].Device.Launches[0].Kernel.Arguments[2] = new Argument { Extent32 = plan.Extent("2000000000") };
        plan.Plan.Body.Steps[0].Device.Launches[0].Kernel.Grid[0] = plan.Extent("15625000");
        using Engine engine = plan.Engine(CudaContext.Open());
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => engine.CreateContext().Run(Inputs(10)));
        Console.WriteLine(e.Message);
        Assert.Equal(ErrorCode.CudaFailed, e.Code);
        Assert.Contains("layer 'twice.0' (Test, nodes 'node0')", e.Message, StringComparison.Ordinal);
        Assert.Contains("IllegalAddress", e.Message, StringComparison.Ordinal);
    }

    /// <summary>What a launch, a replay and a new shape cost: figures, no assertions. -explicit only.</summary>
    [Theory(Explicit = true)]
    [InlineData(60, false)]
    [InlineData(60, true)]
    [InlineData(150, true)]
    public void Figures(int launches, bool programmatic)
    {
        using CudaContext device = Gpu.Open();
        PlanBuilder plan = Compiled(new PlanBuilder(), device);
        uint x = plan.Input("x", "n", "4"), y = plan.Output("y", "n", "4");
        plan.Symbol("n", x, 0);
        uint last = x;
        for (int i = 0; i < launches; i++)
        {
            uint next = i == launches - 1 ? y : plan.Scratch($"t{i}", "n", "4");
            plan.Kernel("twice", [last], [next], "4*n", programmatic);
            last = next;
        }
        using Engine engine = plan.Engine(CudaContext.Open());
        using DeviceContext context = engine.CreateDeviceContext(default);
        using CudaDeviceVariable<float> input = CudaDeviceVariable<float>.Create(device, 4 * 5000), output = CudaDeviceVariable<float>.Create(device, 4 * 5000);
        context.IsTimed = true;
        void Run(long n)
        {
            context.BindInput(0, input.Address, input.ByteCount, [n, 4]);
            context.BindOutput(0, output.Address, output.ByteCount);
            context.Upload();
            context.Execute(default);
        }
        void Say(string what, int runs, Func<int, long> shape)
        {
            List<double> host = [], gpu = [];
            for (int i = 0; i < runs; i++)
            {
                long start = System.Diagnostics.Stopwatch.GetTimestamp();
                Run(shape(i));
                host.Add(System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                context.Synchronize();
                gpu.Add(context.Times.Compute);
            }
            host.Sort();
            gpu.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{launches} launches, programmatic {programmatic}, {what}: host {host[runs / 2] * 1000:0.0} µs, GPU {gpu[runs / 2] * 1000:0.0} µs (median of {runs})"));
        }
        Run(1);
        Say("a new shape each run", 1000, i => 2 + i);
        Run(132);
        Run(132);
        Say("graph replay", 1000, _ => 132);
        context.Synchronize();
    }
}
