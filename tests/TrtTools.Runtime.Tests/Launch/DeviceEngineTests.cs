using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Launch;

public sealed class DeviceEngineTests
{
    private static NullDevice Device(long limit = long.MaxValue) => new() { Kernels = TestKernels.Bodies, MemoryLimit = limit };

    private static Dictionary<string, Tensor> Inputs(int n, int seed = 0)
    {
        Random random = new(seed);
        return new() { ["x"] = new Tensor("x", TensorData.From<float>([.. Enumerable.Range(0, 4 * n).Select(_ => (float)random.Next(1000))], n, 4)) };
    }

    private static void Check(Engine engine, Dictionary<string, Tensor> inputs)
    {
        using ExecutionContext context = engine.CreateContext();
        Tensor y = Assert.IsType<Tensor>(context.Run(inputs)["y"]);
        Assert.Equal(inputs["x"].Shape, y.Shape);
        Assert.Equal(TestKernels.ChainResult((float[])inputs["x"].Data), (float[])y.Data);
    }

    [Fact]
    public void A_large_input_arrives_whole()
    {
        NullDevice device = new() { Kernels = TestKernels.Bodies };
        PlanBuilder plan = new();
        uint x = plan.Input("x", "n", "4"), y = plan.Output("y", "n", "4");
        plan.Symbol("n", x, 0);
        plan.Copy(x, y, "16*n");
        using Engine engine = plan.Engine(device);
        using ExecutionContext context = engine.CreateContext();
        // Two parts and a rest that is no multiple of anything.
        float[] values = new float[4 * 2_200_001];
        for (int i = 0; i < values.Length; i++) values[i] = i;
        TensorData given = TensorData.From<float>(values, 2_200_001, 4);
        Tensor result = (Tensor)context.Run(new Dictionary<string, Tensor> { ["x"] = new Tensor("x", given) })["y"]!;
        Assert.True(given.ContentEquals(result.Content));
    }

    [Fact]
    public unsafe void A_growing_shape_changes_its_graph_and_neither_captures_nor_allocates()
    {
        NullDevice device = new() { Kernels = TestKernels.Bodies };
        using Engine engine = GrowingPlans.Step().Engine(device, GrowingPlans.Profile);
        (int Captures, int Changes, int Allocations, int Resources) before = default;
        GrowingPlans.Run(engine, device, (memory, count) => new ReadOnlySpan<float>((void*)memory.Address, count).ToArray(), end =>
        {
            if (end)
            {
                // Of the three launches two depend on the length.
                Assert.Equal(before with { Changes = before.Changes + 2 * (GrowingPlans.Most - 1 - 8) }, (device.Captures, device.GraphChanges, device.Allocations, device.LiveResources));
            }
            before = (device.Captures, device.GraphChanges, device.Allocations, device.LiveResources);
            Assert.Equal(2, device.Captures);
        });
    }

    [Fact]
    public void Shapes_that_take_turns_are_captured_once_each()
    {
        NullDevice device = new() { Kernels = TestKernels.Bodies };
        using Engine engine = GrowingPlans.Step().Engine(device, GrowingPlans.Profile);
        using DeviceContext context = engine.CreateDeviceContext(default);
        using IDeviceMemory memory = device.Allocate(4096);
        int captures = 0;
        for (int round = 0; round < 10; round++)
        {
            foreach (long n in new long[] { 3, 9, 20 })
            {
                context.BindInput(0, memory.Address, 1024, [n, 4]);
                context.BindInput(1, memory.Address + 1024, 1024, [1, 4]);
                context.BindOutput(0, memory.Address + 2048, 1024);
                context.Upload();
                context.Execute(default);
            }
            if (round == 4) captures = device.Captures;
        }
        Assert.Equal(captures, device.Captures);
        Assert.InRange(captures, 3, 4);
    }

    [Fact]
    public void A_plan_runs_with_any_shape_and_leaves_nothing_open()
    {
        NullDevice device = Device();
        using (Engine engine = TestKernels.Chain().Engine(device))
        {
            foreach (int n in new[] { 3, 1, 300, 3, 0, 17 }) Check(engine, Inputs(n, n));
            Assert.NotEqual(0, device.LiveResources);
        }
        Assert.Equal(0, device.LiveResources);
        Assert.Equal(0, device.LiveBytes);
    }

    [Fact]
    public void Launches_have_their_extents_evaluated()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain().Engine(device);
        Check(engine, Inputs(100));
        Assert.Equal(["add_row", "twice", "copy", "fill", "add"], device.Launches.Select(l => l.Name));
        NullLaunch first = device.Launches[0];
        Assert.Equal((4u, 1u, 128u), (first.Shape.GridX, first.Shape.GridY, first.Shape.BlockX));
        Assert.Equal(400, first.Arguments[^1]);
        Assert.Equal(1600L, device.Launches[2].Arguments[2]);
    }

    [Fact]
    public void Nothing_is_launched_for_a_tensor_without_elements()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain().Engine(device);
        Check(engine, Inputs(0));
        Assert.Empty(device.Launches);
    }

    [Fact]
    public void A_shape_that_comes_again_is_replayed_as_a_graph()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain().Engine(device);
        for (int i = 0; i < 5; i++) Check(engine, Inputs(8, i));
        Assert.Equal(1, device.Captures);
        Check(engine, Inputs(9));
        Assert.Equal(1, device.Captures);
        Check(engine, Inputs(8, 7));
        Assert.Equal(25 + 5 + 5, device.Launches.Count);
    }

    [Fact]
    public void Where_capturing_fails_launches_go_on_one_by_one()
    {
        NullDevice device = new() { Kernels = TestKernels.Bodies, RefusesCapture = true };
        using Engine engine = TestKernels.Chain().Engine(device);
        for (int i = 0; i < 4; i++) Check(engine, Inputs(8, i));
        Assert.Equal(0, device.Captures);
        Assert.Equal(20, device.Launches.Count);
    }

    [Fact]
    public void Buffers_share_memory_when_their_lives_do_not_meet()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain().Engine(device);
        using DeviceContext context = engine.CreateDeviceContext(default);
        context.SetInput(0, Inputs(64)["x"].Content);
        context.Upload();
        context.Execute(default);
        // a dies when b is made, b when c is, and c lives beside zero: two at a time.
        Assert.Equal(2 * 64 * 16, context.ArenaBytes);
    }

    [Fact]
    public void A_launch_that_overlaps_its_predecessor_does_not_get_its_memory()
    {
        Assert.Equal(2 * 1024, Arena(overlapping: false));
        Assert.Equal(3 * 1024, Arena(overlapping: true));

        static long Arena(bool overlapping)
        {
            PlanBuilder plan = new();
            uint x = plan.Input("x", "64", "4"), a = plan.Scratch("a", "64", "4"), b = plan.Scratch("b", "64", "4"), c = plan.Scratch("c", "64", "4"), y = plan.Output("y", "64", "4");
            plan.Kernel("twice", [x], [a], "256");
            plan.Kernel("twice", [a], [b], "256");
            plan.Kernel("twice", [b], [c], "256", overlapping);
            plan.Kernel("twice", [c], [y], "256");
            using Engine engine = plan.Engine(Device());
            using DeviceContext context = engine.CreateDeviceContext(default);
            context.SetInput(0, Inputs(64)["x"].Content);
            context.Upload();
            context.Execute(default);
            return context.ArenaBytes;
        }
    }

    [Fact]
    public void Only_a_kernel_after_a_kernel_is_launched_early()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain(programmatic: true).Engine(device);
        Check(engine, Inputs(4));
        Assert.Equal([("add_row", false), ("twice", true), ("add", false)], device.Launches.Where(l => l.Shape.BlockX > 0).Select(l => (l.Name, l.Shape.Programmatic)));
    }

    [Fact]
    public void Memory_is_reserved_for_the_profiles_largest_shape()
    {
        NullDevice device = Device();
        EngineProfile profile = new() { Index = 0, Input = "x", Min = [1, 4], Opt = [8, 4], Max = [100, 4] };
        using Engine engine = TestKernels.Chain().Engine(device, [profile]);
        Check(engine, Inputs(5));
        int allocations = device.Allocations;
        for (int n = 1; n <= 100; n++) Check(engine, Inputs(n, n));
        Assert.Equal(allocations, device.Allocations);
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Check(engine, Inputs(101)));
        Assert.Equal(ErrorCode.ShapeOutOfProfile, e.Code);
    }

    [Fact]
    public void An_engine_says_what_memory_each_profile_takes_without_a_device()
    {
        EngineProfile Profile(int index, long rows) => new() { Index = index, Input = "x", Min = [1, 4], Opt = [1, 4], Max = [rows, 4] };
        using Engine engine = TestKernels.Chain().Engine(Device(), [Profile(0, 16), Profile(1, 64)]);
        IReadOnlyList<EngineMemory> memory = engine.DeviceMemory;
        Assert.Equal([(0, 256L, 512L, 512L), (1, 256, 2048, 2048)], memory.Select(m => (m.Profile!.Value, m.WeightBytes, m.ArenaBytes, m.BindingBytes)));
        using DeviceContext context = engine.CreateDeviceContext(default);
        context.SetInput(0, Inputs(64)["x"].Content);
        context.Upload();
        Assert.Equal((memory[1].ArenaBytes, memory[1].WeightBytes), (context.ArenaBytes, context.Program.WeightBytes));
        using Engine open = TestKernels.Chain().Engine(Device());
        Assert.Empty(open.DeviceMemory);
        Assert.Equal(16 * 16 * 2, EngineMemory.Of(open, new Dictionary<string, long[]> { ["x"] = [16, 4] })!.BindingBytes);
    }

    [Fact]
    public void Shapes_and_graphs_that_are_kept_are_bounded()
    {
        NullDevice device = Device();
        EngineProfile profile = new() { Index = 0, Input = "x", Min = [1, 4], Opt = [8, 4], Max = [100, 4] };
        using Engine engine = TestKernels.Chain().Engine(device, [profile]);
        for (int n = 1; n <= 20; n++) for (int i = 0; i < 2; i++) Check(engine, Inputs(n, n));
        int open = device.LiveResources;
        for (int n = 21; n <= 100; n++) for (int i = 0; i < 2; i++) Check(engine, Inputs(n, n));
        Assert.Equal(open, device.LiveResources);
    }

    [Fact]
    public void Out_of_memory_says_needed_and_free_and_the_engine_lives_on()
    {
        NullDevice device = Device(limit: 1 << 16);
        using Engine engine = TestKernels.Chain().Engine(device);
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Check(engine, Inputs(100_000)));
        Assert.Equal(ErrorCode.OutOfDeviceMemory, e.Code);
        Assert.Contains($"{3_200_000:N0} bytes", e.Message, StringComparison.Ordinal);
        Check(engine, Inputs(10));
    }

    [Fact]
    public void Contexts_that_wait_give_their_memory_to_a_run_that_needs_it()
    {
        NullDevice device = Device(limit: 200_000);
        using Engine engine = TestKernels.Chain().Engine(device);
        IReadOnlyDictionary<string, TensorData> Data(int n) => Inputs(n).ToDictionary(p => p.Key, p => p.Value.Content);
        using (IHostRun a = engine.Bind(Data(1000), default), b = engine.Bind(Data(1000), default))
        {
            a.Execute(default);
            b.Execute(default);
        }
        // Two contexts of some 64,000 bytes each are idle; this run needs 160,000.
        Check(engine, Inputs(2400));
    }

    [Fact]
    public void Memory_of_the_caller_is_used_and_a_steady_state_allocates_nothing()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain().Engine(device);
        using ExecutionContext context = engine.CreateContext();
        using IDeviceMemory x = device.Allocate(16 * 8), y = device.Allocate(16 * 8), other = device.Allocate(16 * 8);
        Dictionary<string, Tensor> inputs = Inputs(8);
        x.CopyFromHost(inputs["x"].Content.Bytes);
        context.Bind("x", (nint)x.Address, x.ByteCount, 8, 4);
        context.Bind("y", (nint)y.Address, y.ByteCount);
        for (int i = 0; i < 3; i++) context.Enqueue();
        context.Synchronize();
        Assert.Equal(TestKernels.ChainResult((float[])inputs["x"].Data), Read(y));
        Assert.Equal([8L, 4], context.GetOutputShape("y"));
        Assert.Equal((nint)y.Address, context.GetOutputAddress("y"));
        int allocations = device.Allocations;
        context.Bind("y", (nint)other.Address, other.ByteCount);
        for (int i = 0; i < 3; i++) context.Enqueue();
        Assert.Equal(Read(y), Read(other));
        Assert.Equal(2, device.Captures);
        Assert.Equal(allocations, device.Allocations);

        static unsafe float[] Read(IDeviceMemory memory) => new Span<float>((void*)memory.Address, (int)(memory.ByteCount / 4)).ToArray();
    }

    [Fact]
    public void An_enqueue_with_bound_memory_allocates_no_managed_byte()
    {
        SilentDevice device = new();
        EngineProfile profile = new() { Index = 0, Input = "x", Min = [1, 4], Opt = [8, 4], Max = [100, 4] };
        using Engine engine = TestKernels.Chain().Engine(device, [profile]);
        using ExecutionContext context = engine.CreateContext();
        long[] shape = [8, 4];
        for (int i = 0; i < 100; i++) Enqueue();
        int allocations = device.Allocations, graphs = device.GraphLaunches;
        long managed = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) Enqueue();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - managed);
        Assert.Equal(allocations, device.Allocations);
        Assert.Equal(graphs + 1000, device.GraphLaunches);

        void Enqueue()
        {
            context.Bind("x", 1 << 20, 128, shape);
            context.Bind("y", 1 << 21, 128);
            context.Enqueue();
        }
    }

    [Fact]
    public void What_is_bound_wrongly_is_refused()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain().Engine(device);
        using ExecutionContext context = engine.CreateContext();
        using IDeviceMemory memory = device.Allocate(64);
        Assert.Equal(ErrorCode.InputNotFound, Assert.Throws<TrtToolsException>(() => context.Enqueue()).Code);
        Assert.Equal(ErrorCode.InputNotFound, Assert.Throws<TrtToolsException>(() => context.Bind("z", (nint)memory.Address, 64)).Code);
        Assert.Equal(ErrorCode.InputInvalid, Assert.Throws<TrtToolsException>(() => context.Bind("x", (nint)memory.Address + 4, 64, 4, 4)).Code);
        Assert.Equal(ErrorCode.ShapeMismatch, Assert.Throws<TrtToolsException>(() => context.Bind("x", (nint)memory.Address, 64, 4, 5)).Code);
        context.Bind("x", (nint)memory.Address, 64, 8, 4);
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => context.Enqueue());
        Assert.Contains("has 64 bytes. 128 bytes.", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_and_contexts_share_one_engine()
    {
        NullDevice device = Device();
        using (Engine engine = TestKernels.Chain().Engine(device))
        {
            Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => Check(engine, Inputs(1 + (i % 7), i)));
            ExecutionContext context = engine.CreateContext();
            context.Run(Inputs(3));
            engine.Dispose();
            Assert.Equal(ErrorCode.ObjectNotLive, Assert.Throws<TrtToolsException>(() => context.Run(Inputs(3))).Code);
        }
        Assert.Equal(0, device.LiveResources);
    }

    [Fact]
    public void An_engine_for_another_device_says_for_which_and_what_this_one_is()
    {
        using Engine engine = TestKernels.Chain().Engine(new NullDevice { Name = "NVIDIA A100", ComputeCapability = 80 });
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Check(engine, Inputs(3)));
        Assert.Equal(ErrorCode.EngineIncompatible, e.Code);
        Assert.Contains("it was built for compute capability 9.0 (sm_90a), and this device is NVIDIA A100 (compute capability 8.0)", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sm_90a", 90, true)]
    [InlineData("sm_90a", 100, false)]
    [InlineData("sm_80", 89, true)]
    [InlineData("sm_89", 80, false)]
    [InlineData("sm_90", 80, false)]
    [InlineData("sm_100f", 103, true)]
    [InlineData("ptx", 90, false)]
    public void Architectures_run_on_devices_that_have_their_instructions(string architecture, int capability, bool expected) => Assert.Equal(expected, DeviceProgram.IsCompatible(architecture, capability));

    [Fact]
    public void Without_a_driver_the_error_is_CudaMissing()
    {
        Assert.SkipUnless(CudaDriver.Current.Problem is not null, "This machine has a CUDA device.");
        (EngineHeader header, EngineContent content) = TestKernels.Chain().Build();
        using Engine engine = new(header, content, null, 0);
        Assert.Equal(ErrorCode.CudaMissing, Assert.Throws<TrtToolsException>(() => Check(engine, Inputs(3))).Code);
    }

    [Fact]
    public void A_step_of_the_host_stands_between_launches_and_binds_an_extent()
    {
        NullDevice device = Device();
        using (Engine engine = HostStepPlans.Between().Engine(device)) HostStepPlans.CheckBetween(engine);
        Assert.Equal(0, device.LiveResources);
    }

    [Fact]
    public void Measuring_says_how_the_device_ran_and_why_it_was_slow()
    {
        NullDevice device = new() { Kernels = TestKernels.Bodies, RefusesCapture = true, State = new DeviceState { ClockMHz = 1500, MaxClockMHz = 1980, PowerW = 650.5, SlowedBy = ["its power limit"] } };
        using Engine engine = TestKernels.Chain().Engine(device);
        EngineBenchmark result = EngineMeasurement.Measure(engine, new MeasureOptions { WarmUp = 0, Duration = 0, Iteration = 5, InputData = Inputs(4) }, Report.None, default);
        Assert.Equal((1500, 1980, 650.5), (result.ClockMHz!.Value, result.MaxClockMHz!.Value, result.PowerW!.Value));
        Assert.Contains(result.Warnings, w => w.Contains("slowed down by its power limit", StringComparison.Ordinal));
        Assert.Contains(result.Warnings, w => w.Contains("StreamCaptureUnsupported", StringComparison.Ordinal));
    }

    [Fact]
    public void Measuring_reads_the_devices_own_clock()
    {
        NullDevice device = new() { Kernels = TestKernels.Bodies, TimeOf = l => l.Name == "add" ? 3 : 1 };
        using Engine engine = TestKernels.Chain().Engine(device);
        EngineBenchmark result = EngineMeasurement.Measure(engine, new MeasureOptions { WarmUp = 0, Duration = 0, Iteration = 5, Profile = true, InputData = Inputs(4) }, Report.None, default);
        Assert.Equal(5, result.GpuComputeMedianMs);
        Assert.Equal(0, result.HostToDeviceMedianMs);
        Assert.Equal([1, 1, 0, 0, 3], result.Layers.Select(l => l.MedianMs!.Value));
        Assert.Equal(60, result.Layers[^1].Percent!.Value);
        Assert.Equal((5, 0), (result.SerialMs!.Value, result.OverlapGainMs!.Value));
    }

    [Fact]
    public void What_was_let_go_is_made_again_when_it_is_needed()
    {
        NullDevice device = Device();
        using Engine engine = TestKernels.Chain().Engine(device);
        Check(engine, Inputs(3));
        engine.Release();
        Assert.Equal(0, device.LiveResources);
        Check(engine, Inputs(3));
    }

    [Fact]
    public void A_library_gets_its_call_with_evaluated_extents_and_addresses()
    {
        PlanBuilder plan = new();
        uint x = plan.Input("x", "n", "4"), workspace = plan.Scratch("workspace", "64"), y = plan.Output("y", "n", "4");
        plan.Symbol("n", x, 0);
        TrtTools.Engines.Proto.Launch launch = new() { Name = "call", Reads = { x, workspace }, Writes = { y, workspace } };
        launch.Library = new LibraryCall
        {
            Library = "test", Operation = "copy", Extents = { plan.Extent("4*n"), plan.Extent("7") }, Operands = { plan.Place(x), plan.Place(y), plan.Place(workspace) }, WorkspaceBytes = 256,
            Settings = { new Setting { Key = "k", Value = "v" } }, Algorithm = Google.Protobuf.ByteString.CopyFrom([1, 2]), Version = "1.0",
        };
        plan.Segment().Launches.Add(launch);
        (EngineHeader header, EngineContent content) = plan.Build();
        NullDevice device = new();
        TestLibrary library = new();
        DeviceProgram program = new(device, content.Plan, content.Blobs, content.Details.Layers, "made") { CreateLibrary = (name, engine) => name == "test" && engine == "made" ? library : throw new InvalidOperationException(name) };
        using (DeviceContext context = program.CreateContext())
        {
            for (int n = 1; n < 4; n++)
            {
                TensorData data = Inputs(n, n)["x"].Content;
                context.SetInput(0, data);
                context.Upload();
                context.Execute(default);
                Assert.True(context.Download()[0].ContentEquals(data));
            }
        }
        program.Leave();
        Assert.Equal(["copy [4,7] k=v 1.0 256 2", "copy [8,7] k=v 1.0 256 2", "copy [12,7] k=v 1.0 256 2"], library.Requests);
        Assert.Equal((3, true), (library.CallsDisposed, library.Disposed));
        Assert.Equal(0, device.LiveResources);
    }

    private sealed class TestLibrary : ILibraryAdapter
    {
        public List<string> Requests { get; } = [];

        public int CallsDisposed { get; private set; }

        public bool Disposed { get; private set; }

        public string Version => "1.0";

        public IPreparedCall Prepare(LibraryRequest request)
        {
            Requests.Add($"{request.Operation} [{string.Join(',', request.Extents)}] {string.Join(',', request.Settings.Select(s => $"{s.Key}={s.Value}"))} {request.Version} {request.WorkspaceBytes} {request.Algorithm.Length}");
            return new Call(this, request.Extents[0]);
        }

        public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count) => [];

        public void Dispose() => Disposed = true;

        private sealed class Call(TestLibrary owner, long count) : IPreparedCall
        {
            public unsafe void Enqueue(ReadOnlySpan<ulong> operands, nint stream)
            {
                Assert.Equal(3, operands.Length);
                new Span<float>((void*)operands[0], (int)count).CopyTo(new Span<float>((void*)operands[1], (int)count));
            }

            public void Dispose() => owner.CallsDisposed++;
        }
    }
}
